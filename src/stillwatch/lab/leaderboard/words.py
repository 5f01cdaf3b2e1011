"""Text that detectors and scenario files bring along, made fit for a page and for a drawing.

Detectors name themselves, so also those that would like to steer the reader: with letters that turn a line around,
hide, or pile up over the lines beside them. The page and its drawings both go through `shown`.
"""

from __future__ import annotations

import re
import unicodedata

_ODD = re.compile(r"[^\x20-\x7e]")
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
MARKS = 2
"""Combining marks kept on one letter: real languages need no more, and more reach into other lines."""


def shown(text: str) -> str:
    """The text with control, zero-width, bidi and other unseen characters replaced; breaks become blanks.

    >>> shown("a\\u202eb\\u200bc\\nd")
    'a\\ufffdb\\ufffdc d'
    """
    if not _ODD.search(text):
        return text
    out: list[str] = []
    marks = 0
    for char in text:
        marks = marks + 1 if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me") else 0
        if marks <= MARKS:
            out.append(_one(char))
    return "".join(out)


def short(text: str, columns: int) -> str:
    """At most so many columns of `shown` text, an ellipsis in the middle; both ends of a long name tell it apart.

    Wide letters take two columns.

    >>> short("ladder_L0", 12), short("a" * 20 + "z", 9)
    ('ladder_L0', 'aaaa…aaaz')
    """
    whole = shown(text)
    if sum(map(_columns, whole)) <= columns:
        return whole
    head = _fitting(whole, columns // 2)
    tail = _fitting(whole[::-1], columns - 1 - columns // 2)[::-1]
    return f"{head}…{tail.lstrip()}"


def _one(char: str) -> str:
    if char in "\t\n\r":
        return " "
    unseen = char in _BLANK or unicodedata.category(char) in _UNSEEN
    selector = "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"
    return "\ufffd" if unseen or selector else char


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def _fitting(text: str, columns: int) -> str:
    used = 0
    for i, char in enumerate(text):
        used += _columns(char)
        if used > columns:
            return text[:i]
    return text


__all__ = ["MARKS", "short", "shown"]
