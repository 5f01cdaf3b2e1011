"""Signed notes, checkpoints of a log, and cosignatures of its witnesses.

A note is text with signature lines under it; a checkpoint is a note that names a log, its size and its root; a witness
signs it again with the time, after it has seen that the log only grew. Signatures of unknown keys are passed over, and
a note on which no known key signed is refused: an empty list proves nothing.

References: C2SP signed-note, tlog-checkpoint and tlog-cosignature (``cosignature/v1``).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from stillwatch.errors import VerificationError
from stillwatch.evidence.keys import SigningKey, verify_ed25519

_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]{1,200}")
_SIZE = re.compile(r"0|[1-9]\d{0,18}")
MOST_BYTES = 64_000
"""Bytes of a note that are read at all."""


class Kind(IntEnum):
    """Algorithm byte of a note key."""

    ED25519 = 1
    COSIGNATURE = 4


@dataclass(frozen=True, slots=True)
class Verifier:
    """A named public key of a log or of a witness."""

    name: str
    public: bytes
    kind: Kind = Kind.ED25519

    @property
    def mark(self) -> bytes:
        """Four bytes that tell which key signed a line."""
        return hashlib.sha256(f"{self.name}\n".encode() + bytes([self.kind]) + self.public).digest()[:4]

    @property
    def vkey(self) -> str:
        """The key as one line of text."""
        return f"{self.name}+{self.mark.hex()}+{_b64(bytes([self.kind]) + self.public)}"

    @classmethod
    def parse(cls, vkey: str) -> Verifier:
        """The key behind a line of text.

        Raises:
            VerificationError: it is no such line, or its parts do not fit together.
        """
        parts = vkey.strip().split("+", 2)
        raw = _unb64(parts[2]) if len(parts) == 3 else b""
        if len(raw) != 33 or raw[0] not in list(Kind) or not _NAME.fullmatch(parts[0]):
            raise _refuse("this is no key of a log or a witness")
        found = cls(parts[0], raw[1:], Kind(raw[0]))
        if found.mark.hex() != parts[1]:
            raise _refuse("the key's name, mark and bytes do not fit together")
        return found


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a log: who keeps it, how many leaves it has, and their root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{_b64(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """The checkpoint behind the text of a note."""
        lines = text.split("\n")
        if len(lines) < 4 or not lines[0] or not _SIZE.fullmatch(lines[1]) or len(_unb64(lines[2])) != 32:
            raise _refuse("this is no checkpoint of a log")
        return cls(lines[0], int(lines[1]), _unb64(lines[2]))


def sign(text: str, key: SigningKey, name: str) -> str:
    """A signature line."""
    who = Verifier(name, key.public)
    return _line(name, who.mark + key.sign(text.encode()))


def cosign(text: str, key: SigningKey, name: str, at: int) -> str:
    """A witness's line: it has seen this checkpoint at ``at`` (seconds since 1970), grown from the one before."""
    who = Verifier(name, key.public, Kind.COSIGNATURE)
    return _line(name, who.mark + struct.pack(">Q", at) + key.sign(_cosigned(text, at)))


def note(text: str, lines: Iterable[str]) -> str:
    """The text with its signature lines."""
    return f"{text}\n{''.join(lines)}"


def opened(signed: str, trusted: Iterable[Verifier]) -> tuple[str, dict[str, int | None]]:
    """Text of a note and who signed it, each with the time of a cosignature.

    Raises:
        VerificationError: malformed, a known key's signature is wrong, or no known key signed.
    """
    text, lines = split(signed)
    known = {(v.name, v.mark): v for v in trusted}
    found: dict[str, int | None] = {}
    for name, mark, signature in lines:
        verifier = known.get((name, mark))
        if verifier is None:
            continue
        found[name] = _checked(text, verifier, signature)
    if not found:
        raise _refuse("no key that you trust signed this checkpoint")
    return text, found


def split(signed: str) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """Text of a note, and (name, mark, signature) of each line."""
    text, found, rest = signed.rpartition("\n\n")
    if not found or len(signed) > MOST_BYTES or not rest.endswith("\n"):
        raise _refuse("this is no signed note")
    lines = []
    for line in rest[:-1].split("\n"):
        dash, _, tail = line.partition(" ")
        name, _, data = tail.partition(" ")
        raw = _unb64(data)
        if dash != "\u2014" or not _NAME.fullmatch(name) or len(raw) < 5:
            raise _refuse("a signature line of the note is malformed")
        lines.append((name, raw[:4], raw[4:]))
    return text + "\n", lines


def _checked(text: str, verifier: Verifier, signature: bytes) -> int | None:
    if verifier.kind is Kind.ED25519:
        verify_ed25519(verifier.public, signature, text.encode(), f"checkpoint of {verifier.name}")
        return None
    if len(signature) != 72:
        raise _refuse("a cosignature has the wrong length")
    (at,) = struct.unpack(">Q", signature[:8])
    verify_ed25519(verifier.public, signature[8:], _cosigned(text, at), f"cosignature of {verifier.name}")
    return int(at)


def _cosigned(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def _line(name: str, data: bytes) -> str:
    if not _NAME.fullmatch(name):
        raise _refuse("the name of a key may hold neither spaces nor a plus sign")
    return f"\u2014 {name} {_b64(data)}\n"


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unb64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _refuse(message: str) -> VerificationError:
    return VerificationError(message, hint="ask the keeper of the log for its checkpoint and its key")
