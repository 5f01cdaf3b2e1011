"""What a person reads: pages that are drawn, text that cannot steer, nothing that the audience does not get."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stillwatch.evidence import report
from stillwatch.evidence.canonical import plain
from stillwatch.evidence.documents import documents, exhibits
from stillwatch.evidence.profiles import PROFILES
from stillwatch.evidence.redact import withhold
from stillwatch.records import Kind
from stillwatch.records.evidence import (
    Acceptance,
    AppealRow,
    CaseFile,
    CaseRecord,
    CaseStep,
    Circumvention,
    Evasion,
    MeasureTaken,
    Notice,
    SeenInRun,
)
from tests.evidence.packing import bytes_in_turn
from tests.report.factory import HOSTILE, SUMMARY, make_campaign, make_finding, make_members, make_result

DAY = datetime(2026, 3, 10, tzinfo=UTC)
HINTS = dict.fromkeys(Evasion, "what it would take")


def a_case(hostile: bool = False) -> CaseFile:
    """A case with everything filled in."""
    if hostile:
        result = make_result()
        campaigns = tuple(c for c in result.campaigns if c.kind is Kind.CAMPAIGN)
        members, findings = result.members, result.findings
    else:
        campaigns = (make_campaign("C-1", 30),)
        members, findings = make_members(campaigns[0]), (make_finding("C-1"),)
    account = members[0].account_id
    return CaseFile(
        "case 1", HOSTILE[0] if hostile else "Suspected extraction", campaigns, members, findings, SUMMARY, {"a": "00"},
        (Acceptance(account, "2026-01", DAY, "card"),),
        (Circumvention(Evasion.JAILBREAK, None, account, HOSTILE[2] if hostile else "fact", "source"),),
        (Notice(DAY, account, "reason", "e-mail"),), verdict="true_positive", verdict_by="C",
    )  # fmt: skip


def a_page(case: CaseFile, profile: str = "court") -> dict[str, Any]:
    """The page of a case, as a package of that profile has it."""
    audience = PROFILES[profile]
    made: dict[str, Any] = {
        "package_id": "P-1", "case_id": case.case_id, "created_at": DAY.isoformat(), "program": "stillwatch",
        "person": "A", "key_id": "00",
        "settings_digest": "00", "title": case.title, "profile": profile, "audience": audience.audience, "withheld": 0,
        "seals": {"signatures": 2, "timestamps": 1, "log": "log.example/evidence"},
    }  # fmt: skip
    for name, (value, _) in exhibits(case).items():
        if name in audience.leaves_out:
            continue
        made[f"exhibits/{name}"] = withhold(value, name, audience.withholds, bytes_in_turn())[0]
    for name, value in documents(case, {}, HINTS).items():
        if name not in audience.leaves_out:
            made[name] = withhold(value, name, audience.withholds, bytes_in_turn())[0]
    return made


def test_the_pages_are_drawn(tmp_path: Path) -> None:
    """Rendered to PNG, each page has ink from edge to edge of its text and none outside the margins."""
    image = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    typst = pytest.importorskip("typst", reason="typst is not installed")
    pages = typst.compile(**report.typeset(a_page(a_case())), format="png", ppi=40)
    assert 4 <= len(pages) <= 20
    for number, data in enumerate(pages):
        path = tmp_path / f"{number}.png"
        path.write_bytes(data)
        grey = image.open(path).convert("L")
        box = grey.point(lambda v: 255 if v < 200 else 0).getbbox()
        assert box is not None, f"page {number} is empty"
        assert box[0] >= grey.width * 0.09, f"page {number} runs out to the left"
        assert box[2] <= grey.width * 0.91, f"page {number} runs out to the right"


def test_the_pdf_is_an_archive_format_and_repeats() -> None:
    """PDF/A, the same bytes for the same page."""
    pytest.importorskip("typst", reason="typst is not installed")
    one, other = (report.pdf(a_page(a_case())) for _ in range(2))
    assert one == other
    assert one.startswith(b"%PDF")
    assert b"pdfaid" in one


def test_hostile_text_stays_text() -> None:
    """Markup, scripts, escapes and reversed letters are shown as what they are, in both twins; nothing is loaded."""
    pytest.importorskip("typst", reason="typst is not installed")
    page = a_page(a_case(hostile=True))
    text = report.html(page)
    assert "<script" not in text
    assert "javascript:" not in re.sub(r">[^<]*<", "><", text)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e\u200b\u2028]", text)
    assert not re.search(r"<(img|link|iframe|object)", text)
    assert "default-src 'none'" in text
    assert report.pdf(page).startswith(b"%PDF")


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_each_audience_reads_what_it_gets(profile: str) -> None:
    """The model holds account ids and shared values only where the profile does; what is left out has no section."""
    model = report.model(a_page(a_case(), profile))
    text = json.dumps(model)
    case = a_case()
    assert (case.members[0].account_id in text) == (profile in ("court", "cloud"))
    assert (case.campaigns[0].evidence[0].value in text) == (profile in ("court", "government"))
    assert (model["groups"][0]["exposure"] is None) == (profile in ("cloud", "lab", "public"))
    assert (model["circumvention"] is None) == (profile == "public")
    assert bool(model["groups"][0]["members"]) == (profile != "public")
    count = f"{case.members[0].exchange_count}"
    assert [count in row for row in model["groups"][0]["members"][:1]] == {"public": [], "lab": [False]}.get(
        profile, [True]
    )
    assert ("Confidential" in model["footer"]) == (profile != "public")
    assert "exemplars" not in json.dumps(plain(exhibits(case)["campaigns"][0]))


@pytest.mark.parametrize(("signatures", "stamps", "log", "said"), [
    (2, 2, "log.example/e", "2 people sign; 2 RFC 3161 timestamps; in the log log.example/e"),
    (1, 0, None, "one person signs; no timestamp; in no log"),
])  # fmt: skip
def test_a_reader_with_the_pages_alone_knows_how_to_check(
    signatures: int, stamps: int, log: str | None, said: str
) -> None:
    """What seals the package, and the commands as they are typed: the verifier takes them."""
    page = a_page(a_case())
    page["seals"] = {"signatures": signatures, "timestamps": stamps, "log": log}
    model = report.model(page)
    assert model["seals"] == said
    wanted = ["--key acquirer.pem", "--key reviewer.pem"][:signatures]
    assert model["check"][1] == f"python3 data/verify_package.py . {' '.join(wanted)}"
    assert f"<code>{model['check'][1]}</code>" in report.html(page)
    assert "unauthorised distillation (true_positive), by C" in report.html(page)


def test_what_people_did_is_told_by_plan_and_step() -> None:
    """As far as the audience gets it; hostile names stay text; what is left out says so."""
    from dataclasses import replace

    record = CaseRecord(
        "closed", DAY, None, 2.5, (SeenInRun("ab" * 16, DAY, "new", 3, 3, 0, "5e", "0.1"),),
        tuple(MeasureTaken(DAY, f"acct-{n}", "block", "webhook", "P-1") for n in range(70)),
        tuple(AppealRow(f"A-{n}", f"acct-{n}", "block", "offered", DAY, None, None, None, None) for n in range(70)),
        (CaseStep(DAY, HOSTILE[0], "note", None), CaseStep(DAY, "bo", "state", HOSTILE[1])), ("acct-1",),
    )  # fmt: skip
    case = replace(a_case(), record=record)
    shown = report.model(a_page(case))["record"]
    assert shown["measures"] == [["P-1", "block", "webhook", "70", *["2026-03-10 00:00 UTC"] * 2]]
    assert (len(shown["appeals"]), shown["more_appeals"]) == (60, 10)
    assert shown["steps"][0][3] == "left out"
    assert report.model(a_page(case, "lab"))["record"]["measures"] == []
    assert report.model(a_page(case, "government"))["record"]["steps"][1][3].startswith("withheld ")
    assert report.model(a_page(a_case()))["record"] is None
    assert "<script" not in report.html(a_page(case))
    pytest.importorskip("typst", reason="typst is not installed")
    assert report.pdf(a_page(case)).startswith(b"%PDF")


def test_counts_stay_apart_until_a_person_confirms() -> None:
    """Attempts are there; confirmed is empty with its reason while the case is open."""
    from dataclasses import replace

    case = a_case()
    closed = documents(case, {}, HINTS)["counts"][0]
    still = documents(replace(case, verdict=None, verdict_by=None), {}, HINTS)["counts"][0]
    assert still["attempts"] == closed["attempts"]
    assert still["confirmed"]["accounts"] is None
    assert "no person has closed" in still["confirmed"]["why"]
    assert closed["confirmed"]["accounts"] == closed["attempts"]["accounts that belong firmly"]
    assert "none: no person has closed" in json.dumps(
        report.model(a_page(replace(case, verdict=None, verdict_by=None)))
    )
