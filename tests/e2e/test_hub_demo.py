"""A hub at work as a user sees it: real processes over TLS, what each found alone, and what they found together."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stillwatch.cli import main

for needed in ("sqlalchemy", "rbcl", "starlette", "httpx", "cryptography"):
    pytest.importorskip(needed, reason="pip install 'stillwatch[hub]'")


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result, dict[str, Any]]:
    """One demonstration."""
    out = tmp_path_factory.mktemp("hub") / "out"
    result = CliRunner().invoke(main, ["hub", "demo", "--out", str(out), "--quiet"], prog_name="stillwatch")
    assert result.exit_code == 0, result.output
    return out, result, json.loads((out / "demo.json").read_text("utf-8"))


def test_together_they_know_more_than_each_alone(played: tuple[Path, Result, dict[str, Any]]) -> None:
    """Two thirds are found alone and joined; the last one, that its laboratory missed, is met by shared indicators."""
    _, result, told = played
    planted = {lab: set(accounts) for lab, accounts in told["planted"].items()}
    alone = {lab: {a for group in told["alone"][lab].values() for a in group} for lab in planted}
    joined = [lab for lab in planted if told["pairs"].get(lab)]
    assert joined == ["north", "south"] and not alone["west"]
    for lab in joined:
        assert len(alone[lab] & planted[lab]) > len(planted[lab]) / 2
        assert len(alone[lab] - planted[lab]) <= 2
    assert len(set(told["met"]["west"]) & planted["west"]) > len(planted["west"]) / 2
    assert set(told["met"]["west"]) <= planted["west"]
    assert "known as one network together" in result.stdout and "Simulated traffic, seed 7" in result.stdout


def test_words_and_joins_count_as_they_should(played: tuple[Path, Result, dict[str, Any]]) -> None:
    """A join corroborates, a third word establishes, an appeal sets back, an upheld one withdraws everywhere."""
    steps = "\n".join(played[2]["steps"])
    for said in (
        "joined clusters counted: corroborated", "says `seen`: established", "south hears when",
        "west is not concerned, and hears nothing", "reported (appealed)",
        "withdrawn (appeal_upheld), acknowledged by 2 of 2", "its pair re-opened: corroborated",
    ):  # fmt: skip
        assert said in steps, steps


def test_everything_is_a_leaf_and_nothing_is_left_running(
    played: tuple[Path, Result, dict[str, Any]],
) -> None:
    """Log and journal agree, tags are destroyed, no laboratory's address lies at the hub, no process runs."""
    from stillwatch.store.hub_journal import Journal
    from stillwatch.wiring.hub_folder import hub_folder, hub_log

    out = played[0]
    entries = Journal(out / "hub" / "journal.db").since(0)
    with hub_log(hub_folder(out / "hub")) as log:
        assert log.size == len(entries)
    kinds = [json.loads(body)["kind"] for _, body, _ in entries]
    assert {"member", "key", "round", "commitment", "contribution", "joined", "submission", "feedback", "case", "step",
            "appeal", "answer", "withdrawal", "acknowledgement"} <= set(kinds)  # fmt: skip
    journal = Journal(out / "hub" / "journal.db")
    assert not any(journal.blob(n) for n, kind in enumerate(kinds, 1) if kind in ("contribution", "round"))
    accounts = {a for group in played[2]["alone"]["north"].values() for a in group}
    stored = b"".join(p.read_bytes() for p in (out / "hub").rglob("*") if p.is_file())
    assert not any(a.encode() in stored for a in accounts)
    for proc in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert str(out).encode() not in proc.read_bytes(), proc
        except (FileNotFoundError, ProcessLookupError):
            continue


def test_no_laboratory_stands_in_what_another_pulled(played: tuple[Path, Result, dict[str, Any]]) -> None:
    """Names, identities and addresses of others are nowhere in what a laboratory has."""
    out = played[0]
    for lab, others in (("north", ("south", "west")), ("west", ("north", "south"))):
        pulled = (out / lab / "leads.sqlite").read_bytes().lower()
        assert not any(
            f"laboratory {o}".encode() in pulled or f"{o}.example".encode() in pulled for o in others
        )


@pytest.mark.slow
def test_parts_end_when_whoever_started_them_is_killed(tmp_path: Path) -> None:
    """Not even a killed demonstration leaves a server behind."""
    out = tmp_path / "out"
    one = subprocess.Popen(
        [sys.executable, "-m", "stillwatch", "hub", "demo", "--out", str(out), "--quiet"],
        start_new_session=True,
    )
    end = time.monotonic() + 240
    while not (out / "hub.log").exists() and time.monotonic() < end:
        time.sleep(0.2)
    time.sleep(1)
    os.kill(one.pid, signal.SIGKILL)
    one.wait()
    while time.monotonic() < end and _there(out):
        time.sleep(0.5)
    assert not _there(out)


def _there(out: Path) -> list[str]:
    """Processes of a demonstration."""
    found = []
    for proc in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(out).encode() in proc.read_bytes():
                found.append(proc.parent.name)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found
