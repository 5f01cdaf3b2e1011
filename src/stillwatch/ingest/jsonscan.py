"""The compiled part of `stillwatch.ingest.plainjson`: where each field's value stands in a line of JSON.

The grammar is a strict part of JSON's. Numbers have no exponent and at most 24 characters, whole ones at most 18;
texts are UTF-8 with sound escapes; no name comes twice or holds an escape. Whatever else a line holds makes it
"not plain", which is no judgement: it is then read the long way.
"""

from __future__ import annotations

import numba as nb
import numpy as np

TEXT, WHOLE, REAL, BOOL, TIME, MAP, LIST, ANY = range(8)
"""What a field takes; `ANY` stands for the names that the schema does not know."""
FOUND, ESCAPED = 1, 2
"""States of a value: there; there, and a text with escapes. 0 is missing or null."""
_MOST_FIELDS = 64
_SLOTS = 256
_LONGEST_NUMBER, _LONGEST_WHOLE = 24, 18
_QUOTE, _BACKSLASH, _COMMA, _COLON, _MINUS, _DOT = 34, 92, 44, 58, 45, 46
_OPEN, _CLOSE, _OPEN_LIST, _CLOSE_LIST = 123, 125, 91, 93
_FNV, _SEED = np.uint64(0x100000001B3), np.uint64(0xCBF29CE484222325)
_ORDINARY = np.ones(256, np.bool_)
_ORDINARY[:32] = _ORDINARY[128:] = False
_ORDINARY[[_QUOTE, _BACKSLASH]] = False
_PLAIN_ESCAPE = np.zeros(256, np.uint8)
"""What the letter behind a backslash stands for; 0 where it is none of JSON's."""
for _letter, _meant in zip(b'"\\/bfnrt', b'"\\/\b\f\n\r\t', strict=True):
    _PLAIN_ESCAPE[_letter] = _meant
_DAYS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


@nb.njit(cache=True, nogil=True)
def _slot(data, begin, end):  # type: ignore[no-untyped-def]  # numba infers
    h = _SEED
    for i in range(begin, end):
        h = (h ^ np.uint64(data[i])) * _FNV
    return np.int64((h ^ (h >> np.uint64(29))) & np.uint64(_SLOTS - 1))


@nb.njit(cache=True, nogil=True)
def _fill(names, ends, table):  # type: ignore[no-untyped-def]  # numba infers
    begin = 0
    for field in range(ends.shape[0]):
        at = _slot(names, begin, ends[field])
        while table[at] >= 0:
            at = (at + 1) % _SLOTS
        table[at] = field
        begin = ends[field]


def name_table(names: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Open-addressed hash table from a name's bytes to its field; -1 is empty."""
    if len(ends) > _MOST_FIELDS:
        raise ValueError(f"more than {_MOST_FIELDS} fields")
    table = np.full(_SLOTS, -1, np.int64)
    _fill(names, ends, table)
    return table


@nb.njit(cache=True, nogil=True)
def _field_of(data, begin, end, names, ends, table):  # type: ignore[no-untyped-def]  # numba infers
    at = _slot(data, begin, end)
    while table[at] >= 0:
        field = table[at]
        first = ends[field - 1] if field else np.int64(0)
        if ends[field] - first == end - begin:
            same = True
            for i in range(end - begin):
                if names[first + i] != data[begin + i]:
                    same = False
                    break
            if same:
                return field
        at = (at + 1) % _SLOTS
    return ends.shape[0]


@nb.njit(cache=True, nogil=True)
def _hex4(data, i, end):  # type: ignore[no-untyped-def]  # numba infers
    """The number that four hexadecimal digits at ``i`` make; -1 when they are none."""
    if i + 4 > end:
        return np.int64(-1)
    value = np.int64(0)
    for j in range(i, i + 4):
        c = np.int64(data[j])
        if 48 <= c <= 57:
            c -= 48
        elif 65 <= c <= 70:
            c -= 55
        elif 97 <= c <= 102:
            c -= 87
        else:
            return np.int64(-1)
        value = value * 16 + c
    return value


@nb.njit(cache=True, nogil=True)
def _width(data, i, end):  # type: ignore[no-untyped-def]  # numba infers
    """Bytes of the UTF-8 character that begins at ``i``, above ASCII; 0 when it is none."""
    c = data[i]
    if c < 0xC2 or c > 0xF4:
        return 0
    n = 2 if c < 0xE0 else 3 if c < 0xF0 else 4
    if i + n > end:
        return 0
    low, high = 0x80, 0xBF
    if c == 0xE0:
        low = 0xA0
    elif c == 0xED:
        high = 0x9F
    elif c == 0xF0:
        low = 0x90
    elif c == 0xF4:
        high = 0x8F
    if data[i + 1] < low or data[i + 1] > high:
        return 0
    for j in range(i + 2, i + n):
        if data[j] & 0xC0 != 0x80:
            return 0
    return n


@nb.njit(cache=True, nogil=True)
def _escape(data, i, end):  # type: ignore[no-untyped-def]  # numba infers
    """Bytes of the escape that begins at ``i``; 0 when it is none, or half a surrogate pair."""
    if i + 2 > end:
        return 0
    if _PLAIN_ESCAPE[data[i + 1]]:
        return 2
    if data[i + 1] != 117:
        return 0
    code = _hex4(data, i + 2, end)
    if code < 0 or 0xDC00 <= code <= 0xDFFF:
        return 0
    if code < 0xD800 or code > 0xDFFF:
        return 6
    if i + 12 > end or data[i + 6] != _BACKSLASH or data[i + 7] != 117:
        return 0
    return 12 if 0xDC00 <= _hex4(data, i + 8, end) <= 0xDFFF else 0


@nb.njit(cache=True, nogil=True)
def _text(data, i, end):  # type: ignore[no-untyped-def]  # numba infers
    """Where the text that begins at ``i``, behind its quote, has its closing quote; -1 when it is not plain."""
    state = FOUND
    while i < end:
        c = data[i]
        if _ORDINARY[c]:
            i += 1
            continue
        if c == _QUOTE:
            return i, state
        if c == _BACKSLASH:
            state = ESCAPED
            step = _escape(data, i, end)
        else:
            step = _width(data, i, end) if c >= 128 else 0
        if step == 0:
            break
        i += step
    return -1, state


@nb.njit(cache=True, nogil=True)
def _number(data, i, end):  # type: ignore[no-untyped-def]  # numba infers
    """Where the number that begins at ``i`` ends, and whether it is whole; -1 when it is not plain."""
    first = i
    if data[i] == _MINUS:
        i += 1
    digits = i
    while i < end and 48 <= data[i] <= 57:
        i += 1
    if i == digits or (data[digits] == 48 and i > digits + 1):
        return -1, True
    whole = True
    if i < end and data[i] == _DOT:
        whole = False
        i += 1
        digits = i
        while i < end and 48 <= data[i] <= 57:
            i += 1
        if i == digits:
            return -1, False
    if i - first > _LONGEST_NUMBER or (i < end and (data[i] == 101 or data[i] == 69)):
        return -1, whole
    if whole and (i - first > _LONGEST_WHOLE or (data[first] == _MINUS and data[first + 1] == 48)):
        return -1, whole
    return i, whole


@nb.njit(cache=True, nogil=True)
def _digits(data, i, n):  # type: ignore[no-untyped-def]  # numba infers
    value = np.int64(0)
    for j in range(i, i + n):
        if data[j] < 48 or data[j] > 57:
            return np.int64(-1)
        value = value * 10 + np.int64(data[j]) - 48
    return value


@nb.njit(cache=True, nogil=True)
def _time(data, i, end):  # type: ignore[no-untyped-def]  # numba infers
    """Microseconds since 1970 of an RFC 3339 time of the years 1970 to 2099; -1 when it is not plain."""
    none = np.int64(-1)
    if end - i < 19 or data[i + 4] != _MINUS or data[i + 7] != _MINUS or data[i + 10] != 84:
        return none
    if data[i + 13] != _COLON or data[i + 16] != _COLON:
        return none
    year, month, day = _digits(data, i, 4), _digits(data, i + 5, 2), _digits(data, i + 8, 2)
    hour, minute, second = _digits(data, i + 11, 2), _digits(data, i + 14, 2), _digits(data, i + 17, 2)
    if year < 1970 or year > 2099 or month < 1 or month > 12 or day < 1:
        return none
    leap = year % 4 == 0
    if day > _DAYS[month - 1] + (1 if leap and month == 2 else 0):
        return none
    if hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 59:
        return none
    days = (year - 1970) * 365 + (year - 1969) // 4 + day - 1
    for m in range(month - 1):
        days += _DAYS[m]
    if leap and month > 2:
        days += 1
    value = ((days * 24 + hour) * 60 + minute) * 60 + second
    i += 19
    micros = np.int64(0)
    if i < end and data[i] == _DOT:
        i += 1
        scale = np.int64(1_000_000)
        while i < end and 48 <= data[i] <= 57 and scale > 1:
            micros = micros * 10 + np.int64(data[i]) - 48
            scale //= 10
            i += 1
        if scale == 1_000_000:
            return none
        micros *= scale
    if i < end and data[i] == 90:
        i += 1
    elif i < end:
        if end - i != 6 or (data[i] != 43 and data[i] != _MINUS) or data[i + 3] != _COLON:
            return none
        hours, minutes = _digits(data, i + 1, 2), _digits(data, i + 4, 2)
        if hours < 0 or hours > 14 or minutes < 0 or minutes > 59:
            return none
        shift = (hours * 60 + minutes) * 60
        value += shift if data[i] == _MINUS else -shift
        i = end
    value = value * 1_000_000 + micros
    return value if i == end and value >= 0 else none


@nb.njit(cache=True, nogil=True)
def _blank(data, i, end):  # type: ignore[no-untyped-def]  # numba infers
    while i < end and (data[i] == 32 or data[i] == 9 or data[i] == 13 or data[i] == 10):
        i += 1
    return i


@nb.njit(cache=True, nogil=True)
def _word(data, i, end):  # type: ignore[no-untyped-def]  # numba infers
    """Bytes of the word ``null``, ``true`` or ``false`` at ``i``; 0 when it is none."""
    if i + 4 <= end and data[i] == 110 and data[i + 1] == 117 and data[i + 2] == 108 and data[i + 3] == 108:
        return 4
    if i + 4 <= end and data[i] == 116 and data[i + 1] == 114 and data[i + 2] == 117 and data[i + 3] == 101:
        return 4
    if i + 5 <= end and data[i] == 102 and data[i + 1] == 97 and data[i + 2] == 108 and data[i + 3] == 115:
        return 5 if data[i + 4] == 101 else 0
    return 0


@nb.njit(cache=True, nogil=True)
def _texts(data, i, end, named):  # type: ignore[no-untyped-def]  # numba infers
    """Where a list of texts, or an object of texts, that begins at ``i`` ends; -1 when it is anything else."""
    close = _CLOSE if named else _CLOSE_LIST
    i = _blank(data, i + 1, end)
    if i < end and data[i] == close:
        return i + 1
    while i < end and data[i] == _QUOTE:
        i, _ = _text(data, i + 1, end)
        if i < 0:
            return -1
        i = _blank(data, i + 1, end)
        if named:
            if i >= end or data[i] != _COLON:
                return -1
            i = _blank(data, i + 1, end)
            if i >= end or data[i] != _QUOTE:
                return -1
            i, _ = _text(data, i + 1, end)
            if i < 0:
                return -1
            i = _blank(data, i + 1, end)
        if i >= end:
            return -1
        if data[i] == close:
            return i + 1
        if data[i] != _COMMA:
            return -1
        i = _blank(data, i + 1, end)
    return -1


@nb.njit(cache=True, nogil=True)
def _line(data, i, end, row, kinds, names, name_ends, table, begin, stop, state, number):  # type: ignore[no-untyped-def]  # numba infers
    """Note every value of one line under its field; False when the line is not plain."""
    i = _blank(data, i, end)
    if i >= end or data[i] != _OPEN:
        return False
    i = _blank(data, i + 1, end)
    if i < end and data[i] == _CLOSE:
        return _blank(data, i + 1, end) == end
    seen = np.uint64(0)
    while True:
        if i >= end or data[i] != _QUOTE:
            return False
        j, found = _text(data, i + 1, end)
        if j < 0 or found == ESCAPED:
            return False
        field = _field_of(data, i + 1, j, names, name_ends, table)
        kind = kinds[field]
        if kind != ANY:
            bit = np.uint64(1) << np.uint64(field)
            if seen & bit:
                return False
            seen |= bit
        i = _blank(data, j + 1, end)
        if i >= end or data[i] != _COLON:
            return False
        i = _blank(data, i + 1, end)
        if i >= end:
            return False
        c = data[i]
        if c == _QUOTE:
            j, found = _text(data, i + 1, end)
            if j < 0:
                return False
            if kind == TEXT:
                begin[field, row], stop[field, row], state[field, row] = i + 1, j, found
            elif kind == TIME:
                number[field, row], state[field, row] = _time(data, i + 1, j), FOUND
                if number[field, row] < 0:
                    return False
            elif kind != ANY:
                return False
            i = j + 1
        elif c == _MINUS or 48 <= c <= 57:
            j, whole = _number(data, i, end)
            if j < 0:
                return False
            if kind == WHOLE and whole:
                minus = 1 if c == _MINUS else 0
                value = _digits(data, i + minus, j - i - minus)
                number[field, row], state[field, row] = -value if minus else value, FOUND
            elif kind == REAL:
                begin[field, row], stop[field, row], state[field, row] = i, j, FOUND
            elif kind != ANY:
                return False
            i = j
        elif c == _OPEN or c == _OPEN_LIST:
            if kind != (MAP if c == _OPEN else LIST):
                return False
            j = _texts(data, i, end, c == _OPEN)
            if j < 0:
                return False
            begin[field, row], stop[field, row], state[field, row] = i, j, FOUND
            i = j
        else:
            step = _word(data, i, end)
            if step == 0:
                return False
            if c != 110:
                if kind == BOOL:
                    number[field, row], state[field, row] = 1 if c == 116 else 0, FOUND
                elif kind != ANY:
                    return False
            i += step
        i = _blank(data, i, end)
        if i < end and data[i] == _CLOSE:
            return _blank(data, i + 1, end) == end
        if i >= end or data[i] != _COMMA:
            return False
        i = _blank(data, i + 1, end)


@nb.njit(cache=True, nogil=True)
def scan(data, ends, kinds, names, name_ends, table, begin, stop, state, number, plain):  # type: ignore[no-untyped-def]  # numba infers
    """Fill the places of the values of every plain line, row after row; returns how many rows there are.

    ``begin``, ``stop`` (int32) and ``state`` (uint8) and ``number`` (int64) are [fields, lines], all zero; so is
    ``plain`` (bool[lines]). ``ends`` says where each line ends in ``data``.
    """
    row, first = 0, 0
    for at in range(ends.shape[0]):
        end = int(ends[at])
        if _line(data, first, end, row, kinds, names, name_ends, table, begin, stop, state, number):
            plain[at] = True
            row += 1
        else:
            for field in range(begin.shape[0]):
                begin[field, row], stop[field, row], state[field, row], number[field, row] = 0, 0, 0, 0
        first = end
    return row


@nb.njit(cache=True, nogil=True)
def gather(data, begin, end, state, out, offsets):  # type: ignore[no-untyped-def]  # numba infers
    """Copy values end to end into ``out``, escapes undone; ``offsets`` (int32[rows + 1]) says where each begins."""
    at = np.int64(0)
    offsets[0] = 0
    for row in range(state.shape[0]):
        i, last = np.int64(begin[row]), np.int64(end[row])
        while i < last:
            j = last
            if state[row] == ESCAPED:
                j = i
                while j < last and data[j] != _BACKSLASH:
                    j += 1
            out[at : at + j - i] = data[i:j]
            at += j - i
            i = j
            if i == last:
                break
            if data[i + 1] != 117:
                out[at] = _PLAIN_ESCAPE[data[i + 1]]
                at += 1
                i += 2
                continue
            code = _hex4(data, i + 2, last)
            i += 6
            if code >= 0xD800 and code <= 0xDFFF:
                code = 0x10000 + ((code - 0xD800) << 10) + _hex4(data, i + 2, last) - 0xDC00
                i += 6
            if code < 0x80:
                out[at] = code
                at += 1
            elif code < 0x800:
                out[at], out[at + 1] = 0xC0 | (code >> 6), 0x80 | (code & 63)
                at += 2
            elif code < 0x10000:
                out[at], out[at + 1], out[at + 2] = (
                    0xE0 | (code >> 12),
                    0x80 | ((code >> 6) & 63),
                    0x80 | (code & 63),
                )
                at += 3
            else:
                out[at], out[at + 1] = 0xF0 | (code >> 18), 0x80 | ((code >> 12) & 63)
                out[at + 2], out[at + 3] = 0x80 | ((code >> 6) & 63), 0x80 | (code & 63)
                at += 4
        offsets[row + 1] = at
