"""Bodies within bounds of size and time, and JSON as every server behind may read it.

What is refused here is refused with the status and the words of `Refused`; nothing of a body is quoted.

Examples
--------
>>> parsed(b'{"model": "m"}')
{'model': 'm'}
>>> parsed('{"n": NaN}'.encode("utf-16"))
{'n': nan}
>>> parsed(b'[' * 100_000)
Traceback (most recent call last):
...
stillwatch.gateway.body.Refused: the body is not a JSON object that can be read
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import orjson

from stillwatch.gateway.told import Told, error
from stillwatch.receive.budget import Budget

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
MOST_VALUES = 2_000_000
"""Values in a JSON body, by its commas and brackets: what makes small bodies large in memory."""
_OVERHEAD = 1024
"""Bytes that a request is counted with beside its body."""


class Refused(Exception):
    """A request that goes no further: status and words for whoever sent it."""

    def __init__(self, status: int, message: str, *, retry_after_s: int = 0, code: str = "") -> None:
        super().__init__(message)
        self.status, self.message, self.retry_after_s, self.code = status, message, retry_after_s, code

    def told(self) -> Told:
        """The answer."""
        wait = {"retry-after": str(self.retry_after_s)} if self.retry_after_s else {}
        return error(self.status, self.message, wait, code=self.code)


class Gone(Exception):
    """The client went away before its body had arrived."""


class Held:
    """A body that was read, and the part of the budget that it takes until `free` is called."""

    def __init__(self, budget: Budget) -> None:
        self._budget, self._size = budget, 0
        self.pieces: list[bytes] = []

    def take(self, size: int) -> None:
        if not self._budget.take(size):
            raise Refused(429, "too much is waiting here: send it again later", retry_after_s=2)
        self._size += size

    def free(self) -> None:
        """Let go of the budget; more than once does no harm."""
        self._budget.give(self._size)
        self._size = 0

    @property
    def raw(self) -> bytes:
        """The whole body."""
        if len(self.pieces) != 1:
            self.pieces = [b"".join(self.pieces)]
        return self.pieces[0]


async def read(receive: Receive, declared: bytes, held: Held, *, most: int, timeout_s: float) -> None:
    """Read a whole body into ``held``.

    Raises `Refused` when it is too long (413), too slow (408) or does not fit (429), `Gone` when the client is.
    """
    too_long = Refused(413, f"the body is longer than {most} bytes: send less at once")
    if declared.isdigit() and int(declared[:20]) > most:
        raise too_long
    held.take(_OVERHEAD)
    size = 0
    try:
        async with asyncio.timeout(timeout_s):
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Gone
                piece = message.get("body", b"")
                more = message.get("more_body", False)
                size += len(piece)
                if size > most:
                    raise too_long
                held.take(len(piece))
                if piece:
                    held.pieces.append(bytes(piece))
    except TimeoutError:
        raise Refused(408, f"the request did not arrive whole within {timeout_s:g} s") from None


def parsed(raw: bytes) -> dict[str, Any]:
    """The JSON object of a body.

    Read leniently where servers are lenient (UTF-16, a byte-order mark, ``NaN``, lone surrogates): what the server
    behind can read must not pass here unread.

    Raises `Refused`: 400 for what is no JSON object, 413 for one of too many values.
    """
    if raw.count(b",") + raw.count(b"[") + raw.count(b"{") > MOST_VALUES:
        raise Refused(413, f"the body holds more than {MOST_VALUES} values: send less at once")
    try:
        found = orjson.loads(raw)
    except ValueError:
        try:
            found = json.loads(raw)
        except (ValueError, RecursionError):
            found = None
    if not isinstance(found, dict):
        raise Refused(400, "the body is not a JSON object that can be read")
    return found


def understood(raw: bytes, media: str, *, call: bool) -> dict[str, Any] | None:
    """The JSON object of a request; None for a body that is none and need not be.

    What a client calls its body is its own claim, and some servers do not look at it: so whatever is JSON is read. The
    body of a ``call`` of a model API must be an object; another must be JSON where it says so.

    >>> understood(b"--x", "multipart/form-data; boundary=x", call=False)
    >>> understood(b'{"n": 4}', "text/plain", call=False)
    {'n': 4}

    Raises `Refused`, as `parsed` does.
    """
    if not raw and not call:
        return None
    try:
        return parsed(raw)
    except Refused as refused:
        if call or refused.status != 400:
            raise
        media = media.partition(";")[0].strip().lower()
        if media == "application/json" or media.endswith("+json"):
            raise
        return None


def dumped(body: Mapping[str, Any]) -> bytes:
    """A body as JSON again; what the quick way refuses goes the long way."""
    try:
        return orjson.dumps(body)
    except TypeError:
        try:
            return json.dumps(body).encode()
        except RecursionError:
            raise Refused(400, "the body is nested too deeply to be changed") from None
