"""The second factor: six digits that change every half minute (RFC 6238), each good once."""

from __future__ import annotations

import io
from datetime import datetime

import pyotp
import segno
from markupsafe import Markup

STEP_S = 30
_DRIFT = 1
"""Steps that a clock may be off, on either side."""


def new_secret() -> str:
    """160 random bits, in base 32."""
    return pyotp.random_base32(32)


def step_of(secret: str, code: str, now: datetime, *, after: int = 0) -> int | None:
    """The time step that ``code`` belongs to, or None when it is wrong or was used before.

    Args:
        secret: as made by :func:`new_secret`. code: what was typed. now: the time. after: the step used last; only
        later ones count, so that a code read over a shoulder is worth nothing.

    Example:
        >>> from datetime import UTC
        >>> now = datetime(2026, 10, 1, tzinfo=UTC)
        >>> code = pyotp.TOTP("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP").at(now)
        >>> used = step_of("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", code, now)
        >>> used == int(now.timestamp()) // 30, step_of("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", code, now, after=used)
        (True, None)
    """
    typed = code.replace(" ", "")
    if len(typed) != 6 or not (typed.isascii() and typed.isdecimal()):
        return None
    one, current = pyotp.TOTP(secret, interval=STEP_S), int(now.timestamp()) // STEP_S
    for step in range(current - _DRIFT, current + _DRIFT + 1):
        if step > after and pyotp.utils.strings_equal(one.generate_otp(step), typed):
            return step
    return None


def address(secret: str, name: str) -> str:
    """The ``otpauth`` address that an authenticator app reads."""
    return pyotp.TOTP(secret, interval=STEP_S).provisioning_uri(name=name, issuer_name="stillwatch")


def picture(secret: str, name: str) -> Markup:
    """The address as a QR code: an SVG element without script or style."""
    out = io.BytesIO()
    segno.make(address(secret, name), error="m").save(
        out,
        kind="svg",
        scale=5,
        border=3,
        xmldecl=False,
        svgclass="qr",
        lineclass=None,
        dark="#000",
        light="#fff",
    )
    return Markup(out.getvalue().decode("utf-8"))  # noqa: S704  our own drawing of our own address
