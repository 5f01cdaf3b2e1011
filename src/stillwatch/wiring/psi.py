"""Private set intersection as files that two parties send each other by a channel of their own."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError, SourceError, VerificationError
from stillwatch.share.join import group, psi
from stillwatch.share.join.tags import LONGEST_VALUE, Value
from stillwatch.wiring.progress import replace_private, writable, write_private

_LARGEST = (psi.MOST + 64) * (group.SIZE + 1)
_LONGEST_LIST = 256 * 2**20


def psi_offer(values: Path, out: Path, *, session: str | None) -> dict[str, Any]:
    """Make an offer of a list of values, and keep its secret beside it in ``OUT.secret``, for this one session."""
    named = session or psi.new_session()
    made = psi.offer(named, _values(values))
    kept = out.with_name(f"{out.name}.secret")
    with writable(out):
        for path in (out, kept):
            if path.exists():
                raise ConfigError(f"{path.name} exists", hint="an offer is made once; name another file")
        body = {
            "session": named, "answered": False, "secret": made.secret.hex(),
            "values": [[v.kind, base64.b64encode(v.value).decode()] for v in made.values],
        }  # fmt: skip
        write_private(kept, json.dumps(body).encode())
        write_private(out, made.wire)
    return {"offer": str(out), "secret": str(kept), "session": named, "values": len(made.values)}


def psi_answer(mine: Path, theirs: Path, out: Path, *, most: int) -> dict[str, Any]:
    """Answer a peer's offer, once: a second one would be another list of guesses."""
    made, body = _kept(mine)
    if body["answered"]:
        raise ConfigError(
            f"{mine.name} has answered an offer already",
            hint="make a new offer for a new session: a secret is for one peer",
        )  # fmt: skip
    offered = _offered(made, theirs)
    wire = psi.answer(made, offered, most)
    with writable(out):
        if out.exists():
            raise ConfigError(f"{out.name} exists", hint="name another file")
        kept = mine.with_name(f"{mine.name}.secret")
        replace_private(kept, json.dumps(body | {"answered": True}).encode())
        write_private(out, wire)  # after the mark: a crash answers too little, never twice
    return {"answer": str(out), "points": len(offered.points), "values": len(made.values)}


def psi_read(mine: Path, theirs: Path, their_answer: Path) -> dict[str, Any]:
    """Which own values the peer has as well."""
    made, _ = _kept(mine)
    found = psi.common(made, _offered(made, theirs), _bytes(their_answer))
    return {
        "values": len(made.values),
        "common": [{"kind": v.kind, "value": v.value.decode()} for v in found],
    }


def _values(path: Path) -> list[Value]:
    found = []
    try:
        if path.stat().st_size > _LONGEST_LIST:
            raise SourceError(str(path), "is larger than 256 MiB", hint="split the list")
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(str(path), "cannot be read as text", hint="one value a line: KIND VALUE") from error
    for number, line in enumerate(lines, 1):
        words = line.split(maxsplit=1)
        if not words:
            continue
        if len(words) < 2:
            raise SourceError(
                f"{path}:{number}", "has a kind and no value", hint="write KIND VALUE: address 203.0.113.0/24"
            )
        value = words[1].strip().encode()
        if len(value) > LONGEST_VALUE:
            raise SourceError(
                f"{path}:{number}", f"has a value of {len(value):,} bytes, and at most {LONGEST_VALUE:,} are compared",
                hint="put its digest there instead, at both parties",
            )  # fmt: skip
        found.append(Value(words[0], value))
    return found


def _kept(mine: Path) -> tuple[psi.Offer, dict[str, Any]]:
    secret = mine.with_name(f"{mine.name}.secret")
    if not secret.exists():
        raise SourceError(
            str(mine), f"is no offer that was made here: there is no {secret.name} beside it",
            hint="MINE is the file that `share psi offer --out` wrote, THEIRS the one that the peer sent",
        )  # fmt: skip
    try:
        body: dict[str, Any] = json.loads(_bytes(secret, 4 * _LONGEST_LIST))
        values = tuple(Value(kind, base64.b64decode(value)) for kind, value in body["values"])
        made = psi.Offer(_bytes(mine), group.scalar(bytes.fromhex(body["secret"])), values)
        if len(psi.read_offer(made.wire).points) != len(values):
            raise ValueError
        return made, body
    except (ValueError, KeyError, TypeError, VerificationError) as error:
        raise SourceError(
            str(mine), f"it or {secret.name} beside it is not as `share psi offer` wrote it",
            hint="offer again, and send the peer the new offer: what it answered to the old one is of no use",
        ) from error  # fmt: skip


def _offered(mine: psi.Offer, theirs: Path) -> psi.Offered:
    """The peer's offer."""
    wire = _bytes(theirs)
    if wire == mine.wire:
        raise SourceError(
            str(theirs), "is your own offer",
            hint="name the peer's; if the peer sent you this one, do not go on with this peer",
        )  # fmt: skip
    try:
        return psi.read_offer(wire)
    except VerificationError as error:
        raise SourceError(
            str(theirs), error.message,
            hint=f"the peer's offer stands here, its answer comes last; if this is its offer: {error.hint}",
        ) from error  # fmt: skip


def _bytes(path: Path, most: int = _LARGEST) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise SourceError(
            str(path), "cannot be read", hint="name the file that was sent or written"
        ) from error
    if len(data) > most:
        raise SourceError(
            str(path), f"is larger than {most:,} bytes", hint=f"at most {psi.MOST:,} values are compared"
        )
    return data


__all__ = ["psi_answer", "psi_offer", "psi_read"]
