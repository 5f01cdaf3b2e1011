"""A TAXII server as whoever runs it meets it: members, collections, a real process, and what it says when it cannot."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

pytest.importorskip("sqlalchemy", reason="pip install 'stillwatch[taxii]'")


@contextmanager
def serving() -> Iterator[str]:
    """A server in a process of its own, on a free port; its address."""
    one = subprocess.Popen(
        [sys.executable, "-c", "from stillwatch.cli import main; main()", "share", "serve", "--listen", "127.0.0.1:0"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert one.stderr is not None
    try:
        line = one.stderr.readline()
        assert "listening on http://" in line, line
        yield line.split("listening on ")[1].split(";")[0]
    finally:
        one.send_signal(signal.SIGTERM)
        one.stderr.read()
        one.stderr.close()
        one.wait(30)


def test_from_nothing_to_a_served_object(run) -> None:
    """A member, a collection, leave; a process that serves them; what changes while it runs takes effect."""
    assert "nobody yet" in run("share", "roster").stdout
    told = json.loads(run("share", "member", "north", "--clearance", "amber", "--json").stdout)
    assert told["new"] is True
    made = run("share", "collection", "Signals", "--holds", "amber", "--json")
    number = json.loads(made.stdout)["collection"]
    assert "may read and write there" in run("share", "allow", "north", number, "--read", "--write").stdout
    assert os.stat("taxii.db").st_mode & 0o077 == 0
    with serving() as address:
        headers = {"authorization": f"Bearer {told['token']}", "accept": "application/taxii+json;version=2.1"}
        found = httpx.get(f"{address}/taxii2/", headers=headers).json()
        assert found["api_roots"] == [f"{address}/community/"]
        run("share", "allow", "north", number)
        assert httpx.get(f"{address}/community/collections/", headers=headers).status_code == 404
        run("share", "allow", "north", number, "--read")
        rows = httpx.get(f"{address}/community/collections/", headers=headers).json()["collections"]
        assert [(c["can_read"], c["can_write"]) for c in rows] == [(True, False)]
        assert "suspended" in run("share", "member", "north", "--suspend").stdout
        assert httpx.get(f"{address}/taxii2/", headers=headers).status_code == 401
    shown = run("share", "roster").stdout
    assert "member north: cleared for amber, 1 tokens, suspended" in shown
    assert told["token"] not in shown + Path("taxii.db").read_bytes().decode("latin-1")


def test_tokens_are_shown_once_and_replaced(run) -> None:
    """A second one beside the first; one that ends all before it."""
    first = json.loads(run("share", "member", "north", "--clearance", "green", "--json").stdout)["token"]
    again = json.loads(run("share", "member", "north", "--json").stdout)
    assert (again["new"], again["token"]) == (False, None)
    second = json.loads(run("share", "member", "north", "--new-token", "--json").stdout)["token"]
    assert first != second
    assert "2 tokens" in run("share", "roster").stdout
    assert "shown once: swx_" in run("share", "member", "north", "--only-token").stdout
    assert "1 tokens" in run("share", "roster").stdout


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("member", "north"), "north is new: say what may be served to it"),
        (("member", "North!", "--clearance", "red"), "is not a member's name"),
        (
            ("member", "north", "--clearance", "red", "--identity", "me"),
            "identity: not a random STIX identity",
        ),
        (("collection", " ", "--holds", "red"), "needs a title"),
        (("collection", "x", "--holds", "red", "--root", "taxii2"), "cannot be an API root"),
        (("allow", "north", "x", "--read"), "no member 'north'"),
        (("serve", "--listen", "nowhere"), "is not an address with a port"),
        (("serve", "--listen", "0.0.0.0:0"), "without HTTPS"),
    ],
)
def test_a_slip_is_told_with_what_to_do(run, args, told) -> None:
    """Nothing happens then."""
    found = run("share", *args)
    assert (found.exit_code, told in found.stderr, "hint: " in found.stderr) == (2, True, True), found.stderr


def test_a_store_of_another_form_is_left_alone(run) -> None:
    """Newer than this version: refused, with what to do."""
    import sqlite3

    run("share", "roster")
    with sqlite3.connect("taxii.db") as conn:
        conn.execute("UPDATE taxii_head SET form = 99")
    conn.close()
    found = run("share", "roster")
    assert (found.exit_code, "has form 99" in found.stderr) == (2, True)
