"""Hashed character n-grams: a text as a unit vector of 256 numbers, without a model and without a download.

It stands where the published methods have a sentence encoder. It sees wording and not meaning: a paraphrase with
other words is far away, and a template with other contents is near.

References
----------
Weinberger et al.: Feature hashing for large scale multitask learning (ICML 2009).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.lab.baselines.frame import LETTERS

F32 = npt.NDArray[np.float32]
U64 = npt.NDArray[np.uint64]

DIMENSIONS = 256
"""Length of a vector."""
GRAM = 4
"""Bytes of UTF-8 in one n-gram."""
_CHUNK = 4_096
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def embed(texts: pa.Array | pa.ChunkedArray | list[str | None]) -> F32:
    """Unit vectors, shape ``(texts, 256)``; an empty or missing text is the zero vector.

    Lower case, a space on either side, signed hashing of every four bytes, the square root of each sum with its sign,
    length one.

    >>> a, b, c = embed(["count the apples", "count the pears", "wovon man nicht sprechen kann"])
    >>> bool(a @ b > a @ c), round(float(a @ a), 6)
    (True, 1.0)
    """
    if isinstance(texts, list):
        texts = pa.array(texts, pa.string())
    flat = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    if isinstance(flat, pa.ChunkedArray):
        flat = pa.concat_arrays(flat.chunks) if flat.num_chunks else pa.array([], pa.string())
    out = np.zeros((len(flat), DIMENSIONS), dtype=np.float32)
    for first in range(0, len(flat), _CHUNK):
        part = flat.slice(first, _CHUNK)
        out[first : first + len(part)] = _embed_chunk(part)
    return out


def _embed_chunk(texts: pa.Array) -> F32:
    data, offsets = _bytes(texts)
    lengths = np.diff(offsets)
    text = np.repeat(np.arange(len(lengths)), lengths)[: max(len(data) - GRAM + 1, 0)]
    inside = text == np.repeat(np.arange(len(lengths)), lengths)[GRAM - 1 :]
    hashed = _grams(data)[inside]
    place = text[inside] * DIMENSIONS + (hashed >> np.uint64(56)).astype(np.int64)
    sign = np.where(hashed & np.uint64(1 << 40), 1.0, -1.0)
    sums = np.bincount(place, weights=sign, minlength=len(lengths) * DIMENSIONS).reshape(-1, DIMENSIONS)
    damped = np.sign(sums) * np.sqrt(np.abs(sums))
    norms = np.linalg.norm(damped, axis=1, keepdims=True)
    return (damped / np.where(norms > 0, norms, 1.0)).astype(np.float32)


def _bytes(texts: pa.Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The texts one after the other, and where each begins."""
    cut = pc.utf8_slice_codeunits(pc.fill_null(texts.cast(pa.large_string()), ""), 0, LETTERS)
    lower = pc.utf8_lower(pc.utf8_trim_whitespace(cut))
    space, nothing = pa.scalar(" ", pa.large_string()), pa.scalar("", pa.large_string())
    around = pc.binary_join_element_wise(space, lower, space, nothing)
    padded = pa.concat_arrays([pc.if_else(pc.equal(lower, nothing), nothing, around)])
    _, offset_buffer, data_buffer = padded.buffers()
    offsets = np.frombuffer(offset_buffer, dtype=np.int64)[padded.offset : padded.offset + len(padded) + 1]
    data = np.frombuffer(data_buffer, dtype=np.uint8) if data_buffer is not None else np.zeros(0, np.uint8)
    return data[offsets[0] : offsets[-1]], offsets - offsets[0]


def _grams(data: npt.NDArray[np.uint8]) -> U64:
    """A mixed 64-bit hash of every four consecutive bytes."""
    count = max(len(data) - GRAM + 1, 0)
    state = np.zeros(count, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for i in range(GRAM):
            state = (state << np.uint64(8)) | data[i : i + count].astype(np.uint64)
        state = (state + np.uint64(1)) * _GOLDEN
        state ^= state >> np.uint64(32)
        return state * _GOLDEN
