"""Witnesses of a log, asked by whoever keeps it (C2SP tlog-witness, ``add-checkpoint``)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from stillwatch.errors import ConfigError, UpstreamError, VerificationError
from stillwatch.wiring.evidence_http import post

if TYPE_CHECKING:
    from stillwatch.evidence.note import Verifier

Steps = Callable[[int, int], list[bytes]]
"""``steps(old, new)``: the proof that a log only grew."""


def named(entries: Iterable[str]) -> list[tuple[str, Verifier]]:
    """Address and key of each witness, from lines ``URL KEY``.

    Raises:
        ConfigError: a line is none, or two name one key: they would count as two witnesses.
    """
    hint = "write `URL KEY`, as `stillwatch evidence witness` says it when it starts"
    found: dict[bytes, tuple[str, Verifier]] = {}
    for entry in entries:
        url, _, vkey = entry.partition(" ")
        if not url.startswith(("http://", "https://")):
            raise ConfigError("a witness has an address with http:// or https://", hint=hint)
        witness = witness_key(vkey)
        if witness.public in found:
            raise ConfigError(f"{witness.name} is named twice", hint="name each witness once")
        found[witness.public] = url, witness
    return list(found.values())


def witness_key(vkey: str) -> Verifier:
    """The key of a witness.

    Raises:
        ConfigError: it is none, or that of a log, which vouches for nothing but itself.
    """
    from stillwatch.evidence.note import Kind, Verifier

    try:
        found = Verifier.parse(vkey)
    except VerificationError as error:
        raise ConfigError("this is no key of a witness", hint="its keeper tells it: NAME+MARK+KEY") from error
    if found.kind is not Kind.COSIGNATURE:
        raise ConfigError(
            f"{found.name} is the key of a log, not of a witness", hint="ask the witness's keeper"
        )
    return found


def cosigned(url: str, witness: Verifier, signed: str, old: int, steps: Steps) -> str:
    """The line of a witness under a signed checkpoint; whatever else it sent along is left out.

    Args:
        old: size that the witness has signed before, as far as we know. steps: proofs of the log.

    Raises:
        UpstreamError: it does not answer, or refuses.
        VerificationError: what it answered is not its signature under this checkpoint.
    """
    from stillwatch.evidence.note import opened, split

    for line in _answer(url, signed, old, steps).splitlines(keepends=True)[:20]:
        try:
            opened(f"{split(signed)[0]}\n{line}", [witness])
        except VerificationError:
            continue
        return line
    raise VerificationError(f"witness {witness.name} did not sign the checkpoint", hint="ask its keeper why")


def _answer(url: str, signed: str, old: int, steps: Steps) -> str:
    from stillwatch.evidence.note import Checkpoint, split

    size = Checkpoint.parse(split(signed)[0]).size
    for _ in range(2):
        proof = "".join(
            base64.b64encode(step).decode() + "\n" for step in (steps(old, size) if 0 < old < size else [])
        )
        status, answer = post(
            f"{url.rstrip('/')}/add-checkpoint", f"old {old}\n{proof}\n{signed}".encode(), "text/plain"
        )
        if status == 200:
            return answer.decode("utf-8", "replace")
        held = answer.strip()
        if status != 409 or not held.isdigit() or len(held) > 19 or int(held) > size:
            break
        old = int(held)
    why = (
        "it has seen more of this log, or another log of this name" if status == 409 else "ask its keeper why"
    )
    raise UpstreamError(f"witness {url} answered {status}", hint=why)


__all__ = ["Steps", "cosigned", "named", "witness_key"]
