"""Challenges for step-up verification: signed, short-lived, bound to one account and level.

The gateway gives a challenge to the customer; the operator's own flow checks the person and hands the challenge
back. It names the account, so that the flow need not be told twice, and cannot be moved to another.

Examples
--------
>>> key = b"0" * 32
>>> made = make("acct-1", "card", key, now=0.0)
>>> check(made, key, now=10.0)
('acct-1', 'card')
>>> check(made, key, now=1e9)
Traceback (most recent call last):
...
stillwatch.errors.VerificationError: the challenge has expired
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b, sha256

from stillwatch.errors import VerificationError

VALID_S = 24 * 3600.0
_HINT = "let the customer ask again: the next answer carries a new challenge"


def derive_key(secret: bytes) -> bytes:
    """The challenge key that belongs to a secret of the operator."""
    return blake2b(secret, digest_size=32, person=b"sw-challenge-1").digest()


def make(account_id: str, level: str, key: bytes, now: float) -> str:
    """A challenge that asks an account for a level of verification."""
    account = urlsafe_b64encode(account_id.encode("utf-8", "surrogatepass")).decode().rstrip("=")
    head = f"swc1.{account}.{level}.{int(now + VALID_S):x}"
    return f"{head}.{_tag(head, key)}"


def check(challenge: str, key: bytes, now: float) -> tuple[str, str]:
    """The account and level of a challenge.

    Raises
    ------
    VerificationError
        It is no challenge, was changed, or has expired.
    """
    head, _, tag = challenge.rpartition(".")
    parts = head.split(".")
    if len(parts) != 4 or parts[0] != "swc1":
        raise VerificationError("not a challenge", hint=_HINT)
    if not hmac.compare_digest(tag.encode("utf-8", "replace"), _tag(head, key).encode()):
        raise VerificationError("the challenge's seal does not hold", hint=_HINT)
    if int(parts[3], 16) < now:
        raise VerificationError("the challenge has expired", hint=_HINT)
    padded = parts[1] + "=" * (-len(parts[1]) % 4)
    return urlsafe_b64decode(padded).decode("utf-8", "surrogatepass"), parts[2]


def _tag(head: str, key: bytes) -> str:
    return hmac.new(key, head.encode("utf-8", "replace"), sha256).hexdigest()[:32]
