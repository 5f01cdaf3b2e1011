"""Text that came from outside, made fit to be looked at.

Account ids, model names, header values and prompts are written by whoever calls the API, so also by people
who would like to steer the reader: with markup, with terminal escapes, with letters that turn the line
around or that cannot be seen. Nothing is dropped in silence: what cannot be shown as itself is shown as its
code point.

Limits: letters of different scripts that look alike are not told apart; compare ids by copy, not by eye.

References: Unicode Technical Report 36 (security considerations); Boucher and Anderson, Trojan Source (2021).
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

from markupsafe import Markup

LIMIT = 240
"""Characters of one outside string that are shown unless the caller says otherwise."""

_INVISIBLE = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_STACKED = re.compile(
    r"([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{3})"
    r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)
_SUSPECT = re.compile(r"[^\x20-\x7e]")


class Shown(str):
    """A string that has been through :func:`shown`, or that we wrote ourselves. Still escaped in HTML."""

    __slots__ = ()


def _visible(char: str) -> str:
    if char in "\n\t\r":
        return " "
    point = ord(char)
    selector = 0xFE00 <= point <= 0xFE0F or 0xE0100 <= point <= 0xE01EF
    if (
        selector
        or char in _INVISIBLE
        or unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    ):
        return f"\u27e8U+{point:04X}\u27e9"
    return char


def shown(text: object, limit: int = LIMIT) -> Shown:
    """Return ``text`` with control, bidi and invisible characters spelled out, cut to ``limit`` characters.

    Args:
        text: anything; its ``str`` is taken.
        limit: most characters of the original to keep; an ellipsis says that more followed.

    Example:
        >>> shown("a\\u202eb\\x00\\x1b[31m")
        'a⟨U+202E⟩b⟨U+0000⟩⟨U+001B⟩[31m'
        >>> shown("x" * 9, limit=4)
        'xxxx…'
    """
    if isinstance(text, Shown):
        return text
    raw = str(text)
    cut = raw[:limit]
    if _SUSPECT.search(cut):
        cut = _STACKED.sub(r"\1", "".join(map(_visible, cut)))
    return Shown(cut + "…" if len(raw) > limit else cut)


def finalize(value: object) -> object:
    """Jinja's last step before escaping: no outside string reaches the page unseen, even if a template
    forgets.

    Example:
        >>> finalize("a\\u202eb")
        'a⟨U+202E⟩b'
    """
    if value is None:
        return ""
    if isinstance(value, Markup | Shown) or not isinstance(value, str):
        return value
    return shown(value)


def script_json(value: Any) -> Markup:
    """Return JSON that may stand inside ``<script type="application/json">``.

    Example:
        >>> print(script_json({"a": "</script>"}))
        {"a":"\\u003c/script\\u003e"}
    """
    text = json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    # ensure_ascii has already written U+2028 and U+2029 as escapes
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))  # noqa: S704


def well_formed(text: str) -> str:
    """Return ``text`` with lone surrogates replaced, so that it can be written as UTF-8.

    Example:
        >>> well_formed("a\\ud800")
        'a?'
    """
    return text.encode("utf-8", "replace").decode("utf-8")
