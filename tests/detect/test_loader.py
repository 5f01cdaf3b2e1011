"""Filling the engine: whole row groups, in order."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from stillwatch.detect import traffic
from stillwatch.detect.traffic import Loader
from stillwatch.store import open_backend
from tests.detect.making import exchanges, featurizer


@pytest.mark.parametrize("sizes", [(10, 1, 25, 3), (5, 5, 5), (7,), (), (4, 0, 6)])
def test_the_engine_takes_whole_row_groups(sizes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows arrive once and in order, ten at a time, and what is left over arrives at the end."""
    monkeypatch.setattr(traffic, "ROW_GROUP", 10)
    feat, engine = featurizer(), open_backend(1, "1GB", None)
    loader = Loader(engine, feat)
    taken: list[list[int]] = []
    append = engine.append

    def noted(name: str, rows: pa.Table) -> None:
        taken.append(rows.column("seq").to_pylist())
        append(name, rows)

    monkeypatch.setattr(engine, "append", noted)
    names = [f"a{n}" for n in range(sum(sizes))]
    first = 0
    for size in sizes:
        rows: list[dict[str, Any]] = [
            {"account_id": name, "exchange_id": name} for name in names[first : first + size]
        ]
        loader.add(feat.batch(exchanges(*rows)))
        first += size
    assert all(len(part) == 10 for part in taken) and len(taken) == len(names) // 10
    found = loader.finish(None)
    assert [seq for part in taken for seq in part] == list(range(len(names)))
    assert [found.names.account.names[code] for code in found.column("acct")] == names
