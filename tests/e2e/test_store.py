"""The store from outside: logs in, a scan of some days, a customer out, and what a run cost."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from stillwatch.cli import main
from stillwatch.records import EXCHANGE_SCHEMA
from stillwatch.store import open_backend
from stillwatch.store.forgetting import JOURNAL, Whom, plan_forget
from stillwatch.store.places import FolderPlace
from stillwatch.store.writer_lock import WriterLock
from stillwatch.wiring import intake

FIRST = datetime(2026, 11, 20, tzinfo=UTC)
DAYS = 4
A_DAY = 30


def logs(folder: Path) -> Path:
    """Four days of a few accounts, one JSONL file a day; ``acct-0`` sends on two days alone."""
    folder.mkdir()
    for day in range(DAYS):
        lines = []
        for n in range(A_DAY):
            account = n % 5 if day < 2 else 1 + n % 4
            lines.append(
                {
                    "exchange_id": f"{day}-{n}",
                    "started_at": (FIRST + timedelta(days=day, minutes=n)).isoformat(),
                    "account_id": f"acct-{account}",
                    "model": "m-1",
                    "prompt": f"secretword {n} of day {day}",
                    "status": 200,
                }
            )
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / f"{day}.jsonl").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Logs, a key and a store of them."""
    place = tmp_path_factory.mktemp("place")
    logs(place / "logs")
    assert run("key", "new", "--out", str(place / "k")).exit_code == 0
    added = run(
        "store", "add", str(place / "store"), str(place / "logs"), "--key-file", str(place / "k"), "--json"
    )
    assert added.exit_code == 0, added.stderr
    assert told(added)["rows"] == DAYS * A_DAY
    return place


def run(*args: str) -> Result:
    """One command of the program, in this process."""
    return CliRunner().invoke(main, args)


def told(result: Result) -> Any:
    """The JSON on standard output."""
    return json.loads(result.stdout)


def scanned(place: Path, *args: str) -> dict[str, Any]:
    """The summary of a scan of the store."""
    done = run("scan", *args, "--key-file", str(place / "k"), "--json", "--quiet")
    assert done.exit_code in (0, 10), done.stderr
    return dict(told(done))


def test_it_shows_its_days_and_holds_no_text(place: Path) -> None:
    """`store show` counts rows of every day; no byte of a prompt is in any file."""
    shown = told(run("store", "show", str(place / "store"), "--json", "--quiet"))
    assert [(day["day"], day["rows"]) for day in shown["days"]] == [
        (f"2026-11-{20 + n}", A_DAY) for n in range(DAYS)
    ]
    assert (shown["content"], shown["unfinished_deletion"]) == (["features"], False)
    for path in (place / "store").rglob("*.parquet"):
        for column in pq.read_table(path).columns:
            assert "secretword" not in str(column.to_pylist())


def test_adding_again_writes_nothing(place: Path) -> None:
    """The same logs again: no new file."""
    again = run(
        "store", "add", str(place / "store"), str(place / "logs"), "--key-file", str(place / "k"), "--json"
    )
    assert (told(again)["files"], told(again)["files already there"]) == (0, DAYS)


@pytest.mark.parametrize("kind", ["store", "logs"])
def test_a_scan_reads_the_days_it_is_told(place: Path, kind: str) -> None:
    """`--since` is read, `--until` is not, in a store and in plain logs alike; the summary says what was left out."""
    summary = scanned(place, str(place / kind), "--since", "2026-11-21", "--until", "2026-11-22T00:10:00")
    assert summary["counts"]["exchanges"] == A_DAY + 10
    assert summary["window"]["since"] == "2026-11-21T00:00:00+00:00"
    assert summary["window"]["outside"] == (A_DAY - 10 if kind == "store" else DAYS * A_DAY - A_DAY - 10)


def test_a_window_without_a_day(place: Path) -> None:
    """A window in which the store has no day is an error that says where its days are listed."""
    done = run("scan", str(place / "store"), "--since", "2027-01-01", "--key-file", str(place / "k"))
    assert done.exit_code == 2
    assert "no day of it lies" in done.stderr
    assert "store show" in done.stderr
    wrong = run("scan", str(place / "store"), "--since", "2026-11-22", "--until", "2026-11-21")
    assert wrong.exit_code == 2
    assert "--since must be before --until" in wrong.stderr


def test_a_customer_goes_and_the_runs_are_named(place: Path, tmp_path: Path) -> None:
    """Without --yes nothing changes; with it the rows go, and runs that read them or name the account are told."""
    store = tmp_path / "store"
    shutil.copytree(place / "store", store)
    report = tmp_path / "runs" / "r1"
    first = run("scan", str(store), "--out", str(report), "--key-file", str(place / "k"), "--quiet")
    assert first.exit_code in (0, 10), first.stderr
    ask = (
        "store",
        "forget",
        str(store),
        "--account",
        "acct-0",
        "--runs",
        str(tmp_path / "runs"),
        "--json",
        "--quiet",
    )
    plan = told(run(*ask))
    assert (plan["done"], plan["rows"], plan["files"]) == (False, 12, 2)
    assert told(run(*ask))["rows"] == 12
    gone = told(run(*ask, "--yes"))
    assert (gone["done"], gone["rows"]) == (True, 12)
    assert gone["runs"] == [
        {"run": str(report), "files_it_read": 2, "names_the_account": True, "campaigns": []}
    ]
    assert told(run(*ask))["rows"] == 0
    assert scanned(place, str(store))["counts"]["exchanges"] == DAYS * A_DAY - 12


def test_without_yes_an_interrupted_deletion_is_left_alone(place: Path, tmp_path: Path) -> None:
    """`expire` and `forget` only say that there is one, and change no byte; with --yes it is finished first."""
    store = tmp_path / "store"
    shutil.copytree(place / "store", store)
    plan = plan_forget(FolderPlace(store), Whom(("acct-1",)))
    note = {"accounts": ["acct-1"], "orgs": [], "changes": [asdict(change) for change in plan.changes]}
    (store / JOURNAL).write_text(json.dumps(note))
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    asks = [
        ("store", "expire", str(store), "--keep-days", "9", "--today", "2026-11-23"),
        ("store", "forget", str(store), "--account", "nobody"),
    ]
    for ask in asks:
        done = run(*ask)
        assert done.exit_code == 0, done.stderr
        assert "a deletion was interrupted" in done.stderr
        assert "nothing was changed" in done.stderr
        assert {path: path.read_bytes() for path in store.rglob("*") if path.is_file()} == before
    assert "finished a deletion" in run(*asks[1], "--yes").stderr
    assert not (store / JOURNAL).exists()
    assert plan_forget(FolderPlace(store), Whom(("acct-1",))).rows == 0


def test_an_interrupted_deletion_is_told_wherever_the_store_is_named(place: Path, tmp_path: Path) -> None:
    """A scan of a store, of a folder above it, of one day or of one file says that the deletion is not done."""
    store = tmp_path / "above" / "store"
    shutil.copytree(place / "store", store)
    (store / JOURNAL).write_text(json.dumps({"accounts": ["acct-1"], "orgs": [], "changes": []}))
    day = store / "day=2026-11-20"
    for named in (store, store.parent, day, next(day.iterdir())):
        done = run("scan", str(named), "--key-file", str(place / "k"))
        assert done.exit_code in (0, 10), done.stderr
        assert "a deletion was interrupted" in done.stderr, named
    assert "interrupted" not in run("scan", str(place / "store"), "--key-file", str(place / "k")).stderr


def test_a_window_reads_what_others_put_under_a_day(place: Path, tmp_path: Path) -> None:
    """Only files that a store named are skipped by their day: others may mean another zone; the skipped are counted."""
    other = tmp_path / "day=2026-11-20"
    other.mkdir()
    shutil.copy(place / "logs" / "3.jsonl", other / "app.jsonl")
    window = ("--since", "2026-11-23", "--until", "2026-11-24")
    mixed = scanned(place, str(other), str(place / "store"), *window)
    assert mixed["counts"]["exchanges"] + mixed["counts"]["duplicates"] == 2 * A_DAY
    assert mixed["window"]["files_not_opened"] == DAYS - 1


def test_an_organisation_goes_and_runs_that_list_its_accounts_are_named(tmp_path: Path) -> None:
    """Though a run read other files: it says something of accounts whose rows are asked to go."""
    logs_of = {"org": tmp_path / "org.jsonl", "else": tmp_path / "else.jsonl"}
    for name, path in logs_of.items():
        rows = [
            {"exchange_id": f"{name}{n}", "started_at": FIRST.isoformat(), "account_id": f"a-{n % 2}",
             "model": "m", "prompt": "p", "org_id": "o-1" if name == "org" else None} for n in range(6)
        ]  # fmt: skip
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    key = ("--key-file", str(tmp_path / "k"))
    run("key", "new", "--out", str(tmp_path / "k"))
    assert run("store", "add", str(tmp_path / "store"), str(logs_of["org"]), *key).exit_code == 0
    report = tmp_path / "report"
    assert run("scan", str(logs_of["else"]), "--out", str(report), *key, "--quiet").exit_code == 0
    gone = told(
        run("store", "forget", str(tmp_path / "store"), "--org", "o-1", "--runs", str(report), "--json")
    )
    assert gone["rows"] == 6
    assert gone["runs"] == [
        {"run": str(report), "files_it_read": 0, "names_the_account": True, "campaigns": []}
    ]


def test_a_customer_goes_from_the_state_of_a_watch(place: Path, tmp_path: Path) -> None:
    """By the same verb, also in the ledger; it refuses while the watch runs. Nothing else may write there."""
    out, state = tmp_path / "report", tmp_path / "report.state"
    logs = tmp_path / "logs"
    shutil.copytree(place / "logs", logs)
    for log in logs.iterdir():
        os.utime(log, (1, 1))
    key = ("--key-file", str(place / "k"))
    watched = ("watch", str(logs), "--out", str(out), *key, "--once", "--quiet")
    assert run(*watched).exit_code in (0, 10)
    for store in (state, state / "features"):
        ask = ("store", "forget", str(store), "--account", "acct-0", "--runs", str(out), "--json", "--quiet")
        plan = told(run(*ask))
        assert (plan["done"], plan["rows"], plan["files"], plan["files_looked_at"]) == (False, 12, 2, DAYS)
        assert plan["runs"][0]["names_the_account"]
        for verb in (
            ("expire", str(store), "--keep-days", "1", "--yes"),
            ("add", str(store), str(logs), *key),
        ):
            refused = run("store", *verb)
            assert refused.exit_code == 2
            assert "is the state of a watch" in refused.stderr
    lock = WriterLock(state)
    assert "is in use: process" in run(*ask, "--yes").stderr
    lock.release()
    assert told(run(*ask, "--yes"))["rows"] == 12
    assert told(run(*ask))["rows"] == 0
    assert scanned(place, str(state / "features"))["counts"]["exchanges"] == DAYS * A_DAY - 12
    status = told(run("watch", "--status", "--out", str(out), "--json"))
    assert status["counts"]["rows"] == DAYS * A_DAY - 12
    assert run(*watched).exit_code in (0, 10)


def test_old_days_go(place: Path, tmp_path: Path) -> None:
    """`expire` keeps the last days, today among them, and removes nothing without --yes."""
    store = tmp_path / "store"
    shutil.copytree(place / "store", store)
    ask = ("store", "expire", str(store), "--keep-days", "2", "--today", "2026-11-23", "--json", "--quiet")
    assert told(run(*ask))["days"] == ["2026-11-20", "2026-11-21"]
    assert told(run(*ask, "--yes"))["rows"] == 2 * A_DAY
    left = told(run("store", "show", str(store), "--json", "--quiet"))
    assert [day["day"] for day in left["days"]] == ["2026-11-22", "2026-11-23"]


def test_retained_exchanges_keep_the_contracts_columns(place: Path, tmp_path: Path) -> None:
    """With `retain` the store holds exchanges, and a deletion finds the account in them."""
    settings = tmp_path / "s.toml"
    settings.write_text('[privacy]\ncontent = "retain"\n')
    store = tmp_path / "store"
    added = run("store", "add", str(store), str(place / "logs"), "--key-file", str(place / "k"),
                "--settings", str(settings), "--json")  # fmt: skip
    assert added.exit_code == 0, added.stderr
    path = next(store.glob("day=2026-11-20/exchanges-*.parquet"))
    assert pq.read_schema(path).names == EXCHANGE_SCHEMA.names
    gone = told(run("store", "forget", str(store), "--account", "acct-0", "--json", "--quiet", "--yes"))
    assert gone["rows"] == 12


def test_what_is_no_store_is_said(place: Path, tmp_path: Path) -> None:
    """A folder of logs, a missing folder and nobody named are errors with a way on."""
    for verb in (("show",), ("expire", "--keep-days", "1"), ("forget", "--account", "a")):
        done = run("store", verb[0], str(place / "logs"), *verb[1:])
        assert done.exit_code == 2
        assert "not a store" in done.stderr
    run("store", "expire", str(tmp_path / "archvie"), "--keep-days", "1", "--yes")
    assert not (tmp_path / "archvie").exists()
    nobody = run("store", "forget", str(place / "store"))
    assert nobody.exit_code == 2
    assert "--account ID" in nobody.stderr


def test_a_run_tells_what_it_cost(place: Path, tmp_path: Path) -> None:
    """`--explain-plan` shows the steps with rows, bytes, seconds and peak memory; `profile` shows the same later."""
    out = tmp_path / "report"
    done = run(
        "scan", str(place / "logs"), "--key-file", str(place / "k"), "--out", str(out), "--explain-plan"
    )
    assert done.exit_code == 0, done.stderr
    profile = told(run("profile", str(out), "--json"))
    steps = {step["name"]: step for step in profile["steps"]}
    assert steps["reading"]["rows"] == DAYS * A_DAY
    size = sum(path.stat().st_size for path in (place / "logs").iterdir())
    assert steps["reading"]["bytes"] == size
    assert steps["families"]["rows"] == DAYS * A_DAY
    assert profile["total"]["peak_memory_bytes"] >= steps["reading"]["peak_memory_bytes"] > 10_000_000
    assert sum(step["seconds"] for step in profile["steps"]) <= profile["total"]["seconds"]
    shown = run("profile", str(out)).stdout
    for name in ("reading", "controller test", "in all"):
        assert name in shown
        assert name in done.stdout
    again = run(
        "scan", str(place / "logs"), "--key-file", str(place / "k"), "--out", str(out), "--overwrite", "-q"
    )
    assert again.exit_code == 0, again.stderr


def test_the_engine_prints_no_bar_of_its_own(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement that takes long must not draw into what --json prints."""
    bars: list[Any] = []

    def noted(*args: Any) -> Any:
        engine = open_backend(*args)
        bars.append(engine.con.execute("SELECT current_setting('enable_progress_bar')").fetchall())
        return engine

    monkeypatch.setattr(intake, "open_backend", noted)
    scanned(place, str(place / "logs"))
    assert bars == [[(False,)]]


def test_a_run_without_a_profile_is_said(tmp_path: Path) -> None:
    """A folder without a profile, or with a damaged one, is an error that says what to do."""
    assert "profile.json is missing" in run("profile", str(tmp_path)).stderr
    for text in ("{", '{"format": 99}', "[]"):
        (tmp_path / "profile.json").write_text(text)
        done = run("profile", str(tmp_path))
        assert done.exit_code == 2
        assert "not a readable profile" in done.stderr


def test_a_wrong_memory_limit_is_said(place: Path) -> None:
    """`--memory-limit` takes a size with a unit and nothing else."""
    done = run("scan", str(place / "logs"), "--memory-limit", "lots", "--key-file", str(place / "k"))
    assert done.exit_code == 2
    assert "--memory-limit" in done.stderr
