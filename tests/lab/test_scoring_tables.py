"""Output folders of detectors that nobody vouches for: each slip and each trick has one clear answer."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import SourceError
from stillwatch.lab.scoring import read_run, run_from_tables, score_run, tables
from tests.lab.judging import a_truth

ONE = {"account_id": ["a"], "campaign_id": ["g"]}
NAN, INF = math.nan, math.inf


def write(folder: Path, **files: Any) -> Path:
    """Tables by name; a folder always has a member."""
    for name, table in {"members": ONE, **files}.items():
        pq.write_table(table if isinstance(table, pa.Table) else pa.table(table), folder / f"{name}.parquet")
    return folder


@pytest.mark.parametrize(
    ("name", "table", "said"),
    [
        ("members", {"account_id": ["a"]}, "no column campaign_id"),
        ("members", {**ONE, "tier": ["boss"]}, "unknown word 'boss'"),
        ("members", {**ONE, "tier": [3]}, "column tier holds int64"),
        ("members", {**ONE, "tier": [["member"]]}, "column tier holds list"),
        ("members", {**ONE, "account_id": pa.array([None], pa.string())}, "required value is null"),
        ("members", {**ONE, "account_id": [{"id": "a"}]}, "column account_id holds struct"),
        ("members", {**ONE, "account_id": [b"a"]}, "column account_id holds binary"),
        ("members", {**ONE, "account_id": ["a" * 1001]}, "longer than 1,000 characters"),
        ("members", {**ONE, "membership_bits": ["3"]}, "column membership_bits holds string"),
        ("members", pa.Table.from_arrays([pa.array(["a"])] * 3, ["account_id", "account_id", "campaign_id"]),
         "two columns account_id"),
        ("scores", {"account_id": ["a", "a"], "score": [1.0, 2.0]}, "two scores: 'a'"),
        ("scores", {"account_id": ["a"], "score": [NAN]}, "not a number"),
        ("scores", {"account_id": ["a"], "score": ["1"]}, "column score holds string"),
        ("scores", {"account_id": ["a"], "score": [True]}, "column score holds bool"),
        ("accounts", {"account_id": ["a", "a"], "disposition_hint": ["act", "none"]}, "two hints: 'a'"),
        ("accounts", {"account_id": ["a"], "disposition_hint": ["ACT"]}, "unknown word 'ACT'"),
        ("campaigns", {"campaign_id": ["g", "g"], "kind": ["pool", "campaign"]}, "two rows: 'g'"),
        ("campaigns", {"campaign_id": ["g"], "p_value": ["0.1"]}, "column p_value holds string"),
        *[("campaigns", {"campaign_id": ["g"], "p_value": [v]}, "p_value is") for v in (INF, -0.1, 1.1)],
        *[("campaigns", {"campaign_id": ["g"], "false_discovery_rate": [v]}, "rate is") for v in (INF, -1.0, 2.0)],
    ],
)  # fmt: skip
def test_output_that_cannot_be_judged_is_refused(tmp_path: Path, name: str, table: Any, said: str) -> None:
    """With the file, the reason, and what to do; a table in memory like a file."""
    with pytest.raises(SourceError, match=said) as caught:
        read_run(write(tmp_path, **{name: table}))
    assert caught.value.hint
    assert f"{name}.parquet" in str(caught.value)
    held = {"members": pa.table(ONE), name: table if isinstance(table, pa.Table) else pa.table(table)}
    with pytest.raises(SourceError, match=said):
        run_from_tables(
            held["members"], held.get("accounts"), held.get("campaigns"), scores=held.get("scores")
        )


def test_an_empty_folder_and_broken_files_are_refused(tmp_path: Path) -> None:
    """Nothing to judge, no Parquet, a file named and not there."""
    with pytest.raises(SourceError, match=r"neither members\.parquet nor scores\.parquet"):
        read_run(tmp_path)
    (tmp_path / "members.parquet").write_bytes(b"PAR1")
    with pytest.raises(SourceError, match="not a readable Parquet file"):
        read_run(tmp_path)
    with pytest.raises(SourceError, match="no such file"):
        run_from_tables(tmp_path / "absent.parquet")
    whole = write(tmp_path) / "members.parquet"
    content = bytearray(whole.read_bytes())
    content[4:24] = bytes(20)
    whole.write_bytes(content)
    with pytest.raises(SourceError, match="not a readable Parquet file"):
        read_run(tmp_path)


@pytest.mark.parametrize("name", ["members.parquet", "accounts.parquet", "detector.json"])
@pytest.mark.parametrize("trick", ["folder", "link", "dangling", "pipe"])
def test_only_plain_files_are_read(tmp_path: Path, name: str, trick: str) -> None:
    """A link could point at anything, a pipe would never end, a folder would be read as one table."""
    run = tmp_path / "run"
    run.mkdir()
    write(run)
    (run / name).unlink(missing_ok=True)
    write(tmp_path)
    tricks: dict[str, Callable[[], None]] = {
        "folder": (run / name).mkdir,
        "link": lambda: (run / name).symlink_to(tmp_path / "members.parquet"),
        "dangling": lambda: (run / name).symlink_to(tmp_path / "absent"),
        "pipe": lambda: os.mkfifo(run / name),
    }
    tricks[trick]()
    with pytest.raises(SourceError, match="not a plain file"):
        read_run(run)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 100_000, "not JSON"),
        ('{"id": ' + "[" * 100_000 + "]" * 100_000 + "}", "not JSON"),
        ('{"id": NaN}', "not JSON"),
        ("[]", "not a JSON object"),
        ('{"id": ["x"]}', "id is not text"),
        ('{"title": "' + "x" * 2000 + '"}', "title is not text of at most 1,000"),
        ('{"note": "' + "x" * (1 << 20) + '"}', "larger than 1,048,576 bytes"),
    ],
)
def test_what_a_detector_says_of_itself_is_bounded(tmp_path: Path, text: str, said: str) -> None:
    """Too deep, too long, or nothing that JSON has."""
    write(tmp_path)
    (tmp_path / "detector.json").write_text(text)
    with pytest.raises(SourceError, match=said):
        read_run(tmp_path)


def test_tables_too_large_are_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the rows and bytes that the file itself states; a text repeated without end costs its length once."""
    many = {"account_id": [f"a{i}" for i in range(300)], "campaign_id": ["g" * 900] * 300}
    assert len(read_run(write(tmp_path, members=many)).tier) == 300
    for limit, value in (("MOST_ROWS", 299), ("MOST_BYTES", 1000)):
        with monkeypatch.context() as patch:
            patch.setattr(tables, limit, value)
            with pytest.raises(SourceError, match="are too many"):
                read_run(tmp_path)
            with pytest.raises(SourceError, match="are too many"):
                run_from_tables(pa.table(many))


def test_values_with_a_meaning_of_their_own(tmp_path: Path) -> None:
    """NaN is not given; infinite weights and scores rank at the ends; whole numbers name accounts and groups."""
    members = {"account_id": [7, 8, 9], "campaign_id": [1, 1, 1], "membership_bits": [NAN, INF, -INF]}
    groups = {"campaign_id": [1], "p_value": [NAN], "false_discovery_rate": [NAN]}
    run = read_run(write(tmp_path, members=members, campaigns=groups))
    assert (run.groups, run.bits) == ({"1": frozenset("789")}, {"8": INF, "9": -INF})
    assert (run.p_value, run.stated) == ({}, {})
    assert list(run.ranking(["9", "8", "none"])) == [1.0, 2.0, 0.0]
    scored = read_run(write(tmp_path, scores={"account_id": ["a", "b"], "score": [-INF, INF]}))
    assert list(scored.ranking(["b", "a", "absent"])) == [INF, -INF, -INF]


def test_encodings_and_repeated_rows_change_nothing(tmp_path: Path) -> None:
    """Dictionary-encoded and large text read as text; the same row twice is one; other columns are left alone."""
    truth = a_truth({"A": 3}, 5)
    plain = {
        "account_id": ["A0", "A1", "A1"],
        "campaign_id": ["g"] * 3,
        "tier": ["member", "watch", "member"],
    }
    hints = {"account_id": ["A0", "A0"], "disposition_hint": ["act", "act"]}
    first = score_run(truth, read_run(write(tmp_path, members=plain, accounts=hints)))
    coded = {k: pa.array(v).dictionary_encode() for k, v in plain.items()} | {"note": [[1], [2], [3]]}
    large = {k: pa.array(v, pa.large_string()) for k, v in hints.items()}
    assert score_run(truth, read_run(write(tmp_path, members=coded, accounts=large))) == first
    assert first["operating_points"]["member"]["recall"]["hits"] == 2
