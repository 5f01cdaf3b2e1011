"""What a live signal is, and what it may look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stillwatch.protect.state import State
from stillwatch.records import Request, SignalHit

Cues = Callable[[str], Mapping[str, float]]
"""Cue families of a prompt: how many times the points that a family asks for were found."""


@dataclass(frozen=True, slots=True)
class View:
    """What a signal may look at besides the request."""

    state: State
    now: float
    """Seconds since 1970, UTC."""
    grant: str = "none"
    cues: Mapping[str, float] | None = None
    """Cue families of the request's prompt; None when there is no prompt or nobody reads it."""


@dataclass(frozen=True, slots=True)
class LiveSignal:
    """One signal: who it is, what it sees, who looks the same and is innocent."""

    id: str
    title: str
    what: str
    scale: str
    """What the score means."""
    looks_alike: tuple[str, ...]
    look: Callable[[Request, View], SignalHit | None]
    prompt: bool = False
    """Rests on wording alone."""
    source: str = ""


def wording(family: str) -> Callable[[Request, View], SignalHit | None]:
    """A look at one cue family: half a point for just enough cues, one for twice as many."""

    def look(request: Request, view: View) -> SignalHit | None:
        strength = view.cues.get(family, 0.0) if view.cues else 0.0
        if strength < 1.0:
            return None
        return SignalHit(
            family, min(1.0, strength / 2.0), f"cues of {family.replace('_', ' ')} in the prompt"
        )

    return look
