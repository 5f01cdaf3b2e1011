"""Cases, plans, appeals and grants as people type them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="pip install 'stillwatch[respond]'")

from stillwatch.report.files import write_result
from tests.respond.making import CARD, TLS, campaign, names, result
from tests.respond.test_cases import HOSTILE

ACCOUNTS = [*names("a", 4), "=cmd|x", HOSTILE.replace("\ud800", "")]


@pytest.fixture
def store(run: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A store with people, and a run beside it."""
    assert run("respond", "init", "--admin", "adam").exit_code == 0
    for name, role in (("ana", "analyst"), ("pia", "approver"), ("quin", "approver")):
        assert run("respond", "person", name, "--role", role, "--as", "adam").exit_code == 0
    group = campaign("G-1", ACCOUNTS, [CARD, TLS], exemplars=("a secret prompt",))
    write_result(result([(group, ACCOUNTS)]), Path("report"), (), "<html></html>")
    monkeypatch.setenv("STILLWATCH_PERSON", "ana")
    return run


def test_from_a_run_to_a_takedown_and_back(store: Any) -> None:
    """File, look, assign, plan, refuse to approve one's own, approve, run, undo, close."""
    assert "K-1  new: G-1, 6 accounts" in store("case", "import", "report").stdout
    assert "was filed before" in store("case", "import", "report").stdout
    assert "Campaign G-1: reasoning" in store("case", "list").stdout
    assert store("case", "assign", "K-1", "ana").exit_code == 0
    assert store("case", "note", "K-1", "looked", "--hours", "1.5").exit_code == 0
    seen = store("case", "show", "K-1").stdout
    assert "1.5 hours" in seen and "payment" in seen and "secret prompt" not in seen
    made = store("plan", "make", "K-1", "block")
    assert "6 accounts of K-1" in made.stdout and "innocent:" in made.stdout
    assert store("plan", "run", "P-1").exit_code == 2
    done = store("plan", "run", "P-1", "--as", "pia")
    assert done.exit_code == 0 and "P-1 is done" in done.stdout and "act: 6 done" in done.stdout
    real = store("plan", "make", "K-1", "block", "--by", "webhook")
    assert real.exit_code == 2 and "customers could not be told" in real.stderr
    real = store("plan", "make", "K-1", "block", "--by", "webhook", "--without-notices", "--json")
    digest = json.loads(real.stdout)["plan"]["digest"]
    held = json.loads(real.stdout)["accounts"]
    assert held["total"] == json.loads(real.stdout)["plan"]["account_count"]
    shown = store("plan", "show", "P-2", "--most", "1").stdout
    assert "nobody is told by this plan" in shown
    assert f"{held['rows'][0]['account_id']}  act, stage 1, waiting" in shown
    assert ("--from 2" in shown) == (held["total"] > 1)
    assert "may not do this" in store("plan", "approve", "P-2", "--digest", digest[:8]).stderr
    assert "1 of 1" in store("plan", "approve", "P-2", "--digest", digest[:8], "--as", "pia").stdout
    assert store("plan", "approve", "P-2", "--withdraw").exit_code == 0
    closed = store("case", "close", "K-1", "false_positive", "a school")
    assert closed.exit_code == 0 and "K-1 is closed" in closed.stdout
    assert len(store("case", "innocent").stdout.splitlines()) == 6
    assert Path("stillwatch.db").stat().st_mode & 0o077 == 0
    checked = store("respond", "check")
    assert "audit lines hold" in checked.stdout


def test_a_log_seals_what_people_did(store: Any) -> None:
    """With the verb that did it; a log in use by another is said, the work is done, and the next verb seals it."""
    pytest.importorskip("rfc8785", reason="pip install 'stillwatch[evidence]'")
    assert store("evidence", "key", "new", "Desk", "--role", "log").exit_code == 0
    assert "0 of them" in store("respond", "check").stdout
    assert store("case", "import", "report").exit_code == 0
    head = store("respond", "check").stdout.splitlines()[0].split()[-1]
    assert f"to head {head}" in store("respond", "check", "--head", head).stdout
    from stillwatch.store.tiles import TileFolder

    with TileFolder(Path("evidence/log")):
        done = store("case", "note", "K-1", "looked")
    assert done.exit_code == 0 and "has not sealed this yet" in done.stderr and "next command" in done.stderr
    assert store("case", "list").stderr == ""
    lines = store("respond", "check").stdout.splitlines()
    assert lines[0].split()[-1] == lines[1].split()[-1] != head


def test_hostile_ids_reach_neither_terminal_nor_spreadsheet(store: Any) -> None:
    """Escapes are shown, formulas are text."""
    store("case", "import", "report")
    shown = store("case", "show", "K-1").stdout
    assert "\x1b" not in shown and "\x00" not in shown and "\u202e" not in shown
    assert store("case", "show", "K-1", "--csv", "out.csv").exit_code == 0
    sheet = Path("out.csv").read_text()
    assert "\n'=cmd|x," in sheet and "\x1b" not in sheet
    listed = store("case", "list", "--json").stdout
    assert json.loads(listed)["rows"][0]["id"] == "K-1"


def test_grants_go_out_as_a_scan_reads_them(store: Any) -> None:
    """Add, export, read back."""
    from stillwatch.ingest import read_grants

    added = store(
        "grant", "add", "--org", "uni", "--purpose", "research", "--until", "2027-01-01", "--as", "pia"
    )
    assert added.exit_code == 0
    assert store("grant", "export", "g.jsonl").exit_code == 0
    table, refused = read_grants("g.jsonl")
    assert (table.num_rows, refused) == (1, [])
    assert "uni: research, every model" in store("grant", "list", "--in-force").stdout


def test_a_copy_is_made_and_restored(store: Any) -> None:
    """Into an empty store; never over a file or a store that is there."""
    store("case", "import", "report")
    assert store("respond", "backup", "copy.zip", "--as", "adam").exit_code == 0
    assert "exists and is not replaced" in store("respond", "backup", "copy.zip", "--as", "adam").stderr
    assert Path("copy.zip").stat().st_mode & 0o077 == 0
    assert "not empty" in store("respond", "restore", "copy.zip").stderr
    Path("new.toml").write_text('[respond]\nstore = "sqlite:///new.db"\n')
    assert "restored" in store("respond", "restore", "copy.zip", "--settings", "new.toml").stdout
    assert "Campaign G-1" in store("case", "list", "--settings", "new.toml").stdout


@pytest.mark.parametrize(("words", "said"), [
    (("case", "show", "P-1"), "a name such as K-12 is needed"),
    (("case", "show", "K-99"), "there is no case K-99"),
    (("case", "close", "K-1"), "give a verdict and a reason"),
    (("case", "list", "--as", "nobody"), "there is no person called nobody"),
    (("plan", "make", "K-1", "block", "--stages", "a"), "shares such as"),
    (("plan", "approve", "P-1"), "--digest is needed"),
    (("grant", "add", "--org", "x", "--purpose", "research", "--until", "soon"), "is no time"),
    (("respond", "init", "--admin", "eve"), "has been set up already"),
])  # fmt: skip
def test_slips_are_answered_with_what_to_do(store: Any, words: tuple[str, ...], said: str) -> None:
    """Exit status 2, an error and a hint."""
    done = store(*words)
    assert done.exit_code == 2
    assert said in done.stderr and "hint:" in done.stderr


def test_without_a_store_the_hint_says_how_to_begin(run: Any) -> None:
    """Not a traceback."""
    done = run("case", "list")
    assert done.exit_code == 2 and "stillwatch respond init" in done.stderr
    assert not Path("stillwatch.db").exists()


def test_a_package_from_a_case(store: Any) -> None:
    """By its name, from the store of the settings or a named one; what is neither folder nor case is said."""
    pytest.importorskip("typst", reason="pip install 'stillwatch[evidence]'")
    assert store("evidence", "key", "new", "A. Rossi", "--role", "acquirer").exit_code == 0
    assert store("case", "import", "report").exit_code == 0
    made = store(
        "evidence", "build", "K-1", "--db", "sqlite:///stillwatch.db", "--profile", "cloud", "-o", "p"
    )
    assert (made.exit_code, "sealed; check it" in made.stdout) == (0, True), made.stderr
    assert (
        store("evidence", "build", "K-1", "--run", "report", "--profile", "cloud", "-o", "q").exit_code == 0
    )
    key = next(Path("evidence/keys").glob("*.pub"))
    assert store("evidence", "verify", "p", "--key", str(key)).exit_code == 0
    for args, said in (
        (("K-2",), "case K-2"),
        (("12",), "neither the output folder of a scan nor a case"),
        (("nowhere",), "neither the output folder of a scan nor a case"),
        (("report", "--db", "sqlite:///stillwatch.db"), "belong to a case"),
        (("K-1", "--campaign", "G-1"), "a case is about one group"),
        (("K-1", "--as", "nobody"), "nobody"),
    ):
        told = store("evidence", "build", *args, "--profile", "cloud", "-o", "r")
        assert (told.exit_code, said in told.stderr) == (2, True), told.stderr
    assert not Path("r").exists()
