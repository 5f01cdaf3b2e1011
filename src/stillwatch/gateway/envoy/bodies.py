"""A request body as JSON, and back. What a model server would accept is accepted; what cannot be read is said.

>>> read_body(b'{"model": "m", "n": NaN}', "application/json")["model"]
'm'
>>> read_body(b"--x", "multipart/form-data; boundary=x")
{}
>>> read_body(b'{"model": ', "application/json")
Traceback (most recent call last):
...
stillwatch.gateway.envoy.bodies.UnreadableError: the body is not JSON
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson

MOST_VALUES = 2_000_000
"""Values in a body, by its commas and brackets: what makes a small body large in memory."""


class UnreadableError(ValueError):
    """The body cannot be read. Its words are ours and may be told."""


def read_body(body: bytes, media: str) -> Mapping[str, Any]:
    """The parsed body; empty for one that is no JSON and does not say so, or whose JSON is no object.

    What a client calls its body is its own claim, and some servers do not look at it: so whatever is JSON is read. One
    JSON library refuses what others take (NaN, lone surrogates, UTF-16), so the more generous one is asked as well.

    Raises:
        UnreadableError: when it says to be JSON, or says nothing, and is not; when it is nested or long beyond what can
            be handled.
    """
    media = media.partition(";")[0].strip().lower()
    declared = not media or media == "application/json" or media.endswith("+json")
    if body.count(b",") + body.count(b"[") + body.count(b"{") > MOST_VALUES and (
        declared or body.lstrip()[:1] == b"{"
    ):
        raise UnreadableError(f"the body holds more than {MOST_VALUES} values")
    try:
        found = orjson.loads(body)
    except ValueError:
        try:
            found = json.loads(body)
        except RecursionError as error:
            raise UnreadableError("the body is nested too deeply") from error
        except ValueError as error:
            if declared:
                raise UnreadableError("the body is not JSON") from error
            return {}
    return found if isinstance(found, dict) else {}


def write_body(body: Mapping[str, Any]) -> bytes:
    """A changed body as JSON.

    Raises:
        UnreadableError: when it is nested beyond what can be written.
    """
    try:
        return orjson.dumps(body)
    except TypeError:
        try:
            return json.dumps(body, separators=(",", ":")).encode()
        except RecursionError as error:
            raise UnreadableError("the body is nested too deeply") from error
