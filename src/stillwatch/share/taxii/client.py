"""A TAXII 2.1 client that trusts no server.

Addresses that a server names are followed only on the host that was configured, redirects not at all: a token goes
nowhere else. Bodies are bounded while they come and while they are unpacked, read with the bounds that our own server
has, and a server that gives the same page for ever is left. Which page was read last is told after each page, so that
a pull goes on where it ended.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import httpx

from stillwatch.errors import ConfigError, UpstreamError
from stillwatch.share.taxii.media import TAXII, accepted
from stillwatch.share.taxii.parsing import parse

MOST_BYTES = 64 * 2**20
MOST_PAGES = 100_000
_PIECE = 2**20
_LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Page:
    """Objects of one page, and from where the next pull may begin."""

    objects: tuple[dict[str, Any], ...]
    added_last: str
    """Time of adding of the last of them, or empty."""
    more: bool


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of what was sent."""

    taken: int = 0
    pending: int = 0
    failures: tuple[tuple[str, str], ...] = ()
    """Id and the server's reason, cut short."""


@dataclass(slots=True)
class Client:
    """One server, one token.

    Args:
        http: a client without cookies, redirects and proxies of its own; it is closed by whoever made it.
        root: address of an API root.
    """

    http: httpx.Client
    root: str
    token: str = field(repr=False)
    name: str = ""
    """Member's name: then the token is sent as Basic."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.root)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
            raise ConfigError(
                "the server's address is not https", hint="https://HOST/ROOT/; http only to this machine"
            )
        if parts.username or parts.query or parts.fragment or not parts.hostname:
            raise ConfigError(
                "the server's address cannot be used", hint="https://HOST/ROOT/, and nothing else in it"
            )
        self.root = self.root.rstrip("/") + "/"

    def collections(self) -> list[dict[str, Any]]:
        """What the root offers to us."""
        found = self._get("collections/", {})[0].get("collections", [])
        if not isinstance(found, list) or not all(isinstance(c, dict) for c in found):
            raise _odd("its collections are no list")
        return found

    def pages(
        self, collection: str, *, added_after: str = "", limit: int = 500, **match: str
    ) -> Iterator[Page]:
        """Every page after a time of adding.

        Raises:
            UpstreamError: the server cannot be reached, refuses, or says something that cannot be.
        """
        path = f"collections/{quote(collection, safe='')}/objects/"
        params = {"limit": str(limit)} | {f"match[{k}]": v for k, v in match.items()}
        if added_after:
            params["added_after"] = added_after
        cursors: set[str] = set()
        for _ in range(MOST_PAGES):
            body, headers = self._get(path, params)
            found = body.get("objects", [])
            if not isinstance(found, list) or not all(isinstance(o, dict) for o in found):
                raise _odd("its objects are no list")
            last, more = headers.get("x-taxii-date-added-last", ""), body.get("more") is True
            yield Page(tuple(found), last, more)
            if not more:
                return
            step = body.get("next") or last
            if not isinstance(step, str) or not step or step in cursors:
                raise _odd("it says that there is more, and not where")
            cursors.add(step)
            params["next" if body.get("next") else "added_after"] = step
        raise _odd(f"more than {MOST_PAGES} pages")

    def push(self, collection: str, objects: Sequence[Mapping[str, Any]]) -> Pushed:
        """Send objects; what became of each. A server that is still at it is said to be: `pending`."""
        body = json.dumps({"objects": list(objects)}, ensure_ascii=False).encode()
        path = f"collections/{quote(collection, safe='')}/objects/"
        told, _ = self._asked("POST", path, {}, body)
        if told.get("status") == "pending" and isinstance(told.get("id"), str):
            told, _ = self._get(f"status/{quote(told['id'], safe='')}/", {})
        counts = [told.get(f"{kind}_count") for kind in ("success", "pending")]
        failures = told.get("failures", [])
        if not all(isinstance(n, int) for n in counts) or not isinstance(failures, list):
            raise _odd("its status cannot be read")
        rows = tuple(
            (str(f.get("id", ""))[:120], str(f.get("message", ""))[:200])
            for f in failures
            if isinstance(f, dict)
        )
        return Pushed(int(counts[0] or 0), int(counts[1] or 0), rows)

    def _get(self, path: str, params: Mapping[str, str]) -> tuple[dict[str, Any], httpx.Headers]:
        return self._asked("GET", path, params, None)

    def _asked(
        self, method: str, path: str, params: Mapping[str, str], body: bytes | None
    ) -> tuple[dict[str, Any], httpx.Headers]:
        url = urljoin(self.root, path)
        if _origin(url) != _origin(self.root):
            raise ConfigError("a collection's id leads elsewhere", hint="take it from the server's list")
        headers = {"accept": TAXII, "accept-encoding": "gzip", "user-agent": "stillwatch"}
        headers |= {"content-type": TAXII} if body else {}
        auth = httpx.BasicAuth(self.name, self.token) if self.name else None
        if auth is None:
            headers["authorization"] = f"Bearer {self.token}"
        try:
            with self.http.stream(
                method,
                url,
                params=dict(params),
                content=body,
                headers=headers,
                auth=auth,
                follow_redirects=False,
            ) as got:
                raw = _bounded(got)
        except httpx.HTTPError as error:
            raise UpstreamError(
                f"{urlsplit(self.root).hostname} cannot be reached ({type(error).__name__})",
                hint="look at the address and at the server; what was read so far is kept",
            ) from None
        if got.status_code not in (200, 202):
            raise UpstreamError(f"the server answered {got.status_code}", hint=_advice(got.status_code))
        if not accepted(got.headers.get("content-type", "none/none")):
            raise _odd("it does not answer in TAXII 2.1")
        try:
            found = parse(raw)
        except ValueError as error:
            raise _odd(str(error)) from None
        if not isinstance(found, dict):
            raise _odd("it answers with no object")
        return found, got.headers


def _bounded(got: httpx.Response) -> bytes:
    """A body that is not longer than it may be, unpacked or not."""
    pieces, size = [], 0
    for piece in _unpacked(got):
        size += len(piece)
        if size > MOST_BYTES:
            raise _odd(f"it sends more than {MOST_BYTES} bytes at a time")
        pieces.append(piece)
    return b"".join(pieces)


def _unpacked(got: httpx.Response) -> Iterator[bytes]:
    """The pieces of a body. They are unpacked here: what a few bytes unpack to may fill the memory in one piece."""
    packed = got.headers.get("content-encoding", "").strip().lower()
    if packed in ("", "identity"):
        yield from got.iter_bytes()
        return
    if packed != "gzip":
        raise _odd("it packs in a way that it was not asked for")
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        for piece in got.iter_raw():
            while piece:
                yield unpack.decompress(piece, _PIECE)
                piece = unpack.unconsumed_tail
    except zlib.error:
        raise _odd("it cannot be unpacked") from None
    if not unpack.eof:
        raise _odd("it ends before it is whole")


def _origin(url: str) -> tuple[str | None, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _odd(what: str) -> UpstreamError:
    return UpstreamError(f"the server's answer cannot be used: {what}", hint="tell whoever runs it")


def _advice(status: int) -> str:
    return {
        301: "it points elsewhere: give the address that it points to, if you trust it",
        302: "it points elsewhere: give the address that it points to, if you trust it",
        401: "the token is not, or no longer, one of its members'",
        403: "the member may not do this in that collection",
        404: "there is no such root or collection for this member: `stillwatch share pull --list`",
        413: "send fewer objects at a time",
    }.get(status, "try again later, or ask whoever runs it")


__all__ = ["Client", "Page", "Pushed"]
