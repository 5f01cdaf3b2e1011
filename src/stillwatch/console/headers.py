"""What surrounds every answer: a strict content policy, a known host, a bounded body, and no foreign form.

The content policy allows files of this server alone: no inline script, no inline style, no frame around or inside. A
request that changes something must come from a page of ours: browsers say where it comes from (``Sec-Fetch-Site``,
``Origin``), and a request that says neither and carries our cookie is refused as well. The token in each form
(:mod:`stillwatch.console.signin.sessions`) is the second lock on the same door.

References: CSP Level 3; Fetch metadata request headers (W3C); OWASP ASVS 5, chapter 3.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'",
        "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'", "object-src 'none'",
    )
)  # fmt: skip
# "no-referrer" would make browsers send "Origin: null" with forms of our own
ALWAYS = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_STATIC = "/static/"
_A_WEEK = "public, max-age=604800, immutable"


class Surrounds:
    """ASGI middleware around the whole console.

    Args:
        app: the console.
        hosts: names under which it may be asked; anything else is refused, so that no foreign name can be made to
            point here. Empty = any (behind a proxy that checks it).
        secure: the console is reached over HTTPS.
        most_bytes: longest body.
    """

    def __init__(self, app: ASGIApp, *, hosts: Collection[str], secure: bool, most_bytes: int) -> None:
        self._app, self._secure, self._most = app, secure, most_bytes
        self._hosts = frozenset(h.lower() for h in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        sending = self._sending(scope, send)
        denied = self._denied(scope["method"], headers)
        if denied:
            await PlainTextResponse(denied[1] + "\n", status_code=denied[0])(scope, receive, sending)
            return
        await self._app(scope, _bounded(receive, self._most), sending)

    def _denied(self, method: str, headers: Headers) -> tuple[int, str] | None:
        host = headers.get("host", "").lower()
        if self._hosts and _name(host) not in self._hosts:
            return 421, "this server does not answer to that name"
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._most:
            return 413, f"the body is longer than {self._most} bytes"
        if method not in _SAFE and _foreign(headers, host):
            return 403, "this request comes from another site"
        return None

    def _sending(self, scope: Scope, send: Send) -> Send:
        static = scope["path"].startswith(_STATIC)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in ALWAYS.items():
                    headers.setdefault(name, value)
                if self._secure:
                    headers.setdefault("strict-transport-security", "max-age=31536000")
                known = static and message["status"] == 200
                headers.setdefault("cache-control", _A_WEEK if known else "no-store")
            await send(message)

        return sending


def _name(host: str) -> str:
    """The host without its port.

    >>> _name("[::1]:8080"), _name("console.example:443")
    ('[::1]', 'console.example')
    """
    return host.rpartition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]


def _foreign(headers: Headers, host: str) -> bool:
    """Whether a changing request comes from elsewhere, as far as it says; without a cookie it is a program's."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site not in {"same-origin", "none"}:
        return True
    if origin is not None:
        return urlsplit(origin).netloc.lower() != host
    return site is None and "cookie" in headers and "authorization" not in headers


class TooLong(Exception):
    """A body without a length that went on for too long."""


def _bounded(receive: Receive, most: int) -> Receive:
    taken = 0

    async def bounded() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > most:
            raise TooLong
        return message

    return bounded
