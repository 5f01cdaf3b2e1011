"""A hub as a newcomer meets it: the steps of its page, with real processes on this machine, and what goes wrong."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

for needed in ("sqlalchemy", "rbcl", "starlette", "httpx"):
    pytest.importorskip(needed, reason="pip install 'stillwatch[hub]'")


@contextmanager
def serving(*args: str) -> Iterator[str]:
    """A server in a process of its own, on a free port; its address."""
    command = [sys.executable, "-m", "stillwatch", "hub", *args, "--listen", "127.0.0.1:0"]
    one = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert one.stderr is not None
    try:
        line = one.stderr.readline()
        assert "listening on http://" in line, line
        yield line.split("listening on ")[1].strip()
    finally:
        one.send_signal(signal.SIGTERM)
        one.stderr.read()
        one.stderr.close()
        assert one.wait(30) == 0


def test_a_laboratory_demands_a_witness(run, tmp_path: Path) -> None:
    """The hub's log is signed by a witness in a process of its own; a hub without one is told apart from one that is
    slow, and a word that was said is held against what the witness signed."""
    from tests.share.hub.test_witnesses import witness_of

    log = json.loads(run("hub", "new", "--name", "Trial hub", "--json").stdout)["log"]
    line = json.loads(run("hub", "key", "--out", "rossi.pem", "--json").stdout)["public"]
    run("hub", "member", "add", "south", "--organisation", "South Lab", "--clearance", "amber")
    joining = ("--member", "south", "--key", "rossi.pem", "--log", log)
    with witness_of(tmp_path / "archive", log) as witness:
        demanding = (*joining, "--witness", witness.split(" ")[1])
        with serving("serve") as hub:
            early = run("hub", "join", hub, *demanding)
            assert early.exit_code == 2 and "the key is no member's" in early.stderr
            assert not Path("member.toml").exists()
            run("hub", "member", "key", "south", line, "--person", "A. Rossi")
            assert "no witness signs this log" in run("hub", "join", hub, *demanding).stderr
        with Path("hub/hub.toml").open("a") as file:
            file.write(f"witnesses = ['{witness}']\n")
        with serving("serve") as hub:
            told = run("hub", "join", hub, *demanding)
            assert "1 of your witnesses have signed its log" in told.stdout, told.stderr
            assert "nothing waits for you" in run("hub", "status").stdout
            other = run("hub", "join", hub, *joining, "--out", "other.toml")
            assert "names witnesses of its log" in other.stdout and witness.split(" ")[1] in other.stdout
    wrong = run("hub", "join", hub, *joining, "--witness", log, "--out", "third.toml")
    assert wrong.exit_code == 2 and "key of a log, not of a witness" in wrong.stderr


def test_a_laboratory_joins(run) -> None:
    """Key, membership, key holders, a pinned log, a round; a hub that changes its log is noticed."""
    log = json.loads(run("hub", "new", "--name", "Trial hub", "--json").stdout)["log"]
    line = json.loads(run("hub", "key", "--out", "rossi.pem", "--json").stdout)["public"]
    made = json.loads(
        run(
            "hub", "member", "add", "south", "--organisation", "South Lab", "--clearance", "amber", "--json"
        ).stdout
    )
    assert made["new"] and made["token"].startswith("swx_")
    assert run("hub", "member", "key", "south", line, "--person", "A. Rossi").exit_code == 0
    for folder in ("one", "two"):
        told = run(
            "hub", "keyholder", "member", "south", "--key", line, "--budget", "500", "--folder", folder
        )
        assert "1 keys, 500 evaluations a week" in told.stdout
    with ExitStack() as kept:
        hub = kept.enter_context(serving("serve"))
        holders = [kept.enter_context(serving("keyholder", "serve", "--folder", f)) for f in ("one", "two")]
        both = ("--keyholder", holders[0], "--keyholder", holders[1])
        joining = ("hub", "join", hub, "--member", "south", "--key", "rossi.pem", *both)
        wrong = run(*joining, "--log", "other+00000000+AAAA")
        assert wrong.exit_code == 2 and "another key than the one you were told" in wrong.stderr
        assert "knows south" in run(*joining, "--log", log).stdout
        assert "nothing waits for you" in run("hub", "status").stdout
        assert "404: no round has been opened" in run("hub", "round", "result").stderr
        assert "0 honey tags" in run("hub", "round", "open", *both).stdout  # as long as the week lasts
        assert ": open" in run("hub", "round", "result").stdout
        assert "has been opened" in run("hub", "round", "open", *both).stderr
        missing = run("hub", "withdraw", "report--00000000-0000-4000-8000-000000000001", "--ground", "error")
        assert missing.exit_code == 2 and "404: there is nothing of this id here" in missing.stderr
        assert "submissions 0-4" in run("hub", "transparency", hub).stdout
        run("hub", "member", "key", "south", line, "--end")
        assert "401: the key is no member's" in run("hub", "status").stderr
    seen = Path("member.checkpoint").read_text()
    assert seen.startswith("trial-hub.invalid/log\n")
    assert "A. Rossi" in run("hub", "member", "list").stdout
    stored = b"".join(p.read_bytes() for p in Path("hub").rglob("*") if p.is_file())
    assert made["token"].encode() not in stored


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("new", "--name", "<b>"), "a hub's name"),
        (("new", "--name", "x", "--url", "https://a.example/path"), "the hub's address"),
        (("serve", "--folder", "nowhere"), "is not the folder of a hub"),
        (("serve", "--tls-cert", "pyproject.toml"), "does not exist"),
        (("keyholder", "serve", "--folder", "nowhere"), "is not the folder of a key holder"),
        (("keyholder", "member", "north"), "north is new here"),
        (("keyholder", "member", "North!", "--key", "x", "--budget", "1"), "a member's name"),
        (("keyholder", "member", "north", "--key", "x", "--budget", "1"), "not the public key of a member"),
        (("status",), "is no member's file"),
        (("say", "report--1", "lovely"), "'lovely' is not one of"),
        (("round", "show"), "is no member's file"),
        (("transparency", "http://hub.example"), "not https"),
        (("transparency", "https://127.0.0.1:9"), "cannot be reached"),
    ],
)
def test_what_cannot_be_is_said(run, args: tuple[str, ...], told: str) -> None:
    """With an exit status of 2, and what to do next."""
    got = run("hub", *args)
    assert got.exit_code == 2
    assert told in got.stderr + got.stdout


def test_members_are_added_with_what_they_need(run) -> None:
    """A new one needs an organisation and a clearance; a key a person; the hub's own name is nobody's."""
    run("hub", "new", "--name", "Trial")
    line = json.loads(run("hub", "key", "-o", "k.pem", "--json").stdout)["public"]
    assert "north is new" in run("hub", "member", "add", "north", "--clearance", "green").stderr
    assert (
        "a member's name"
        in run("hub", "member", "add", "hub", "--organisation", "x", "--clearance", "red").stderr
    )
    assert "there is no member" in run("hub", "member", "key", "north", line, "--person", "x").stderr
    run("hub", "member", "add", "north", "--organisation", "x", "--clearance", "red")
    assert "belongs to a person" in run("hub", "member", "key", "north", line).stderr
    assert run("hub", "member", "key", "north", line, "--person", "x").exit_code == 0
    assert "listed already" in run("hub", "member", "key", "north", line, "--person", "y").stderr
    assert "is not empty" in run("hub", "new", "--name", "Trial").stderr


def test_beyond_this_machine_only_with_tls(run) -> None:
    """A server that others reach without TLS does not start."""
    run("hub", "new", "--name", "Trial")
    got = run("hub", "serve", "--listen", "0.0.0.0:0")
    assert got.exit_code == 2 and "without TLS" in got.stderr
