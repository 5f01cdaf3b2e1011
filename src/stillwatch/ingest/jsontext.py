"""JSON in and out: one record's bytes to a dict, a structure back to text.

>>> decode(b'{"a": 1}')
{'a': 1}
>>> decode(b'{"a": NaN}')
Refusal(reason='not valid JSON: NaN or Infinity is not a JSON number')
>>> decode(b'[1]')
Refusal(reason='not a JSON object')
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from stillwatch.ingest.refusal import Refusal

_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\.",
    re.DOTALL,
)
_NOT_A_NUMBER = re.compile(rb"[:\[,]\s*-?(?:NaN|Infinity)\s*[,}\]]")


def decode(data: bytes) -> dict[str, Any] | Refusal:
    """One JSON object, or why not. Half a surrogate pair becomes U+FFFD; a byte order mark is let pass."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        value = _second_look(data, str(error))
    if isinstance(value, (dict, Refusal)):
        return value
    return Refusal("not a JSON object")


def _second_look(data: bytes, complaint: str) -> Any:
    if _too_deep(complaint):
        return Refusal("not valid JSON: nested too deeply")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return Refusal("not valid UTF-8")
    try:
        return orjson.loads(_ESCAPE.sub(_mend, data.removeprefix(b"\xef\xbb\xbf")))
    except orjson.JSONDecodeError as error:
        if _too_deep(str(error)):
            return Refusal("not valid JSON: nested too deeply")
    if _NOT_A_NUMBER.search(data):
        return Refusal("not valid JSON: NaN or Infinity is not a JSON number")
    return Refusal("not valid JSON")


def _too_deep(complaint: str) -> bool:
    return "ecursion" in complaint or "depth" in complaint


def _mend(match: re.Match[bytes]) -> bytes:
    found = match.group()
    return b"\\ufffd" if len(found) == 6 else found


def parsed(value: Any) -> Any:
    """A JSON text as the structure it holds; anything else, and text that is not JSON, as it is.

    >>> parsed('[1]'), parsed('plain'), parsed({'a': 1})
    ([1], 'plain', {'a': 1})
    """
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return orjson.loads(value)
        except (orjson.JSONDecodeError, UnicodeEncodeError):
            return value
    return value


def as_object(value: Any) -> dict[str, Any]:
    """The dict that a value is, or holds as JSON text; otherwise an empty one."""
    value = parsed(value)
    return value if isinstance(value, dict) else {}


def dump(value: Any) -> str | None:
    """A structure as compact JSON text; text stays as it is; None when it cannot be written.

    >>> dump([{"role": "user"}]), dump("[]"), dump(None)
    ('[{"role":"user"}]', '[]', None)
    """
    if value is None or isinstance(value, str):
        return value
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS, default=str).decode()
    except (orjson.JSONEncodeError, UnicodeEncodeError):
        pass
    try:
        return json.dumps(value, default=str, separators=(",", ":"))
    except (ValueError, TypeError, RecursionError):
        return None
