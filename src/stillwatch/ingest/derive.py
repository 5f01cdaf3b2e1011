"""Fill `prompt`, `system_prompt` and `sealed_in` from `messages`, for every format in one place.

>>> import pyarrow as pa
>>> from stillwatch.records import EXCHANGE_SCHEMA
>>> row = {"messages": '[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}]'}
>>> batch = derive_text(pa.RecordBatch.from_pylist([row], schema=EXCHANGE_SCHEMA))
>>> batch.column("prompt")[0].as_py(), batch.column("system_prompt")[0].as_py()
('Hi', 'Be brief.')
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.ingest.conversation import opening_and_last
from stillwatch.ingest.jsontext import dump, parsed
from stillwatch.ingest.needles import Needles
from stillwatch.ingest.sealed import MARKERS, may_hold_sealed, take_sealed

_FILLED = ("messages", "prompt", "system_prompt", "sealed_in")


def derive_text(batch: pa.RecordBatch) -> pa.RecordBatch:
    """What a conversation says, in the columns that detectors read; what is already there is kept.

    Where `messages` holds sealed reasoning or compaction blocks, their digests go to `sealed_in` and replace
    the blocks. A batch without messages comes back as it is. Messages that are not JSON are left alone.

    Args:
        batch: rows of EXCHANGE_SCHEMA.

    Returns:
        A batch of the same length and schema.
    """
    messages = batch.column("messages")
    if messages.null_count == len(messages):
        return batch
    rows = _rows_to_read(batch)
    if not rows:
        return batch
    columns = {name: batch.column(name).to_pylist() for name in _FILLED}
    for row in rows:
        _fill(columns, row)
    arrays = [
        pa.array(columns[field.name], field.type) if field.name in columns else batch.column(field.name)
        for field in batch.schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=batch.schema)


_SPEAKS, _SEALED = 1, 2
_NEEDLES = Needles(
    dict.fromkeys(('"system"', '"developer"', '"instructions"', '"systemInstruction"'), _SPEAKS)
    | dict.fromkeys(MARKERS, _SEALED)
)
"""Words by which messages may hold a system prompt, and by which they may hold sealed blocks."""


def _rows_to_read(batch: pa.RecordBatch) -> list[int]:
    """Rows whose messages can add something: told by words in them, before any JSON is parsed."""
    messages = batch.column("messages")
    holds = _NEEDLES.in_texts(messages)
    no_prompt, no_system = (np.asarray(batch.column(name).is_null()) for name in ("prompt", "system_prompt"))
    wanted = no_prompt | (no_system & (holds & _SPEAKS != 0)) | (holds & _SEALED != 0)
    rows: list[int] = np.flatnonzero(wanted & np.asarray(messages.is_valid())).tolist()
    return rows


def _fill(columns: dict[str, list[Any]], row: int) -> None:
    text = columns["messages"][row]
    body = parsed(text)
    if columns["prompt"][row] is None or columns["system_prompt"][row] is None:
        system, prompt = opening_and_last(body)
        if columns["prompt"][row] is None:
            columns["prompt"][row] = prompt
        if columns["system_prompt"][row] is None:
            columns["system_prompt"][row] = system
    if may_hold_sealed(text) and not isinstance(body, str):
        digests = take_sealed(body)
        if digests:
            columns["messages"][row] = dump(body)
            if columns["sealed_in"][row] is None:
                columns["sealed_in"][row] = digests
