"""How deep a JSON text is nested, found before anything parses it.

>>> depth(b'{"a": [{"b": "[[[["}]}'), depth(b""), depth(b'"' + bytes([92]) + b'"[[')
(3, 0, 0)
"""

from __future__ import annotations

import numba as nb
import numpy as np


def depth(data: bytes) -> int:
    """Deepest level of brackets outside strings; what is no JSON has some depth too, which does no harm."""
    return int(_depth(np.frombuffer(data, np.uint8)))


@nb.njit(cache=True, nogil=True)
def _depth(data):  # type: ignore[no-untyped-def]  # numba infers
    level = 0
    deepest = 0
    in_string = False
    escaped = False
    for byte in data:
        if in_string:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_string = False
        elif byte == 0x22:
            in_string = True
        elif byte == 0x7B or byte == 0x5B:
            level += 1
            if level > deepest:
                deepest = level
        elif byte == 0x7D or byte == 0x5D:
            level -= 1
    return deepest
