"""A console that says it listens has done what is done once; the first page waits for none of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stillwatch.console.app import make_app
from stillwatch.console.warming import warm
from tests.console.conftest import House

FIRST = """
import asyncio, json, sys
from pathlib import Path
import fastapi.routing, httpx, jinja2
from stillwatch.console.app import make_app
from stillwatch.console.serving import Places, open_site
from stillwatch.console.warming import warm
from stillwatch.records import Role
from stillwatch.respond import people
from stillwatch.respond.work import PROGRAM
from stillwatch.settings import Settings

folder, run, warmed = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "warm"
site = open_site(Places(run, f"sqlite:///{folder / 'store.db'}", folder), Settings(), {})
with site.work(PROGRAM) as work:
    people.add(work, "ana", [Role.ANALYST])
token = site.sessions.open(site.kept.by_name("ana"), "test", site.now())
app = make_app(site)
if warmed:
    warm(app, site)
done = {"compiled": 0, "built": 0}
def counted(what, real):
    def call(*args, **more):
        done[what] += 1
        return real(*args, **more)
    return call
jinja2.Environment.compile = counted("compiled", jinja2.Environment.compile)
fastapi.routing.get_dependant = counted("built", fastapi.routing.get_dependant)
known = set(sys.modules)
async def first():
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        client.cookies.set("stillwatch", token)
        return await client.get("/")
status = asyncio.run(first()).status_code
new = [n for n in set(sys.modules) - known if n.partition(".")[0] in {"scipy", "numpy", "stillwatch", "jinja2"}]
print(json.dumps({"status": status, "new": sorted(new), **done}))
"""


@pytest.mark.parametrize("warmed", [True, False])
def test_the_first_page_compiles_builds_and_imports_nothing(
    warmed: bool, tmp_path: Path, run_folder: Path
) -> None:
    """In a process of its own, as a console starts; one that did not warm up does all of it in that page."""
    args = [sys.executable, "-c", FIRST, str(tmp_path), str(run_folder), "warm" if warmed else "cold"]
    told = subprocess.run(args, capture_output=True, text=True, timeout=120, check=False)
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)
    assert found["status"] == 200
    done = (found["compiled"], found["built"], found["new"])
    if warmed:
        assert done == (0, 0, [])
    else:
        assert all(done)


def test_warming_leaves_no_trace(house: House) -> None:
    """No line in the audit record and nobody signed in; also where only some names are answered to."""
    auditor = house.visitor("otto")
    before = auditor.get("/audit").text
    warm(house.app, house.site)
    warm(make_app(house.site, ("console.example.com",)), house.site, "console.example.com")
    assert auditor.get("/audit").text == before


def test_a_page_that_fails_does_not_keep_the_console_from_starting(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where it failed is logged, without what it said."""

    def fails(*_: object) -> None:
        raise ValueError("quotes a name")

    monkeypatch.setattr("stillwatch.console.warming.shown", fails)
    warm(house.app, house.site)
    assert "not warmed up" in caplog.text and "quotes a name" not in caplog.text
