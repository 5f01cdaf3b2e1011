"""The output folder appears whole or not at all, says the same every time, and reads back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import SourceError, StillwatchError
from stillwatch.records import Abstention, Rejected, ScanResult
from stillwatch.report import explain_plain, load_result, render_html, write_result
from stillwatch.report import files as files_module
from stillwatch.report.swap import new_folder, sweep
from tests.report.factory import make_empty, make_result

REJECTED = (Rejected("a.jsonl", 3, "started_at is not a time"), Rejected("a.jsonl", 1, "not an object"))
TEXT, INT, FLOAT, LIST = pa.string(), pa.int64(), pa.float64(), pa.list_(pa.string())
TIME = pa.timestamp("us", tz="UTC")
CONTRACT: dict[str, dict[str, pa.DataType]] = {
    "campaigns.parquet": dict(
        campaign_id=TEXT, kind=TEXT, first_seen=TIME, last_seen=TIME, account_count=INT, exchange_count=INT,
        output_tokens=INT, log10_e_value=FLOAT, p_value=FLOAT, calibration_count=INT, false_discovery_rate=FLOAT,
        bits_content=FLOAT, bits_infrastructure=FLOAT, bits_timing=FLOAT, bits_identity=FLOAT, bits_behaviour=FLOAT,
        extraction_share=FLOAT, extraction_share_low=FLOAT, extraction_share_high=FLOAT, capabilities=LIST,
        techniques=LIST, confidence=TEXT, granted=pa.bool_(), explanation=TEXT, details=TEXT,
    ),
    "members.parquet": dict(
        campaign_id=TEXT, account_id=TEXT, tier=TEXT, membership_bits=FLOAT, extraction_share=FLOAT,
        exchange_count=INT, first_seen=TIME, last_seen=TIME, reasons=LIST,
    ),
    "accounts.parquet": dict(
        account_id=TEXT, exchange_count=INT, campaign_id=TEXT, disposition_hint=TEXT, abstentions=LIST
    ),
}  # fmt: skip


def digest(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def result() -> ScanResult:
    return make_result()


def test_files_and_columns_are_those_of_the_contract(result: ScanResult, tmp_path: Path) -> None:
    """Every file is there and no other; every column has the contract's name and type."""
    write_result(result, tmp_path / "out", REJECTED, "<p>")
    assert sorted(os.listdir(tmp_path / "out")) == sorted(files_module.NAMES)
    assert os.listdir(tmp_path) == ["out"]
    for name, columns in CONTRACT.items():
        schema = pq.read_schema(tmp_path / "out" / name)
        found = {field.name: field.type for field in schema}
        assert set(found) == set(columns)
        assert all(found[key].equals(kind) for key, kind in columns.items())
    lines = [json.loads(line) for line in (tmp_path / "out" / "findings.jsonl").read_text().splitlines()]
    assert set(lines[0]) == {
        "id", "trait", "family", "subject", "effect", "unit", "baseline", "p_value", "e_value", "log10_e_value",
        "reasons", "looks_alike",
    }  # fmt: skip
    rejected = [json.loads(line) for line in (tmp_path / "out" / "rejected.jsonl").read_text().splitlines()]
    assert rejected[0] == {"source": "a.jsonl", "line": 3, "reason": "started_at is not a time"}


def test_reads_back_as_written(result: ScanResult, tmp_path: Path) -> None:
    """Campaigns, members, findings and abstentions survive the folder, hostile strings included."""
    write_result(result, tmp_path / "out", (), render_html(result))
    back = load_result(tmp_path / "out")
    by_id = {c.campaign_id: c for c in back.campaigns}
    assert by_id == {c.campaign_id: c for c in result.campaigns}
    assert set(back.members) == set(result.members)
    assert set(back.findings) == set(result.findings)
    assert set(back.abstentions) == set(result.abstentions)
    assert back.accounts.num_rows == result.accounts.num_rows
    assert {k: v for k, v in back.summary.items() if k != "abstention_counts"} == result.summary
    assert render_html(back) == render_html(result)
    for subject in ("C-2026-001", "honest_00003", result.members[0].account_id):
        assert explain_plain(back, subject) == explain_plain(result, subject)


def test_empty_result_reads_back(tmp_path: Path) -> None:
    """A scan that found nothing still writes every file."""
    write_result(make_empty(), tmp_path / "out", (), "")
    assert load_result(tmp_path / "out").campaigns == ()


def test_equal_input_gives_equal_bytes(result: ScanResult, tmp_path: Path) -> None:
    """Neither order of rows nor time nor place shows in the files."""
    turned = replace(
        result,
        campaigns=result.campaigns[::-1],
        members=result.members[::-1],
        findings=result.findings[::-1],
        abstentions=result.abstentions[::-1],
        accounts=result.accounts.take(list(range(result.accounts.num_rows))[::-1]),
    )
    write_result(result, tmp_path / "a", REJECTED, "x")
    write_result(turned, tmp_path / "elsewhere" / "b", REJECTED, "x")
    assert digest(tmp_path / "a") == digest(tmp_path / "elsewhere" / "b")


def test_many_abstentions_are_counted_in_full(tmp_path: Path) -> None:
    """The list in the summary is cut; the counts are not, and survive being written twice."""
    many = tuple(Abstention("t", "thin", (), f"a{i}") for i in range(12_000))
    write_result(replace(make_empty(), abstentions=many), tmp_path / "out", (), "")
    back = load_result(tmp_path / "out")
    assert len(back.abstentions) == 10_000
    write_result(back, tmp_path / "again", (), "")
    assert load_result(tmp_path / "again").summary["abstention_counts"][0]["accounts"] == 12_000


def test_existing_output_is_refused_and_kept(result: ScanResult, tmp_path: Path) -> None:
    """Without permission an earlier output is left byte for byte."""
    out = tmp_path / "out"
    write_result(make_empty(), out, (), "old")
    before = digest(out)
    with pytest.raises(StillwatchError, match="already holds"):
        write_result(result, out, (), "new")
    assert digest(out) == before
    assert os.listdir(tmp_path) == ["out"]


def test_overwrite_swaps_the_folder(result: ScanResult, tmp_path: Path) -> None:
    """With permission the earlier output is replaced and nothing is left beside it."""
    out = tmp_path / "out"
    write_result(make_empty(), out, (), "old")
    write_result(result, out, (), "new", overwrite=True)
    assert (out / "report.html").read_text() == "new"
    assert os.listdir(tmp_path) == ["out"]


def test_overwrite_without_exchange(
    result: ScanResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where two names cannot be exchanged at once, the old folder steps aside and goes."""
    monkeypatch.setattr("stillwatch.report.swap.exchange", lambda one, other: False)
    test_overwrite_swaps_the_folder(result, tmp_path)


@pytest.mark.parametrize("names", [["notes.txt"], ["summary.json", "thesis.doc"], ["report.html"]])
def test_foreign_folders_are_never_replaced(result: ScanResult, tmp_path: Path, names: list[str]) -> None:
    """A folder that is not wholly ours is refused even when overwriting is allowed."""
    out = tmp_path / "out"
    out.mkdir()
    for name in names:
        (out / name).write_text("mine")
    with pytest.raises(StillwatchError) as caught:
        write_result(result, out, (), "", overwrite=True)
    assert caught.value.hint
    assert digest(out) == {name: b"mine" for name in names}


def test_a_file_in_the_way_is_refused(result: ScanResult, tmp_path: Path) -> None:
    """The output must be a folder."""
    (tmp_path / "out").write_text("x")
    with pytest.raises(StillwatchError, match="not a folder"):
        write_result(result, tmp_path / "out", (), "", overwrite=True)


def test_empty_folder_is_taken(result: ScanResult, tmp_path: Path) -> None:
    """A folder made beforehand is fine as long as nothing is in it."""
    (tmp_path / "out").mkdir()
    write_result(result, tmp_path / "out", (), "")
    assert (tmp_path / "out" / "summary.json").exists()


def test_symlink_is_followed(result: ScanResult, tmp_path: Path) -> None:
    """A link to a folder stays a link; the folder behind it gets the output."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_result(result, tmp_path / "link", (), "")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "summary.json").exists()


@pytest.mark.parametrize("step", range(8))
def test_failure_at_any_file_leaves_nothing(
    result: ScanResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Whichever file fails, or the last rename, the old output stands and no leftover remains."""
    out, calls = tmp_path / "out", 0
    write_result(make_empty(), out, (), "old")
    before = digest(out)
    real = os.fsync

    def failing(handle: int) -> None:
        nonlocal calls
        calls += 1
        if calls > step:
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr("stillwatch.report.files.os.fsync", failing)
    if step == 7:
        monkeypatch.setattr(files_module, "put_in_place", lambda *_: failing(0))
    with pytest.raises(OSError, match="No space"):
        write_result(result, out, (), "new", overwrite=True)
    assert digest(out) == before
    assert os.listdir(tmp_path) == ["out"]


def test_rejected_records_that_fail_leave_nothing(result: ScanResult, tmp_path: Path) -> None:
    """An iterator that raises half-way leaves no folder."""

    def rejected() -> Iterator[Rejected]:
        yield REJECTED[0]
        raise RuntimeError("gone")

    with pytest.raises(RuntimeError, match="gone"):
        write_result(result, tmp_path / "out", rejected(), "")
    assert os.listdir(tmp_path) == []


KILLED = """
import sys, time
from pathlib import Path
from stillwatch.report import swap
with swap.new_folder(Path(sys.argv[1])) as folder:
    (folder / "campaigns.parquet").write_text("half")
    print("ready", flush=True)
    time.sleep(60)
"""


def test_killed_run_is_swept_and_a_living_one_is_not(result: ScanResult, tmp_path: Path) -> None:
    """A partial folder is left alone while its writer lives and removed once it was killed."""
    out = tmp_path / "out"
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(out)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    assert sweep(out) == []
    child.send_signal(signal.SIGKILL)
    child.wait(10)
    child.stdout.close()
    (left,) = os.listdir(tmp_path)
    assert left.startswith(".out.partial-")
    write_result(result, out, (), "")
    assert os.listdir(tmp_path) == ["out"]


def test_folder_that_stepped_aside_is_brought_back(tmp_path: Path) -> None:
    """If a run was killed between two renames, the old output returns on the next run."""
    write_result(make_empty(), tmp_path / "out", (), "old")
    (tmp_path / "out").rename(tmp_path / ".out.previous-x1")
    assert sweep(tmp_path / "out") == [".out.previous-x1"]
    assert (tmp_path / "out" / "report.html").read_text() == "old"


def test_neighbours_are_left_alone(result: ScanResult, tmp_path: Path) -> None:
    """Only leftovers of this very output are removed."""
    (tmp_path / ".other.partial-abc").mkdir()
    (tmp_path / ".out.txt").write_text("mine")
    write_result(result, tmp_path / "out", (), "")
    assert sorted(os.listdir(tmp_path)) == [".other.partial-abc", ".out.txt", "out"]


def test_new_folder_is_locked_while_in_use(tmp_path: Path) -> None:
    """Two runs may prepare the same output at once without harming each other."""
    with new_folder(tmp_path / "out") as one:
        assert sweep(tmp_path / "out") == []
        with new_folder(tmp_path / "out") as two:
            assert one != two
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("damage", ["missing", "not_json", "not_parquet", "other_columns"])
def test_damaged_folder_is_named(result: ScanResult, tmp_path: Path, damage: str) -> None:
    """Reading a folder that is not whole raises an error that names it and says what to do."""
    out = tmp_path / "out"
    write_result(result, out, (), "")
    if damage == "missing":
        (out / "members.parquet").unlink()
    elif damage == "not_json":
        (out / "summary.json").write_text("{")
    elif damage == "not_parquet":
        (out / "campaigns.parquet").write_text("no")
    else:
        pq.write_table(pa.table({"a": [1]}), out / "members.parquet")
    with pytest.raises(SourceError) as caught:
        load_result(out)
    assert caught.value.hint
    assert "out" in str(caught.value)


def test_write_is_quick_for_many_accounts(tmp_path: Path) -> None:
    """Half a million accounts are sorted and written within seconds."""
    n = 500_000
    accounts = pa.table(
        {"account_id": [f"a{(i * 7919) % n:07d}" for i in range(n)], "exchange_count": [1] * n}
    )
    begin = time.monotonic()
    write_result(replace(make_empty(), accounts=accounts), tmp_path / "out", (), "")
    assert time.monotonic() - begin < 15
