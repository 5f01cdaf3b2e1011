"""A world's log as arrays, for looking at parts of it."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from stillwatch.errors import SourceError
from stillwatch.lab.discipline.opening import Opened

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Log:
    """Exchanges in order of time."""

    time: Array
    """int[exchanges]: microseconds since 1970."""
    account: Array
    """int[exchanges]: code of the account."""
    extraction: Array
    output: Array
    """bool and int[exchanges]: served extraction; output tokens."""
    names: dict[str, int]
    """Account id to its code."""
    first: Array
    """By code: the account's first exchange."""

    def rows_of(self, accounts: Iterable[str]) -> Array:
        """Rows of the accounts, in order of time."""
        chosen = np.zeros(len(self.names), np.bool_)
        chosen[[self.names[a] for a in accounts]] = True
        return np.flatnonzero(chosen[self.account])

    def taken(self, rows: Array) -> dict[str, int]:
        """What these exchanges took."""
        marked = self.extraction[rows]
        return {
            "exchanges": len(rows),
            "extraction_exchanges": int(marked.sum()),
            "output_tokens": int(self.output[rows].sum()),
            "extraction_output_tokens": int(self.output[rows][marked].sum()),
        }


def read_log(traffic: Path, opened: Opened) -> Log:
    """The log of a world with what its truth says of every exchange.

    Raises
    ------
    SourceError: there are no exchanges.
    """
    files = sorted((traffic / "exchanges").glob("*.parquet"))
    table = (
        ds.dataset(files).to_table(["exchange_id", "started_at", "account_id", "output_tokens"])
        if files
        else None
    )
    if table is None or not len(table):
        raise SourceError(str(traffic), "holds no exchanges", hint="give a folder of `lab generate`")
    table = table.sort_by("started_at")
    coded = table["account_id"].combine_chunks().dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    names = {name: i for i, name in enumerate(coded.dictionary.to_pylist())}
    account = coded.indices.to_numpy()
    started = table["started_at"].cast(pa.int64()).to_numpy()
    return Log(
        started,
        account,
        _extraction(table["exchange_id"], account, names, opened),
        pc.fill_null(table["output_tokens"].cast(pa.int64()), 0).to_numpy(),
        names,
        started[np.unique(account, return_index=True)[1]],
    )


def _extraction(ids: pa.ChunkedArray, account: Array, names: dict[str, int], opened: Opened) -> Array:
    """bool[exchanges]; where the truth does not tell exchanges apart, every one of an extractor."""
    try:
        marks = pq.read_table(io.BytesIO(opened.file("exchanges.parquet")))
    except FileNotFoundError:
        truth = opened.truth
        guilty = {a for a, x in zip(truth.ids, truth.extractor.tolist(), strict=True) if x}
        flags = np.array([a in guilty for a in names], np.bool_)
        return np.asarray(flags[account])
    taken = marks.filter(marks["extraction"])["exchange_id"]
    return np.asarray(pc.is_in(ids, value_set=taken.combine_chunks()).to_numpy())


__all__ = ["Array", "Log", "read_log"]
