"""The verbs of evidence as a user meets them: what they print, and what they say of a slip."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from stillwatch.report import write_result
from tests.report.factory import make_accounts, make_campaign, make_members, make_result


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small run, which the commands run in."""
    campaign = make_campaign("C-1", 6, days=2)
    members = make_members(campaign)
    result = replace(
        make_result(hostile=False), campaigns=(campaign,), members=members, findings=(), abstentions=(),
        accounts=make_accounts(members, 3),
    )  # fmt: skip
    write_result(result, tmp_path / "report", (), "<p>page</p>")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_first_package(run, place) -> None:
    """Key, log, package, check: each step says what it did and what comes next."""
    assert "no keys; make one" in run("evidence", "key", "list").stdout
    told = run("evidence", "build", "report", "--profile", "public", "-o", "p", "-q")
    assert told.exit_code == 2
    assert "hint: make one: stillwatch evidence key new NAME --role acquirer" in told.stderr
    assert (
        "not sealed with a passphrase"
        in run("evidence", "key", "new", "A. Rossi", "--role", "acquirer").stdout
    )
    told = run("evidence", "build", "report", "--profile", "public", "-o", "p")
    assert told.exit_code == 0, told.stderr
    assert "note: no log is kept" in told.stderr
    assert "note: no timestamp" in told.stderr
    assert "values withheld; keep p.openings.json to yourself" in told.stdout
    told = run("evidence", "verify", "p")
    assert (told.exit_code, "no trusted key was given" in told.stderr) == (2, True)
    key = next((place / "evidence/keys").glob("*.pub"))
    told = run("evidence", "verify", "p", "--key", str(key))
    assert told.stdout.rstrip().splitlines()[-1].startswith("verified: package P-")
    assert json.loads(run("evidence", "verify", "p", "--key", str(key), "--json").stdout)["holds"]
    (place / "p/data/claims.json").write_text("[]")
    told = run("evidence", "verify", "p", "--key", str(key))
    assert told.exit_code == 2
    assert "error: data/claims.json was changed" in told.stderr


def test_keys_and_log(run, place) -> None:
    """New, add, list, rotate, revoke; add to the log, check it, hold it against a checkpoint that was kept."""
    assert run("evidence", "log", "add", "run", "report").exit_code == 2
    run("evidence", "key", "new", "Desk", "--role", "log")
    told = run("evidence", "log", "add", "run", "report", "report/summary.json")
    assert [line.split(":")[0] for line in told.stdout.splitlines()] == ["leaf 1", "leaf 2"]
    told = run("evidence", "log", "add", "audit", "report")
    assert told.exit_code == 2, "heads of the audit record are made by sealing alone"
    kept = (place / "evidence/log/checkpoint").read_bytes()
    (place / "kept.txt").write_bytes(kept)
    assert "3 leaves" in run("evidence", "log", "check").stdout
    assert "grew from 3" in run("evidence", "log", "check", "--against", "kept.txt").stdout
    first = json.loads(run("evidence", "key", "new", "A", "--role", "acquirer", "--json").stdout)
    run("evidence", "key", "new", "A", "--role", "acquirer", "--replaces", first["key_id"][:6])
    rows = run("evidence", "key", "list").stdout
    assert rows.count("acquirer") == 2
    assert "retired" in rows
    told = run("evidence", "key", "revoke", json.loads(run("evidence", "key", "list", "--json").stdout)[-1]["key_id"],
               "--compromised")  # fmt: skip
    assert "compromised at" in told.stdout
    assert "7 leaves" in run("evidence", "log", "check").stdout, "each key that is made or revoked is a leaf"
    (place / "okafor.pub").write_text(first_public(place, first["key_id"]))
    told = run("evidence", "key", "add", "okafor.pub", "--person", "B", "--role", "reviewer")
    assert "on the list already" in told.stderr


def first_public(place: Path, key_id: str) -> str:
    """The public half of a key."""
    return (place / f"evidence/keys/{key_id[:16]}.pub").read_text()


def test_opening(run, place) -> None:
    """Some of what was withheld, for somebody; a place where nothing lies is said."""
    run("evidence", "key", "new", "A", "--role", "acquirer")
    run("evidence", "build", "report", "--profile", "lab", "-o", "p", "-q")
    told = run("evidence", "open", "p.openings.json", "--field", "data/exhibits/members.json#/*/account_id",
               "--to", "X", "-o", "o.json")  # fmt: skip
    assert "o.json: 6 of" in told.stdout
    told = run("evidence", "open", "p.openings.json", "--field", "nowhere", "--to", "X", "-o", "n.json")
    assert (told.exit_code, "nothing that was withheld" in told.stderr) == (2, True)
    told = run("evidence", "recompute", "p")
    assert (told.exit_code, "no inputs were preserved" in told.stderr) == (2, True)


def test_what_is_not_installed_is_named(run, place, monkeypatch) -> None:
    """With the command that installs it; the rest of the program works without it."""
    monkeypatch.setitem(__import__("sys").modules, "typst", None)
    told = run("evidence", "build", "report", "--profile", "public", "-o", "p")
    assert told.exit_code == 2
    assert "evidence needs the package typst" in told.stderr
    assert "pip install 'stillwatch[evidence]'" in told.stderr
    assert run("explain", "report", "C-1").exit_code == 0
