"""One suite over every baseline: pure, indifferent to order and sharding, total, and blind to the truth."""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import ConfigError, SourceError
from stillwatch.lab import score
from stillwatch.lab.baselines import BASELINES, LogFrame, Result, read_traffic, run_baseline
from stillwatch.lab.baselines.baseline import Group, result
from stillwatch.lab.baselines.output import ACCOUNTS, CAMPAIGNS, MEMBERS, run_tables
from stillwatch.records import EXCHANGE_REQUIRED
from tests.lab.baseline_logs import accounts, exchange, exchanges, mixed_log

TABLES = ("accounts", "members", "campaigns", "scores")
MODULES = {"scikit-learn": "sklearn", "pyod": "pyod", "honeypotllm": "honeypotllm"}


def available(name: str) -> bool:
    """Whether the packages of a baseline are installed."""
    return all(importlib.util.find_spec(MODULES[p]) is not None for p in BASELINES[name].needs)


@pytest.fixture(params=sorted(BASELINES))
def name(request: pytest.FixtureRequest) -> str:
    """The id of each baseline whose packages are installed."""
    if not available(request.param):
        pytest.skip(f"{request.param} needs {', '.join(BASELINES[request.param].needs)}")
    return str(request.param)


def judged(name: str, log: pa.Table, people: pa.Table | None = None) -> tuple[LogFrame, Result]:
    """The answer of a baseline, checked for what every answer must be."""
    frame = LogFrame.of(log, people)
    found = BASELINES[name].run(frame)
    assert found.scores.shape == (len(frame.accounts),)
    assert np.isfinite(found.scores).all()
    named = [a for group in found.groups for a in group.accounts]
    assert len(named) == len(set(named))
    assert all(0 <= a < len(frame.accounts) for a in named)
    return frame, found


def write(folder: Path, log: pa.Table, people: pa.Table | None, parts: int = 1) -> Path:
    """A traffic folder with the log in this many files."""
    (folder / "exchanges").mkdir(parents=True)
    for i in range(parts):
        part = log.take(np.arange(i, log.num_rows, parts))
        pq.write_table(part, folder / "exchanges" / f"part-{i:04d}.parquet")
    if people is not None:
        pq.write_table(people, folder / "accounts.parquet")
    return folder


def same(a: tuple[LogFrame, Result], b: tuple[LogFrame, Result], name: str) -> bool:
    """Whether two answers write equal tables."""
    left, right = run_tables(name, *a), run_tables(name, *b)
    return all(left[t].equals(right[t]) for t in TABLES)


def test_the_same_log_gives_the_same_answer(name: str) -> None:
    """Seeded and pure: running twice changes nothing, neither the answer nor the log."""
    log, people = mixed_log()
    first = judged(name, log, people)
    kept = first[0].table
    second = (first[0], BASELINES[name].run(first[0]))
    assert same(first, second, name)
    assert first[0].table is kept
    assert same(first, judged(name, log, people), name)


def test_order_and_sharding_do_not_matter(name: str, tmp_path: Path) -> None:
    """The rows in reverse, shuffled over five files, give the same tables as one table in memory."""
    log, people = mixed_log()
    shuffled = log.take(np.random.default_rng(12).permutation(log.num_rows))
    frame = read_traffic(
        write(tmp_path / "w", shuffled, people.slice(0).take(np.arange(people.num_rows)[::-1]), 5)
    )
    assert same(judged(name, log, people), (frame, BASELINES[name].run(frame)), name)


def test_the_tables_follow_the_contract_and_the_scorer_reads_them(name: str, tmp_path: Path) -> None:
    """Every account seen has a row and a finite score; flagged accounts are members and due for review."""
    log, people = mixed_log()
    traffic = write(tmp_path / "w", log, people)
    run_baseline(name, traffic, tmp_path / "run")
    out = {t: pq.read_table(tmp_path / "run" / f"{t}.parquet") for t in TABLES}
    seen = sorted(set(log["account_id"].to_pylist()))
    assert out["scores"]["account_id"].to_pylist() == seen
    assert out["accounts"]["account_id"].to_pylist() == seen
    assert out["accounts"].schema == ACCOUNTS
    assert out["members"].schema == MEMBERS
    assert out["campaigns"].schema == CAMPAIGNS
    hints = dict(zip(seen, out["accounts"]["disposition_hint"].to_pylist(), strict=True))
    assert {a for a, hint in hints.items() if hint == "review"} == set(
        out["members"]["account_id"].to_pylist()
    )
    assert set(hints.values()) <= {"none", "review"}
    assert set(out["members"]["campaign_id"].to_pylist()) == set(out["campaigns"]["campaign_id"].to_pylist())
    detector = json.loads((tmp_path / "run" / "detector.json").read_text(encoding="utf-8"))
    assert detector["id"] == name
    assert detector["wall_s"] > 0
    assert all(detector["packages"][p] for p in BASELINES[name].needs)
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        "accounts.parquet",
        "campaigns.parquet",
        "detector.json",
        "members.parquet",
        "scores.parquet",
    ]
    _seal(tmp_path / "truth", seen)
    scored = score(tmp_path / "truth", out["members"], out["accounts"], out["campaigns"])
    flagged = sum(1 for hint in hints.values() if hint == "review")
    assert sum(c["member"] for c in scored["classes"].values()) + scored["campaigns"][0]["found"] == flagged


def _seal(folder: Path, seen: list[str]) -> None:
    """A truth for the mixed log: the ring is a campaign, everybody else is ordinary."""
    folder.mkdir()
    ring = [a.startswith("ring") for a in seen]
    pq.write_table(
        pa.table(
            {
                "account_id": seen,
                "org_key": seen,
                "class": ["campaign" if r else "ordinary" for r in ring],
                "campaign_id": pa.array(["c" if r else None for r in ring], pa.string()),
                "is_extractor": ring,
                "exchanges": [1] * len(seen),
            }
        ),
        folder / "accounts.parquet",
    )
    (folder / "campaigns.jsonl").write_text('{"campaign_id": "c", "kind": "campaign"}\n', encoding="utf-8")


def test_an_empty_log_has_an_empty_answer(name: str) -> None:
    """No exchange, no account, no group."""
    frame, found = judged(name, exchanges([]), accounts([]))
    assert (frame.accounts, found.groups) == ((), ())


@pytest.mark.parametrize("prompt", ["solve this exercise and show every step of the work", "", None])
def test_one_account_is_judged_or_abstained_from(name: str, prompt: str | None) -> None:
    """One account, with the same prompt always, or none: a score comes out."""
    frame, _ = judged(name, exchanges([exchange(i, "only", 60.0 * i, prompt) for i in range(130)]))
    assert frame.accounts == ("only",)


def test_missing_columns_are_no_evidence(name: str) -> None:
    """The four required columns alone are a log; what is missing makes nobody suspicious by itself."""
    log, _ = mixed_log()
    frame, found = judged(name, log.select(sorted(EXCHANGE_REQUIRED)))
    assert len(frame.accounts) == 34
    if name in ("exact_dedupe", "shared_template", "shared_attribute", "prada", "seat", "cooccurrence"):
        assert (found.scores == 0).all()
        assert found.groups == ()


def test_numbers_that_are_none_are_missing(name: str) -> None:
    """NaN and infinity among the token counts, given as floating point, change nothing but themselves."""
    log, people = mixed_log()
    tokens = np.array(log["input_tokens"].to_numpy(zero_copy_only=False), dtype=np.float64)
    tokens[::3], tokens[1::7] = np.nan, np.inf
    place = log.schema.get_field_index("input_tokens")
    frame, _ = judged(name, log.set_column(place, "input_tokens", pa.array(tokens)), people)
    assert np.isnan(frame.numbers("input_tokens")).sum() == (~np.isfinite(tokens)).sum()


def test_a_result_refuses_what_no_method_may_answer() -> None:
    """A score that is no number, and an account in two groups, are faults."""
    with pytest.raises(ValueError, match="finite"):
        result(np.array([np.nan]), ())
    with pytest.raises(ValueError, match="two groups"):
        result(np.zeros(1), [Group((0,), "a"), Group((0,), "b")])


def test_a_repeated_id_counts_once_and_a_row_without_time_is_refused() -> None:
    """The earliest row of an id is kept; what is left out is counted."""
    rows = [exchange(1, "a", 5.0, "late"), exchange(1, "a", 1.0, "early"), exchange(2, "a", 2.0, "x")]
    rows += [{**exchange(3, "a", 0.0, "x"), "started_at": None}]
    frame = LogFrame.of(exchanges(rows))
    assert frame.prompt.to_pylist() == ["early", "x"]
    assert frame.refused == 2


def test_an_account_table_may_repeat_and_omit_accounts() -> None:
    """The earliest row of an account is kept; an unknown account has nulls."""
    log = exchanges([exchange(1, "a", 0.0, "x"), exchange(2, "b", 0.0, "x")])
    people = accounts(
        [
            {"account_id": "a", "created_at": 2_000_000, "payment_digest": "late"},
            {"account_id": "a", "created_at": 1_000_000, "payment_digest": "early"},
        ]
    )
    assert LogFrame.of(log, people).people["payment_digest"].to_pylist() == ["early", None]


def test_a_folder_without_a_log_is_refused(tmp_path: Path) -> None:
    """No exchanges, no Parquet, and no required column each say so."""
    with pytest.raises(SourceError, match="no exchanges"):
        read_traffic(tmp_path)
    (tmp_path / "exchanges").mkdir()
    (tmp_path / "exchanges" / "part.parquet").write_bytes(b"nothing of the kind")
    with pytest.raises(SourceError):
        read_traffic(tmp_path)
    with pytest.raises(SourceError, match="account_id"):
        LogFrame.of(pa.table({"exchange_id": ["x"], "started_at": ["2026-03-10T00:00:00Z"], "model": ["m"]}))


@pytest.mark.parametrize(
    "name", ["it's", "a[bc]d", "a*b", "w?y", "account_id=evil", "back\\slash", "**", "{x,y}", "x'] ; --"]
)
def test_a_folder_is_read_to_the_letter(tmp_path: Path, name: str) -> None:
    """Its name is no pattern that takes in other files, no partition that sets a column, and no SQL."""
    for folder, who in ((name, "good"), ("abd", "wrong"), ("aXb", "wrong"), ("wxy", "wrong")):
        (tmp_path / folder / "exchanges").mkdir(parents=True)
        pq.write_table(exchanges([exchange(1, who, 0.0, "x")]), tmp_path / folder / "exchanges" / "p.parquet")
        people = accounts([{"account_id": who, "created_at": 1, "payment_digest": who}])
        pq.write_table(people, tmp_path / folder / "accounts.parquet")
    frame = read_traffic(tmp_path / name)
    assert frame.accounts == ("good",)
    assert frame.people["payment_digest"].to_pylist() == ["good"]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    """Among whole ones, and beside them."""
    (tmp_path / "exchanges").mkdir()
    pq.write_table(exchanges([exchange(1, "a", 0.0, "x")]), tmp_path / "exchanges" / "a.parquet")
    whole = (tmp_path / "exchanges" / "a.parquet").read_bytes()
    for place in ("exchanges/b.parquet", "accounts.parquet"):
        (tmp_path / place).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(SourceError, match=place) as caught:
            read_traffic(tmp_path)
        assert "no readable Parquet" in str(caught.value)
        (tmp_path / place).unlink()
    (tmp_path / "exchanges" / "c.parquet").mkdir()
    with pytest.raises(SourceError, match=r"c\.parquet"):
        read_traffic(tmp_path)


@pytest.mark.parametrize("tokens", [1e300, -5.0, float("inf"), float("nan")])
def test_senseless_token_counts_are_missing(tmp_path: Path, tokens: float) -> None:
    """They break neither the features nor the sums of a run."""
    log = exchanges([exchange(k, "a", float(k), "x" * 50) for k in range(3)])
    place = log.column_names.index("output_tokens")
    log = log.set_column(place, "output_tokens", pa.array([tokens, 7.0, 7.0]))
    (tmp_path / "exchanges").mkdir()
    pq.write_table(log, tmp_path / "exchanges" / "p.parquet")
    frame = read_traffic(tmp_path)
    assert np.isnan(frame.numbers("output_tokens")).tolist() == [True, False, False]
    run_baseline("shared_attribute", tmp_path, tmp_path / "run")


def test_account_ids_that_are_numbers_in_one_table_still_join(tmp_path: Path) -> None:
    """Exchanges name accounts as text; an account table may hold them as whole numbers."""
    log = exchanges([exchange(1, "17", 0.0, "x"), exchange(2, "b", 0.0, "x")])
    people = pa.table({"account_id": [17], "payment_digest": ["p"]})
    assert LogFrame.of(log, people).people["payment_digest"].to_pylist() == ["p", None]


def test_an_unknown_baseline_is_refused(tmp_path: Path) -> None:
    """The hint lists the known ones."""
    with pytest.raises(ConfigError, match="no baseline oracle") as error:
        run_baseline("oracle", tmp_path, tmp_path / "run")
    assert "rate_limit" in error.value.hint


@pytest.mark.parametrize("id", ["isolation_forest", "ecod", "honeypotllm"])
def test_a_missing_package_is_missed_aloud(id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hint says how to install it."""
    module = MODULES[BASELINES[id].needs[0]]
    for loaded in [m for m in sys.modules if m.partition(".")[0] == module]:
        monkeypatch.setitem(sys.modules, loaded, None)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=module) as error:
        BASELINES[id].run(LogFrame.of(exchanges([exchange(1, "a", 0.0, "x")])))
    assert "pip install" in error.value.hint


@contextmanager
def opened(folder: Path) -> Iterator[list[str]]:
    """Names under a folder that anything in this process opens or reads meanwhile, by the kernel's word."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_NONBLOCK)
    assert descriptor >= 0
    access, opens = 0x1, 0x20
    assert libc.inotify_add_watch(descriptor, os.fsencode(folder), access | opens) >= 0
    seen: list[str] = []
    try:
        yield seen
        try:
            data = os.read(descriptor, 1 << 16)
        except BlockingIOError:
            data = b""
        at = 0
        while at < len(data):
            _, _, _, length = struct.unpack_from("iIII", data, at)
            seen.append(data[at + 16 : at + 16 + length].rstrip(b"\0").decode() or ".")
            at += 16 + length
    finally:
        os.close(descriptor)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="watches files with inotify")
def test_no_baseline_opens_the_truth(name: str, tmp_path: Path) -> None:
    """The kernel sees the watch's own control, and no one open anything under truth/ while a baseline runs."""
    log, people = mixed_log()
    traffic = write(tmp_path / "w", log, people)
    (traffic / "truth").mkdir()
    for sealed in ("accounts.parquet", "exchanges.parquet", "campaigns.jsonl"):
        (traffic / "truth" / sealed).write_text("sealed", encoding="utf-8")
    with opened(traffic / "truth") as control:
        (traffic / "truth" / "campaigns.jsonl").read_text(encoding="utf-8")
    assert "campaigns.jsonl" in control
    with opened(traffic / "truth") as seen:
        run_baseline(name, traffic, tmp_path / "run")
    assert seen == []
