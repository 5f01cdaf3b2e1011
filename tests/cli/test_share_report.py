"""A report for government as a person would fill it: from the folder of a run, with what must not leave refused."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from stillwatch.cli import main
from stillwatch.report.files import write_result
from stillwatch.report.html import render_html
from tests.report.factory import make_result

FACTS = """owner = "Example Laboratory"
recipient = "the Bureau"
signed_by = "A. Rossi"
as_of = 2026-11-29T00:00:00Z
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The output folder of a scan."""
    result = make_result(hostile=False)
    write_result(result, tmp_path / "run", [], render_html(result))
    return tmp_path / "run"


def told(run: Path, facts: str, *more: str, form: str = "assessment") -> tuple[int, str]:
    """Exit status and output of one report."""
    path = run.parent / "facts.toml"
    path.write_text(FACTS + facts, encoding="utf-8")
    out = run.parent / f"out{len(list(run.parent.iterdir()))}"
    done = CliRunner().invoke(
        main,
        [
            "share",
            "report",
            str(run),
            "--for",
            form,
            "--facts",
            str(path),
            "--out",
            str(out),
            "--json",
            *more,
        ],
    )
    return done.exit_code, done.output


def test_a_report_is_written_in_every_form_and_names_files_by_their_digests(run: Path) -> None:
    """Each line of the program's points at a file of the run that has that digest."""
    status, output = told(run, "")
    assert status == 0, output
    out = Path(json.loads(output)["report"])
    assert {p.name for p in out.iterdir()} >= {"report.json", "report.md", "report.html"}
    document = json.loads((out / "report.json").read_text("utf-8"))
    digests = {hashlib.sha256(p.read_bytes()).hexdigest() for p in run.iterdir()}
    named = [
        s for part in document["sections"] for line in part["lines"] for s in line["sources"] if s["sha256"]
    ]
    assert named and {s["sha256"] for s in named} <= digests
    accounts = {m.account_id for m in make_result(hostile=False).members}
    assert not any(a in (out / "report.md").read_text("utf-8") for a in accounts)


@pytest.mark.parametrize(
    ("fact", "rule"),
    [
        ("write to bob@example.com about it", "personal data"),
        ("their list price was undercut", "antitrust: price"),
        ("Prompts in Mandarin show Chinese users", "origin is not inferred"),
        ("it certainly was theft", "no word for a judgement"),
        ("an account, ACCOUNT, did it", "names an account"),
    ],
)
def test_what_must_not_leave_stops_the_report_and_is_not_repeated(run: Path, fact: str, rule: str) -> None:
    """Personal data, business, origin by language, certainty and accounts: the place is said, nothing written."""
    fact = fact.replace("ACCOUNT", make_result(hostile=False).members[0].account_id)
    status, output = told(run, f'[[statement]]\nsection = "methods"\nfact = "{fact}"\nsource = "a letter"\n')
    assert status == 2 and rule in output and "methods.stated1" in output
    assert "bob@" not in output and not list(run.parent.glob("out*"))


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ('[[statement]]\nsection = "methods"\nfact = "x"\n', "source is needed"),
        ('[[statement]]\nsection = "weather"\nfact = "x"\nsource = "y"\n', "section: one of"),
        ("owners = 1\n", "owners: no such key"),
        ('release = "attempts.c1"\n', "release: give a list"),
        ('[[statement]]\nsection = "origin"\nfact = "x"\nsource = "y"\n', "without an attribution"),
    ],
)
def test_slips_are_answered_with_their_place(run: Path, facts: str, said: str) -> None:
    """A fact without a source, an unknown section or key, a mark that is no list, origin without a person."""
    status, output = told(run, facts)
    assert status == 2 and said in output and "hint" in output


def test_a_fact_sheet_needs_a_person(run: Path) -> None:
    """The program names nobody."""
    status, output = told(run, "", form="entity-list")
    assert status == 2 and "no person has attributed" in output


def test_what_a_person_has_cleared_is_not_reported_from_the_folder_of_its_run(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store of cases is asked; the other groups of the run are reported still."""
    pytest.importorskip("sqlalchemy", reason="pip install 'stillwatch[respond]'")
    from stillwatch.wiring.run_view import open_run

    monkeypatch.chdir(tmp_path)
    ask = (
        "respond init --admin adam",
        "respond person ana --role analyst --as adam",
        f"case import {run} --as ana",
    )
    for words in ask:
        done = CliRunner().invoke(main, words.split())
        assert done.exit_code == 0, done.output
    groups = open_run(run).campaigns.values()
    cleared, other, *_ = [g.campaign_id for g in groups if not g.granted]
    assert told(run, "", "--campaign", cleared)[0] == 0
    with sqlite3.connect("stillwatch.db") as db:
        changed = db.execute(
            "UPDATE cases SET state = 'closed', verdict = 'false_positive' WHERE campaign_id = ?", (cleared,)
        )
        assert changed.rowcount == 1
    status, output = told(run, "", "--campaign", cleared)
    assert (status, f"{cleared} is not reported: a person closed its case as false_positive" in output) == (
        2,
        True,
    )
    left = json.loads(told(run, "")[1])["not_reported"]
    assert set(left) == {cleared, *(g.campaign_id for g in groups if g.granted)}
    assert told(run, "", "--campaign", other)[0] == 0
