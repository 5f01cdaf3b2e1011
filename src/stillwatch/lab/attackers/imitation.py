"""How closely a framer imitates its victim, and what it cannot imitate.

Everything that shows on the wire can be copied by somebody who saw it. What the service itself issued or took
cannot: that is why :data:`CANNOT` is a list and not a dial.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from stillwatch.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Imitation:
    """Shares in ``[0, 1]``; 0 leaves the victim alone."""

    template: float = 0.0
    """Share of work lines that use a victim's own system prompt and instructions around the framer's payloads."""
    payload: float = 0.0
    """Share of those lines' requests that repeat something the victim asked. Needs a leak of its prompts."""
    exits: float = 0.0
    """Share of framing accounts that come from a victim's address block. Needs an exit in the same network."""
    client: float = 0.0
    """Share of framing accounts that run exactly a victim's client build."""
    timing: float = 0.0
    """Share of framing requests within a minute after one of a victim's."""
    signup: float = 0.0
    """Share of framing accounts signed up on the day a victim signed up. Only buys of old accounts can do that."""
    email: float = 0.0
    """Share of framing accounts under a victim's mail domain. Only public mail providers give that."""


CANNOT: Mapping[str, str] = {
    "payment digest": "the service computes it, under its own key, from the instrument that was charged; a framer "
    "would have to pay with the victim's card",
    "phone digest": "as for payment: the victim's number would have to receive the framer's code",
    "output provenance": "answers given to the victim are known to the victim alone; a framer can only quote "
    "answers that the victim published",
    "sealed blocks": "the service issued them to the victim and the victim alone holds them",
    "hand-off and fail-over": "the victim's refused request would have to succeed on a framing account within "
    "seconds, or a framer's on the victim's: neither side sends the other's conversations",
    "the victim's own traffic": "a framer adds to what a victim resembles, never to what the victim sends: new "
    "payloads, asks and answers on the victim's account stay the victim's",
}
"""What cannot be imitated, and why."""


def imitation(settings: Mapping[str, float]) -> Imitation:
    """Imitation from a scenario's table.

    Raises
    ------
    ConfigError
        Unknown name, or a share outside ``[0, 1]``.
    """
    known = {f.name for f in fields(Imitation)}
    for name, value in settings.items():
        if name not in known:
            raise ConfigError(f"unknown imitation {name}", hint=f"imitations: {', '.join(sorted(known))}")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise ConfigError(f"imitation {name} is {value!r}", hint="between 0 and 1")
    return replace(Imitation(), **{name: float(value) for name, value in settings.items()})


__all__ = ["CANNOT", "Imitation", "imitation"]
