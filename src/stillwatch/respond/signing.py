"""Signatures of what is sent to a webhook, and the check that a receiver makes.

``Stillwatch-Signature: t=SECONDS,v1=HEX`` is HMAC-SHA256 under the shared secret over ``SECONDS.BODY``. The time is in
it, so that an old message cannot be sent again later; ``Idempotency-Key`` lets the receiver act once.

Examples
--------
>>> header = sign(b"secret", b"{}", 1_700_000_000)
>>> header[:24]
't=1700000000,v1=b8569b78'
>>> check(b"secret", b"{}", header, 1_700_000_100)
>>> check(b"secret", b"{ }", header, 1_700_000_100)
Traceback (most recent call last):
...
stillwatch.errors.VerificationError: the signature does not fit the body
"""

from __future__ import annotations

import hashlib
import hmac
import re

from stillwatch.errors import VerificationError

HEADER = "Stillwatch-Signature"
TOLERANCE_S = 300.0
_FORM = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})")


def sign(secret: bytes, body: bytes, at_s: float) -> str:
    """The header for a body."""
    at = int(at_s)
    return f"t={at},v1={_mac(secret, body, at)}"


def check(secret: bytes, body: bytes, header: str, now_s: float, *, tolerance_s: float = TOLERANCE_S) -> None:
    """Raise unless the body was signed with the secret within the tolerance.

    Raises
    ------
    VerificationError
        It was not.
    """
    found = _FORM.fullmatch(header)
    if found is None:
        raise VerificationError("the signature cannot be read", hint=f"it stands in the header {HEADER}")
    if not hmac.compare_digest(_mac(secret, body, int(found[1])), found[2]):
        raise VerificationError(
            "the signature does not fit the body", hint="compare the secrets on both sides"
        )
    if abs(now_s - int(found[1])) > tolerance_s:
        raise VerificationError("the signature is too old, or from the future", hint="compare the clocks")


def _mac(secret: bytes, body: bytes, at: int) -> str:
    return hmac.new(secret, f"{at}.".encode() + body, hashlib.sha256).hexdigest()
