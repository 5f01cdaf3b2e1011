"""The benches of engines and of libraries beside our steps: what counts as the same, and the page they make."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from scripts.bench_engines import differences
from scripts.bench_splink import blocked
from scripts.benchmarks import engines


def report(folder: Path, **changed: str) -> Path:
    """What a scan writes, in small."""
    folder.mkdir()
    files = {
        "summary.json": json.dumps({"counts": {"campaigns": 1}, "timings": {"total": len(folder.name)}}),
        "report.html": f"<dl><dt>Time, total</dt><dd>{folder.name}</dd></dl><p>one</p>",
        "profile.json": folder.name,
        "members.parquet": "the same",
    }
    for name, text in (files | {k.replace("_", "."): v for k, v in changed.items()}).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_timings_are_no_difference(tmp_path: Path) -> None:
    """Two runs that differ in nothing but time and memory wrote the same."""
    assert differences(report(tmp_path / "one"), report(tmp_path / "another")) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [("summary_json", '{"counts": {"campaigns": 2}}'), ("report_html", "<p>two</p>"), ("members_parquet", "other"),
     ("more_jsonl", "only here")],
)  # fmt: skip
def test_anything_else_is(name: str, text: str, tmp_path: Path) -> None:
    """A figure, a word on the page, a byte of a table, a file that one run lacks."""
    one, other = report(tmp_path / "one"), report(tmp_path / "another", **{name: text})
    assert differences(one, other) == differences(other, one) == [name.replace("_", ".")]


def test_splink_blocks_on_what_few_share() -> None:
    """A value of one account or of too many makes no pairs; a column without values is left out."""
    table = pa.table(
        {
            "unique_id": list("abcdef"),
            "phone": ["1", "1", "2", "2", "2", None],
            "device": ["d"] * 6,
            "never": pa.nulls(6, pa.string()),
        }
    )
    got, used, blocking = blocked(table, 2)
    assert used == ["phone", "device"] and blocking == ["phone"]
    assert got.column("few_phone").to_pylist() == [True, True, False, False, False, False]


@pytest.mark.parametrize("load", [0.2, 5.0])
def test_the_page_says_when_engines_differ(load: float) -> None:
    """The sentences about the files, the factors and a busy machine are made from what was found."""
    row: dict[str, Any] = {
        "machine": "m.", "scenario": "speed", "seed": 1, "scale": 1.0, "master": "local[2]", "memory_limit": "8GB",
        "files": 3, "differ": [], "load_before": load,
        "rows": [
            {"engine": "duckdb", "exchanges": 1000, "accounts": 10, "wall_s": 2.0, "cpu_s": 4.0, "peak_bytes": 2**30},
            {"engine": "spark", "exchanges": 1000, "accounts": 10, "wall_s": 9.0, "cpu_s": 16.0, "peak_bytes": 2**31},
        ],
    }  # fmt: skip
    same = "\n".join(engines.engines(row))
    assert "same files" in same and "| DuckDB | 2.0 | 4.0 | 250 | 1.0 GiB |" in same
    assert "4.0 times the processor time, 4.5 times the wall time" in same and ("other work" in same) == (
        load > 1
    )
    assert "**Different: members.parquet.**" in "\n".join(
        engines.engines(row | {"differ": ["members.parquet"]})
    )


@pytest.mark.parametrize(
    ("accounts", "said"), [(300, ""), (280, "20 accounts of the world that sent nothing")]
)
def test_the_page_says_who_is_counted_though_nobody_could_link_them(accounts: int, said: str) -> None:
    """More accounts in the truth than in the table make rates look smaller than they are."""
    each = {"cpu_s": 1.0, "accounts_per_s_per_core": 300, "clusters": 2, "operated": 100, "honest": 200,
            "operated_with_their_own": 90, "honest_with_strangers": 1}  # fmt: skip
    row: dict[str, Any] = {
        "machine": "m.", "accounts": accounts, "scenario": "speed", "seed": 1, "scale": 1.0, "traits": ["phone"],
        "block_max": 5, "stillwatch": each, "splink": each | {"version": "5", "peak_bytes": 2**30},
        "pairs": {"stillwatch": 3, "splink": 2, "both": 1},
    }  # fmt: skip
    told = "\n".join(engines.linking(row))
    assert said in told and ("sent nothing" in told) == bool(said)
