"""Private set intersection of two parties without a hub: each learns which of its values the other has, and no others.

Diffie and Hellman's function commutes: a value hashed into the group and multiplied by both secrets is the same point
whoever multiplied first. Four messages, two each way::

    mine = offer(session, values)      -> mine.wire to the peer;       the peer's offer comes back
    answer(mine, theirs, most)         -> my answer to the peer;       the peer's answer comes back
    common(mine, theirs, their_answer) -> values of mine that the peer has too

What it leaks, by design: both numbers of values, and every common value to both. What it does not hold back: each point
of an offer is a guess that the other answers, so whoever offers all address blocks learns which of them the other has.
Nothing but ``most`` bounds that, and nothing shows it: where values can be guessed, join through key holders, who count
(``tags``). A secret is for one peer and one session: another answer under it is another offer's worth of guesses.

A peer cannot make a value look common: it proves that it answered with the secret behind the key in its offer (RFC 9497
batch proof), and a key whose points stand in the other's offer is refused. It can leave its own values out, or stop.

References: Meadows (1986); De Cristofaro and Tsudik, Practical private set intersection (2010).
"""

from __future__ import annotations

import hashlib
import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from stillwatch.errors import ConfigError, VerificationError
from stillwatch.share.join import group, oprf
from stillwatch.share.join.tags import LONGEST_VALUE, Value

PROTOCOL = b"stillwatch-psi-1"
MOST = 1_000_000
"""Values of one offer."""
_HEAD = len(PROTOCOL) + 32 + group.SIZE
_BATCH = oprf.LARGEST_BATCH


@dataclass(frozen=True)
class Offer:
    """One party's side of a session."""

    wire: bytes = field(repr=False)
    """To the peer: protocol, session, public key, and one point for each value, in no order."""
    secret: bytes = field(repr=False)
    values: tuple[Value, ...] = field(repr=False)
    """In the order of the points."""


@dataclass(frozen=True)
class Offered:
    """A checked offer."""

    session: bytes
    public: bytes
    points: tuple[bytes, ...] = field(repr=False)


def offer(session: str, values: Sequence[Value]) -> Offer:
    """A new secret, and every value under it.

    Args:
        session: What both agreed on for this one exchange; offers of different sessions have nothing in common.
    """
    distinct = sorted({(value.kind, value.value) for value in values})
    if not distinct:
        raise ConfigError(
            "the list is empty", hint="write one value a line, its kind first: address 203.0.113.0/24"
        )
    if len(distinct) > MOST:
        raise ConfigError(
            f"{len(distinct):,} values, and at most {MOST:,} can be compared", hint="split the list"
        )
    for _, value in distinct:
        if not 0 < len(value) <= LONGEST_VALUE:
            raise ConfigError(f"a value has {len(value)} bytes; 1 to {LONGEST_VALUE} can be compared",
                              hint="leave empty values out, digest long ones")  # fmt: skip
    random.SystemRandom().shuffle(distinct)
    secret, named = group.random_scalar(), _session(session)
    kept = tuple(Value(kind, value) for kind, value in distinct)
    points = [group.times(secret, _element(named, value)) for value in kept]
    return Offer(PROTOCOL + named + group.generated(secret) + b"".join(points), secret, kept)


def read_offer(wire: bytes) -> Offered:
    """An offer that somebody sent.

    Raises:
        VerificationError: it is none, names a point twice, or holds more than `MOST` points.
    """
    if len(wire) <= _HEAD or not wire.startswith(PROTOCOL) or len(wire) > _HEAD + MOST * group.SIZE:
        raise VerificationError(
            "this is no offer of a private set intersection", hint="ask the peer for its offer"
        )
    points = tuple(group.elements(wire[_HEAD:]))
    if len(set(points)) != len(points):
        raise VerificationError("an offer names a point twice", hint="the peer's software is broken")
    at = len(PROTOCOL)
    return Offered(wire[at : at + 32], group.element(wire[at + 32 : _HEAD]), points)


def answer(mine: Offer, theirs: Offered, most: int) -> bytes:
    """Their points under both secrets, in their order, and the proofs.

    Args:
        most: Points that are answered at most: each may be a guess.

    Raises:
        VerificationError: another session, more points than ``most``, or an offer made of mine.
    """
    _match(mine, theirs)
    if len(theirs.points) > most:
        raise VerificationError(
            f"the peer offers {len(theirs.points):,} points, more than the {most:,} that are answered",
            hint="each may be a guess at a value of yours; raise the limit only for a peer that you trust so far",
        )
    parts = [PROTOCOL, hashlib.sha256(mine.wire + _wire(theirs)).digest()]
    for at in range(0, len(theirs.points), _BATCH):
        asked = theirs.points[at : at + _BATCH]
        given = oprf.evaluate(mine.secret, asked)
        parts += [*given, oprf.prove(mine.secret, asked, given)]
    return b"".join(parts)


def common(mine: Offer, theirs: Offered, their_answer: bytes) -> tuple[Value, ...]:
    """Values of mine that the peer has as well, sorted.

    Raises:
        VerificationError: the answer is for other offers, malformed, or made with another secret; nothing is used.
    """
    _match(mine, theirs)
    mine_read = read_offer(mine.wire)
    head = PROTOCOL + hashlib.sha256(_wire(theirs) + mine.wire).digest()
    if not their_answer.startswith(head):
        raise VerificationError("this is no answer to your offer", hint="ask the peer for its answer")
    rest, given = their_answer[len(head) :], []
    batches = [mine_read.points[at : at + _BATCH] for at in range(0, len(mine_read.points), _BATCH)]
    if len(rest) != sum(len(batch) * group.SIZE + oprf.PROOF_SIZE for batch in batches):
        raise VerificationError("an answer has another length than the offer", hint="ask the peer again")
    for batch in batches:
        size = len(batch) * group.SIZE
        points = group.elements(rest[:size])
        oprf.check(theirs.public, batch, points, rest[size : size + oprf.PROOF_SIZE])
        given += points
        rest = rest[size + oprf.PROOF_SIZE :]
    both = {group.times(mine.secret, point) for point in theirs.points}
    found = [value for value, point in zip(mine.values, given, strict=True) if point in both]
    return tuple(sorted(found, key=lambda value: (value.kind, value.value)))


def new_session() -> str:
    """A name for a session, for both to use once.

    >>> len(new_session())
    32
    """
    return secrets.token_hex(16)


def _match(mine: Offer, theirs: Offered) -> None:
    own = _own_head(mine.wire)
    if own[0] != theirs.session:
        raise VerificationError(
            "the two offers are of different sessions", hint="agree on one name and offer again"
        )
    if own[1] == theirs.public or not set(theirs.points).isdisjoint(_points(mine.wire)):
        raise VerificationError(
            "the peer's offer repeats points of yours", hint="do not go on with this peer"
        )


def _own_head(wire: bytes) -> tuple[bytes, bytes]:
    """Session and public key of an own offer, whose points are known to be good."""
    at = len(PROTOCOL)
    return wire[at : at + 32], wire[at + 32 : _HEAD]


def _points(wire: bytes) -> set[bytes]:
    return {wire[at : at + group.SIZE] for at in range(_HEAD, len(wire), group.SIZE)}


def _wire(offered: Offered) -> bytes:
    return PROTOCOL + offered.session + offered.public + b"".join(offered.points)


def _session(name: str) -> bytes:
    if not 8 <= len(name) <= 128:
        raise ConfigError(
            "a session's name has 8 to 128 characters",
            hint="agree on a longer one, or name none: one is drawn",
        )
    return hashlib.sha256(PROTOCOL + name.encode()).digest()


def _element(session: bytes, value: Value) -> bytes:
    kind = value.kind.encode()
    return group.hash_to_element(
        session + len(kind).to_bytes(2, "big") + kind + value.value, b"HashToGroup-" + PROTOCOL
    )


__all__ = ["MOST", "Offer", "Offered", "answer", "common", "new_session", "offer", "read_offer"]
