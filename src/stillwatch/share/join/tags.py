"""A member's side: trait values to tags, with the key split between two key holders.

The key is a sum, ``k = k1 + k2``, of which each key holder has one term. The member sends the same blinded batch to
both, checks both proofs, adds the answers and takes its blind off: what comes out is RFC 9497 under ``k``, which nobody
has. One key holder alone can evaluate nothing, and so can build no table of all addresses, nor can the hub.

::

    values -> ask() -> the same bytes to both key holders -> two answers -> open() -> tags

What a tag is of stands inside the hash: protocol, epoch, kind. A tag of another week or kind never equals it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from stillwatch.errors import ConfigError, VerificationError
from stillwatch.share.join import group, oprf

PROTOCOL = b"stillwatch-join-1"
_KIND = re.compile(r"[a-z][a-z0-9_]{0,31}\Z")
_EPOCH = re.compile(r"\d{4}-W(0[1-9]|[1-4]\d|5[0-3])\Z")
LONGEST_VALUE = 1024
"""Bytes of a value; longer traits are digested by the room that makes them."""


@dataclass(frozen=True)
class Value:
    """One trait value of a cluster, written as all members write it (an address block in its canonical form)."""

    kind: str
    """What it is: lower-case letters, digits and underscores."""
    value: bytes = field(repr=False)
    """The value itself; it never leaves the member, not in errors either."""


@dataclass(frozen=True)
class Question:
    """A blinded batch, and the secrets that open the answers; the secrets stay with the member."""

    wire: bytes
    """What both key holders get: one element of 32 bytes for each value, in the same order."""
    messages: tuple[bytes, ...] = field(repr=False)
    blinds: tuple[bytes, ...] = field(repr=False)


def encoded(epoch: str, value: Value) -> bytes:
    """The input of the function: every part with its length before it, so that no two readings exist.

    >>> encoded("2026-W48", Value("ipv4_24", b"192.0.2.0/24"))[:19]
    b'\\x00\\x11stillwatch-join-1'
    """
    if not _EPOCH.match(epoch):
        raise ConfigError("an epoch is an ISO week", hint="write it as 2026-W48")
    if not _KIND.match(value.kind):
        raise ConfigError("a kind is at most 32 of a-z, 0-9 and _, a letter first", hint="rename the kind")
    if not 0 < len(value.value) <= LONGEST_VALUE:
        raise ConfigError(
            f"a value of kind {value.kind} has {len(value.value)} bytes; 1 to {LONGEST_VALUE} can be joined",
            hint="leave empty values out, digest long ones",
        )
    parts = (PROTOCOL, epoch.encode(), value.kind.encode(), value.value)
    return b"".join(len(part).to_bytes(2, "big") + part for part in parts)


def ask(epoch: str, values: Sequence[Value]) -> Question:
    """Blinds a batch. Every value costs one unit of the member's budget at both key holders."""
    if not 0 < len(values) <= oprf.LARGEST_BATCH:
        raise ConfigError(
            f"a batch of {len(values)} values; 1 to {oprf.LARGEST_BATCH} can be sent",
            hint="send several batches",
        )
    messages = tuple(encoded(epoch, value) for value in values)
    blinds = tuple(group.random_scalar() for _ in messages)
    wire = b"".join(oprf.blind(message, factor) for message, factor in zip(messages, blinds, strict=True))
    return Question(wire, messages, blinds)


def open_answers(question: Question, answers: Sequence[bytes], publics: Sequence[bytes]) -> tuple[bytes, ...]:
    """Tags of 64 bytes, one for each value, if both key holders proved that they used their keys of the epoch.

    Args:
        answers: What the key holders sent, in the order of ``publics``.
        publics: The key holders' public keys of this epoch, as every member got them.

    Raises:
        VerificationError: an answer is malformed, or its proof does not hold; nothing of it is used.
    """
    if len(answers) != len(publics) or len(set(publics)) != len(publics) or len(publics) < 2:
        raise VerificationError(
            f"{len(answers)} answers for {len(set(publics))} different keys; there are two key holders at least",
            hint="one key holder alone could look every address up: do not go on with one",
        )
    asked = [question.wire[at : at + group.SIZE] for at in range(0, len(question.wire), group.SIZE)]
    total = [group.IDENTITY] * len(asked)
    for answer, public in zip(answers, publics, strict=True):
        given = group.elements(answer[: -oprf.PROOF_SIZE])
        oprf.check(group.element(public), asked, given, answer[-oprf.PROOF_SIZE :])
        total = [group.plus(one, other) for one, other in zip(total, given, strict=True)]
    return tuple(
        oprf.finalise(message, factor, group.element(point))
        for message, factor, point in zip(question.messages, question.blinds, total, strict=True)
    )


__all__ = ["LONGEST_VALUE", "PROTOCOL", "Question", "Value", "ask", "encoded", "open_answers"]
