"""A package from a case of the store: what people did goes in, what they must not show stays out."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="pip install 'stillwatch[respond]'")
pytest.importorskip("typst", reason="pip install 'stillwatch[evidence]'")

from stillwatch.errors import ConfigError, VerificationError
from stillwatch.evidence.canonical import canonical
from stillwatch.evidence.documents import campaign_row
from stillwatch.records import Measure, Outcome, Verdict
from stillwatch.report.files import write_result
from stillwatch.respond import NotFound, appeals, audit, cases
from stillwatch.respond.planning import Wanted
from stillwatch.settings import Settings
from stillwatch.wiring.evidence_build import build_evidence, sign_evidence
from stillwatch.wiring.evidence_check import recompute_evidence, verify_evidence
from stillwatch.wiring.evidence_keys import new_key
from stillwatch.wiring.evidence_store import StoredCase
from stillwatch.wiring.takedown import import_run
from tests.protect.making import NOW
from tests.report.factory import make_campaign, make_members, make_result
from tests.respond.conftest import Office
from tests.respond.making import CARD, TLS, campaign, filed, names, planned, result
from tests.respond.test_appeals import acted, appealed
from tests.respond.test_plans import Hands, carry_out
from tests.wiring.test_evidence import Quiet, publics, settings_of

SECRET = "the name of an informant"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with an acquirer and a reviewer."""
    found = settings_of(tmp_path)
    for person, role in (("A. Rossi", "acquirer"), ("B. Okafor", "reviewer"), ("Desk", "log")):
        new_key(found, person, role)
    return found


def worked(office: Office) -> None:
    """A case that was acted on, appealed against, noted and closed; then some of its accounts came back."""
    tokens = acted(office)
    office.clock.forward(days=1)
    one = appealed(office, tokens["a001"])
    office.clock.forward(days=1)
    with office.work("quin") as work:
        appeals.decide(work, one.number, Outcome.EASED, "Our answer.", version=one.version)
    carry_out(office, 1, Hands(), by="quin")
    with office.work() as work:
        cases.note(work, 1, SECRET, hours=2.5)
        cases.note(work, 1, "read the members", hours=1.25)
    late = NOW + timedelta(days=5)
    rest = ["a000", "a002", "b001"]
    filed(office, result([(campaign("C-1", rest, [CARD, TLS], at=late), rest)], at=late))
    with office.work("bo") as work:
        cases.close(work, 1, Verdict.TRUE_POSITIVE, "clear", version=cases.get(work, 1).version)


def build(
    office: Office, settings: Settings, out: Path, profile: str = "court", who: str = "vera", **more: Any
) -> Any:
    """A package of case 1."""
    notes = more.pop("with_notes", False)
    stored = StoredCase(office.desk, office.team[who], more.pop("number", 1), notes)
    return build_evidence(
        more.pop("run", None),
        out,
        profile=profile,
        settings=settings,
        stored=stored,
        progress=Quiet(),
        env={},
        **more,
    )


def read(folder: Path, name: str) -> Any:
    """A document of a package."""
    return json.loads((folder / f"data/{name}.json").read_bytes())


def test_what_people_did_is_in_the_package(office: Office, settings: Settings, tmp_path: Path) -> None:
    """Measures, notices, appeals, hours, scans, the verdict and who gave it; attempts and confirmed apart; it verifies,
    and that it was taken out is in the audit record."""
    worked(office)
    made = build(office, settings, tmp_path / "p", case=None)
    assert made["campaigns"] == ["C-1"]
    sign_evidence(tmp_path / "p", settings=settings, signer=None, env={})
    verify_evidence(tmp_path / "p", keys=publics(tmp_path))
    p = tmp_path / "p"
    taken = [(m["account_id"], m["what"], m["executor"], m["plan"]) for m in read(p, "measures")]
    assert [t for t in taken if t[0] == "a001"] == [
        ("a001", "block", "webhook", "P-1"), ("a001", "block, taken back", "webhook", "P-1"),
    ]  # fmt: skip
    assert len({t[0] for t in taken}) == 4
    notices = read(p, "notices")
    assert {n["account_id"] for n in notices} == set(names("a", 4))
    assert all(("P-1" in n["how"] and "identity" in n["what"]) or "taken back" in n["what"] for n in notices)
    (appeal,) = [a for a in read(p, "appeals") if a["filed_at"]]
    assert (appeal["appeal"], appeal["outcome"], appeal["decided_by"]) == ("A-2", "eased", "quin")
    assert [w["hours"] for w in read(p, "work")] == [2.5, 1.25]
    case = read(p, "case")
    assert (case["state"], case["hours"], case["accounts that left"]) == ("closed", 3.75, 2)
    assert [s["relation"] for s in case["scans"]] == ["new", "shrank"]
    assert sorted(row["account_id"] for row in read(p, "former")) == ["a001", "a003"]
    (counts,) = read(p, "counts")
    assert counts["attempts"]["accounts"] == counts["confirmed"]["accounts"] == 3
    assert counts["confirmed"]["why"] == "closed as true_positive by bo"
    assert counts["first_known"] == case["scans"][0]["at"]
    came = [r for r in read(p, "circumvention")["timeline"] if r["kind"] == "ban_evasion"]
    assert {r["account_id"] for r in came} == {"b001"} and "P-1" in came[0]["fact"]
    assert [m["account_id"] for m in read(p, "exhibits/members")] == ["a000", "a002", "b001"]
    page = (p / "data/report.html").read_text()
    for said in (
        "What people did on the case",
        "Measures",
        "Appeals",
        "closed as true_positive by bo",
        "2.5",
    ):
        assert said in page or said == "2.5"
    with office.look("otto") as work:
        lines = [(e.what, e.person_name) for e in audit.entries(work.conn, limit=3).rows]
    assert ("case.evidence", "vera") in lines


@pytest.mark.parametrize("profile", ["court", "government", "cloud", "lab", "public"])
def test_who_gets_what_of_a_case(office: Office, settings: Settings, tmp_path: Path, profile: str) -> None:
    """Notes only when asked for; the customer's words never; account ids and what people wrote by the audience."""
    if office.desk.engine.dialect.name != "sqlite":
        pytest.skip("what an audience gets does not depend on the store")
    worked(office)
    p = tmp_path / "p"
    build(office, settings, p, profile)
    text = "\n".join(
        f.read_text("utf-8", "replace") for f in p.rglob("*") if f.is_file() and f.suffix != ".pdf"
    )
    assert SECRET not in text and "own documents" not in text and "Our answer" not in text
    named = re.search(
        r"(?<![\w+/])a001(?![\w+/=])", text
    )  # digests and signatures hold these letters by chance
    assert bool(named) == (profile in ("court", "cloud"))
    assert (p / "data/timeline.json").exists() == (profile in ("court", "government"))
    assert (p / "data/measures.json").exists() == (profile in ("court", "government", "cloud"))
    assert (p / "data/work.json").exists() == (profile in ("court", "government"))
    words = [s["words"] for s in read(p, "timeline")] if profile == "government" else []
    assert all(w is None or set(w) == {"withheld"} for w in words)
    if profile == "court":
        build(office, settings, tmp_path / "n", with_notes=True)
        assert SECRET in json.dumps(read(tmp_path / "n", "timeline"))


def test_with_the_folder_of_the_run(office: Office, settings: Settings, tmp_path: Path) -> None:
    """Everything of the run goes in, as in a package from the folder alone; another run's folder is refused; without
    one there are no inputs to keep, and none to recompute."""
    group = replace(make_campaign("C-1", 8, days=3), exemplars=("a prompt that was retained",))
    one = replace(
        make_result(hostile=False),
        campaigns=(group,),
        members=make_members(group),
        findings=(),
        abstentions=(),
    )
    write_result(one, tmp_path / "report", (), "<p>page</p>")
    import_run(office.desk, office.team["ana"], tmp_path / "report", progress=Quiet())
    build(office, settings, tmp_path / "bare", "cloud")
    build(office, settings, tmp_path / "whole", "cloud", run=tmp_path / "report")
    without = campaign_row(replace(group, exemplars=()))
    for name in ("bare", "whole"):
        (row,) = read(tmp_path / name, "exhibits/campaigns")
        assert sorted(row) == sorted(json.loads(canonical(without)))
        assert row["timeline"] == json.loads(canonical(without))["timeline"]
        assert len(read(tmp_path / name, "exhibits/members")) == 8
        assert "retained" not in (tmp_path / name / "data/exhibits/campaigns.json").read_text()
    assert read(tmp_path / "bare", "method")["files_of_the_run"] == {}
    assert "summary.json" in read(tmp_path / "whole", "method")["files_of_the_run"]
    with pytest.raises(VerificationError, match="no inputs were preserved"):
        recompute_evidence(tmp_path / "bare", key_file=None, progress=Quiet())
    with pytest.raises(ConfigError, match="no more of a run"):
        build(office, settings, tmp_path / "x", inputs=["logs"])
    write_result(replace(one, members=()), tmp_path / "other", (), "<p>page</p>")
    with pytest.raises(ConfigError, match="is not the run"):
        build(office, settings, tmp_path / "x", run=tmp_path / "other")


def test_slips_are_said_before_anything_is_written(
    office: Office, settings: Settings, tmp_path: Path
) -> None:
    """A case that is not there, one without a scan, and a file that says what the store says."""
    with pytest.raises(NotFound):
        build(office, settings, tmp_path / "x")
    with office.work() as work:
        cases.open_by_hand(work, "by hand", ("a1",))
    with pytest.raises(ConfigError, match="K-1 was opened by hand"):
        build(office, settings, tmp_path / "x")
    told = tmp_path / "case.toml"
    told.write_text("verdict = 'true_positive'\nverdict_by = 'X'\n")
    with pytest.raises(ConfigError, match="verdict: the store says this"):
        build(office, settings, tmp_path / "x", case=told)
    assert not (tmp_path / "x").exists()


def test_dry_runs_did_nothing(office: Office, settings: Settings, tmp_path: Path) -> None:
    """No measure, no notice; an open case confirms nothing."""
    filed(office, result({"C-1": names("a", 3)}))
    plan = planned(office, 1, Wanted(Measure.BLOCK), agree=())
    carry_out(office, plan.number, Hands())
    build(office, settings, tmp_path / "p")
    assert (read(tmp_path / "p", "measures"), read(tmp_path / "p", "notices")) == ([], [])
    assert read(tmp_path / "p", "counts")[0]["confirmed"]["accounts"] is None
