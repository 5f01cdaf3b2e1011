"""The turns of conversations, from the JSON of their messages, without a Python object for each.

Messages are *plain* when they are a list of flat objects whose values are texts or null, which is what chat clients
send. They are read here and mean exactly what orjson would make of them. Anything else, sound or not, is named in
`Turns.odd` and left to a reader that looks at it more closely: nothing is refused or mended here.

>>> texts = pa.array(['[{"role":"user","content":"a\\\\nb"},{"role":"assistant","content":"c"}]', None, '[{"role":1}]'])
>>> found = plain_turns(texts)
>>> found.texts.to_pylist(), found.counts.tolist(), found.odd.tolist()
(['a\\nb', 'c'], [2, 0, 0], [2])
"""

from __future__ import annotations

from dataclasses import dataclass

import numba as nb
import numpy as np
import pyarrow as pa

from stillwatch.detect.digest import string_buffers

U64 = np.uint64
_EACH, _TOPS = U64(0x0101010101010101), U64(0x8080808080808080)
"""Eight bytes that are 1, and eight of which only the top bit is set."""
USER, ASSISTANT, OTHER, LEFT_OUT = 0, 1, 2, 3
ROLES = {"user": USER, "assistant": ASSISTANT, "system": LEFT_OUT, "developer": LEFT_OUT}
"""What roles mean to a chain; any other is `OTHER`."""


@dataclass(frozen=True, slots=True)
class Turns:
    """Turns of some conversations end to end; those that are `LEFT_OUT` are."""

    texts: pa.Array
    """What was said."""
    roles: np.ndarray
    """uint8: whose turn it was."""
    counts: np.ndarray
    """int64[n]: turns of each conversation."""
    odd: np.ndarray
    """int64: which conversations are not plain, ascending; they have no turns here."""


def plain_turns(messages: pa.Array) -> Turns:
    """Turns of a string array of JSON texts, which are valid UTF-8; missing ones have none."""
    data, offsets, valid = string_buffers(messages)
    size = int(offsets[-1] - offsets[0])
    text = np.empty(size, np.uint8)
    ends, roles = np.zeros(size // 3 + 2, np.int64), np.empty(size // 3 + 1, np.uint8)
    counts, odd = np.zeros(len(valid), np.int64), np.zeros(len(valid), np.bool_)
    turns = _scan(data, offsets, valid, _NAMES, text, ends, roles, counts, odd)
    held = [None, pa.py_buffer(ends[: turns + 1]), pa.py_buffer(text[: ends[turns]])]
    texts = pa.Array.from_buffers(pa.large_string(), turns, held)
    return Turns(texts, roles[:turns], counts, np.flatnonzero(odd))


def _padded(word: str) -> list[int]:
    return [len(word), *word.encode().ljust(9, b"\0")]


_NAMES = np.array(
    [_padded(w) for w in ("user", "assistant", "system", "developer", "role", "content")], np.uint8
)
_USER, _ASSISTANT, _SYSTEM, _DEVELOPER, _ROLE, _CONTENT = range(6)
_UNESCAPED = np.zeros(256, np.uint8)
_UNESCAPED[list(b'"\\/bfnrt')] = list(b'"\\/\b\f\n\r\t')


@nb.njit(cache=True, nogil=True)
def _blank(data, i, end):  # type: ignore[no-untyped-def]  # numba infers
    """The first place from ``i`` on that is no white space of JSON."""
    while i < end and (data[i] == 32 or data[i] == 10 or data[i] == 13 or data[i] == 9):
        i += 1
    return i


@nb.njit(cache=True, nogil=True)
def _hex(data, i):  # type: ignore[no-untyped-def]  # numba infers
    """Value of four hexadecimal digits; -1 when they are none."""
    value = 0
    for at in range(i, i + 4):
        b = int(data[at])
        if 48 <= b <= 57:
            digit = b - 48
        elif 97 <= (b | 32) <= 102:
            digit = (b | 32) - 87
        else:
            return -1
        value = value * 16 + digit
    return value


@nb.njit(inline="always", cache=True)
def _zeros(m):  # type: ignore[no-untyped-def]  # numba infers
    """Not 0 when one of eight bytes is 0."""
    return (m - _EACH) & ~m & _TOPS


@nb.njit(inline="always", cache=True)
def _special(data, i, end):  # type: ignore[no-untyped-def]  # numba infers
    """The first place from ``i`` on, at most ``end``, of a quote, a backslash or a control character."""
    at, last = U64(i), U64(end)
    while at + U64(8) <= last:
        m = U64(0)
        for j in range(8):
            m |= U64(data[at + U64(j)]) << U64(8 * j)
        controls = (m - _EACH * U64(32)) & ~m & _TOPS
        if _zeros(m ^ (_EACH * U64(34))) | _zeros(m ^ (_EACH * U64(92))) | controls:
            break
        at += U64(8)
    while at < last and data[at] >= 32 and data[at] != 34 and data[at] != 92:
        at += U64(1)
    return np.int64(at)


@nb.njit(cache=True, nogil=True)
def _string(data, i, end, out, at):  # type: ignore[no-untyped-def]  # numba infers
    """Unescape the string whose first byte is at ``i`` into ``out`` from ``at`` on.

    Returns where both go on, the first behind the closing quote; -1 for what is no string or escapes a surrogate.
    """
    while i < end:
        stop = _special(data, i, end)
        for j in range(stop - i):
            out[U64(at + j)] = data[U64(i + j)]
        i, at = stop, at + stop - i
        if i >= end:
            break
        b = data[i]
        if b == 34:
            return i + 1, at
        if b < 32:
            return -1, at
        if i + 1 >= end:
            return -1, at
        b = data[i + 1]
        if _UNESCAPED[b] != 0:
            out[at] = _UNESCAPED[b]
            at += 1
            i += 2
            continue
        cp = _hex(data, i + 2) if b == 117 and i + 6 <= end else -1
        if cp < 0 or 0xD800 <= cp <= 0xDFFF:
            return -1, at
        if cp < 0x80:
            out[at] = cp
            at += 1
        elif cp < 0x800:
            out[at], out[at + 1] = 0xC0 | cp >> 6, 0x80 | cp & 63
            at += 2
        else:
            out[at], out[at + 1], out[at + 2] = 0xE0 | cp >> 12, 0x80 | cp >> 6 & 63, 0x80 | cp & 63
            at += 3
        i += 6
    return -1, at


@nb.njit(cache=True, nogil=True)
def _is(data, start, end, name):  # type: ignore[no-untyped-def]  # numba infers
    if end - start != name[0]:
        return False
    for j in range(end - start):
        if data[start + j] != name[1 + j]:
            return False
    return True


@nb.njit(cache=True, nogil=True)
def _object(data, i, end, names, out, at):  # type: ignore[no-untyped-def]  # numba infers
    """One message, from behind its brace. Returns where it ends (-1 when odd), the end of its text, and its role."""
    role, start = OTHER, at
    named = told = False
    i = _blank(data, i, end)
    if i < end and data[i] == 125:
        return i + 1, at, role
    while i < end and data[i] == 34:
        key = i + 1
        i, after = _string(data, key, end, out, at)
        if i < 0 or after - at != i - 1 - key:
            return -1, at, role
        is_role, is_content = _is(data, key, i - 1, names[_ROLE]), _is(data, key, i - 1, names[_CONTENT])
        if (is_role and named) or (is_content and told):
            return -1, at, role
        named, told = named or is_role, told or is_content
        i = _blank(data, i, end)
        if i >= end or data[i] != 58:
            return -1, at, role
        i = _blank(data, i + 1, end)
        if (
            i + 4 <= end
            and data[i] == 110
            and data[i + 1] == 117
            and data[i + 2] == 108
            and data[i + 3] == 108
        ):
            i += 4
        elif i < end and data[i] == 34:
            i, after = _string(data, i + 1, end, out, at)
            if i < 0:
                return -1, at, role
            if is_role:
                if _is(out, at, after, names[_USER]):
                    role = USER
                elif _is(out, at, after, names[_ASSISTANT]):
                    role = ASSISTANT
                elif _is(out, at, after, names[_SYSTEM]) or _is(out, at, after, names[_DEVELOPER]):
                    role = LEFT_OUT
            elif is_content:
                at = after
        else:
            return -1, at, role
        i = _blank(data, i, end)
        if i < end and data[i] == 125:
            return i + 1, start if role == LEFT_OUT else at, role
        if i >= end or data[i] != 44:
            return -1, at, role
        i = _blank(data, i + 1, end)
    return -1, at, role


@nb.njit(cache=True, nogil=True)
def _scan(data, offsets, valid, names, text, ends, roles, counts, odd):  # type: ignore[no-untyped-def]  # numba infers
    turns = 0
    for row in range(len(valid)):
        if not valid[row]:
            continue
        before = turns
        end = offsets[row + 1]
        i = _blank(data, offsets[row], end)
        sound = i < end and data[i] == 91
        i = _blank(data, i + 1, end)
        more = sound and not (i < end and data[i] == 93)
        while more:
            if i >= end or data[i] != 123:
                sound = False
                break
            i, at, role = _object(data, i + 1, end, names, text, ends[turns])
            if i < 0:
                sound = False
                break
            if role != LEFT_OUT:
                ends[turns + 1], roles[turns] = at, role
                turns += 1
            i = _blank(data, i, end)
            more = i < end and data[i] == 44
            if more:
                i = _blank(data, i + 1, end)
        if not sound or i >= end or data[i] != 93 or _blank(data, i + 1, end) != end:
            odd[row] = True
            turns = before
        counts[row] = turns - before
    return turns
