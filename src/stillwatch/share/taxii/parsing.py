"""JSON from strangers, within bounds: no duplicate keys, no NaN, no number that another reader would read otherwise.

What passes has one canonical form (RFC 8785), so that two who compare bytes compare meaning.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NoReturn

MOST_DEPTH = 24
_SAFE = 2**53 - 1
"""Beyond it a reader whose numbers are doubles reads another number."""


def parse(body: bytes) -> Any:
    """The value that a body holds.

    Raises:
        ValueError: it is not JSON, or is out of bounds; what is wrong, never what it said.

    >>> parse(b'{"a": [1]}')
    {'a': [1]}
    >>> parse(b'{"a": 1, "a": 2}')
    Traceback (most recent call last):
    ...
    ValueError: a key stands twice in one object
    """
    try:
        found = json.loads(
            body.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant, parse_int=_whole,
            parse_float=_float,
        )  # fmt: skip
    except RecursionError:
        raise ValueError(f"nested deeper than {MOST_DEPTH} levels") from None
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except json.JSONDecodeError:
        raise ValueError("not JSON") from None
    _shallow(found)
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _no_constant(_name: str) -> NoReturn:
    raise ValueError("NaN and infinities are not JSON")


def _whole(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > _SAFE:
        raise ValueError("a whole number beyond 2^53")
    return int(text)


def _float(text: str) -> float:
    found = float(text)
    if found in (float("inf"), float("-inf")):
        raise ValueError("a number that no double holds")
    return found


def _shallow(value: Any) -> None:
    todo = [(value, 1)]
    while todo:
        inner, depth = todo.pop()
        if depth > MOST_DEPTH:
            raise ValueError(f"nested deeper than {MOST_DEPTH} levels")
        todo.extend((below, depth + 1) for below in _below(inner))


def _below(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from (v for v in value.values() if isinstance(v, dict | list))
    elif isinstance(value, list):
        yield from (v for v in value if isinstance(v, dict | list))


__all__ = ["MOST_DEPTH", "parse"]
