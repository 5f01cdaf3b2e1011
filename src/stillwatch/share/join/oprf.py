"""The verifiable oblivious function of RFC 9497, suite ristretto255-SHA512: one key, one batch.

A member blinds inputs, a key holder evaluates blinded elements without learning anything of them and proves, for the
whole batch at once, that it used the key it has published. Here are the RFC's functions and no more; the split of the
key is in ``tags``.

References: RFC 9497 sections 2.2 (proofs), 3.2.1 (keys), 3.3.2 (verifiable mode).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from stillwatch.errors import VerificationError
from stillwatch.share.join import group

CONTEXT = b"OPRFV1-\x01-ristretto255-SHA512"
LARGEST_BATCH = 65_535
"""Elements of one proof: the RFC numbers them in two bytes."""
PROOF_SIZE = 2 * group.SIZE


def derive_key(seed: bytes, info: bytes) -> bytes:
    """A secret key from 32 secret bytes and a public name: the same each time."""
    material = seed + _prefixed(info)
    for counter in range(256):
        key = group.hash_to_scalar(material + bytes([counter]), b"DeriveKeyPair" + CONTEXT)
        if key != group.ZERO:
            return key
    raise VerificationError("no key can be derived from this seed", hint="draw another seed")


def blind(message: bytes, factor: bytes) -> bytes:
    """An input as a key holder sees it: an element that is equally likely for every input."""
    return group.times(factor, group.hash_to_element(message, b"HashToGroup-" + CONTEXT))


def evaluate(key: bytes, blinded: Sequence[bytes]) -> list[bytes]:
    """A key holder's answer to checked elements."""
    return [group.times(key, each) for each in blinded]


def finalise(message: bytes, factor: bytes, evaluated: bytes) -> bytes:
    """The 64 bytes that the function gives for an input, from an answer whose proof was checked."""
    opened = group.times(group.inverse(factor), evaluated)
    return hashlib.sha512(_prefixed(message) + _prefixed(opened) + b"Finalize").digest()


def prove(
    key: bytes, blinded: Sequence[bytes], evaluated: Sequence[bytes], nonce: bytes | None = None
) -> bytes:
    """64 bytes that show that one key made every answer of a batch.

    Args:
        nonce: A scalar; for the RFC's vectors only. Twice the same for two batches gives the key away.
    """
    public = group.generated(key)
    weights = _weights(public, blinded, evaluated)
    left = _sum(weights, blinded)
    right = group.times(key, left)
    nonce = nonce or group.random_scalar()
    challenge = _challenge(public, left, right, group.generated(nonce), group.times(nonce, left))
    return challenge + group.difference(nonce, group.product(challenge, key))


def check(public: bytes, blinded: Sequence[bytes], evaluated: Sequence[bytes], proof: bytes) -> None:
    """Returns if one key made every answer: the key whose public part is given.

    Raises:
        VerificationError: it did not, or the proof is malformed.
    """
    if len(proof) != PROOF_SIZE or len(blinded) != len(evaluated) or not blinded:
        raise VerificationError(
            "an answer has another length than its question", hint="ask the key holder again"
        )
    challenge, answer = group.scalar(proof[: group.SIZE]), group.scalar(proof[group.SIZE :])
    weights = _weights(public, blinded, evaluated)
    left, right = _sum(weights, blinded), _sum(weights, evaluated)
    second = group.plus(group.generated(answer), group.times(challenge, public))
    third = group.plus(group.times(answer, left), group.times(challenge, right))
    if _challenge(public, left, right, second, third) != challenge:
        raise VerificationError(
            "a key holder answered with another key than it published",
            hint="use nothing of this batch; tell the other members",
        )


def _weights(public: bytes, blinded: Sequence[bytes], evaluated: Sequence[bytes]) -> list[bytes]:
    if len(blinded) > LARGEST_BATCH:
        raise VerificationError(
            f"a batch holds at most {LARGEST_BATCH} elements", hint="send several batches"
        )
    seed = hashlib.sha512(_prefixed(public) + _prefixed(b"Seed-" + CONTEXT)).digest()
    return [
        group.hash_to_scalar(
            _prefixed(seed) + at.to_bytes(2, "big") + _prefixed(asked) + _prefixed(given) + b"Composite",
            b"HashToScalar-" + CONTEXT,
        )
        for at, (asked, given) in enumerate(zip(blinded, evaluated, strict=True))
    ]


def _sum(weights: Sequence[bytes], points: Sequence[bytes]) -> bytes:
    total = group.IDENTITY
    for weight, point in zip(weights, points, strict=True):
        total = group.plus(total, group.times(weight, point))
    return total


def _challenge(*parts: bytes) -> bytes:
    return group.hash_to_scalar(b"".join(map(_prefixed, parts)) + b"Challenge", b"HashToScalar-" + CONTEXT)


def _prefixed(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


__all__ = ["LARGEST_BATCH", "PROOF_SIZE", "blind", "check", "derive_key", "evaluate", "finalise", "prove"]
