"""The main journeys in a real browser, over a run whose names were written by an attacker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from scripts.screenshot import find_browser
from stillwatch.respond import audit
from stillwatch.wiring import check_policy

pytest.importorskip("playwright", reason="pip install playwright")

from scripts import console_journeys as journeys

AXE = Path(__file__).resolve().parents[2] / ".cache/vendor/axe.min.js"
RULES = "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.chromium,
    pytest.mark.skipif(
        find_browser() is None, reason="chromium is not on PATH; Debian: apt-get install chromium"
    ),
]


@pytest.fixture(scope="module")
def on(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[journeys.Stage]:
    folder = tmp_path_factory.mktemp("stage")
    run = journeys.with_prompts(run_folder, folder / "run")
    with journeys.stage(run, folder) as stage:
        yield stage


@pytest.fixture(scope="module")
def case(on: journeys.Stage) -> str:
    return journeys.triage(on)


@pytest.fixture(scope="module")
def plan(on: journeys.Stage, case: str) -> str:
    return journeys.takedown(on, case)


def test_the_first_sign_in(on: journeys.Stage) -> None:
    """From the printed password to the page of people, with a second factor set on the way."""
    journeys.first_sign_in(on)
    admin = on.site.kept.by_name("admin")
    assert admin is not None and admin.totp_sealed is not None


def test_a_campaign_is_triaged(on: journeys.Stage, case: str) -> None:
    """The run is filed, the campaign read, its case assigned and noted; the browser complains of nothing."""
    assert case.startswith("K-")
    assert on.wrong == []


def test_a_takedown_needs_two_others_and_acts_on_each_account_once(on: journeys.Stage, plan: str) -> None:
    """Every account was acted on once and told once; both approvals are on record."""
    acted = [m["account_id"] for m in on.told.messages if m["kind"] == "act" and not m["undo"]]
    assert len(acted) == len(set(acted)) > 10
    assert set(on.told.links()) == set(acted)
    with on.site.desk.look(on.site.desk.person("otto")) as work:
        agreed = audit.entries(work.conn, what="plan.approve", subject=plan).rows
    assert {line.person_name for line in agreed} == {"pia", "quin"}


def test_a_customer_appeals_and_a_reviewer_without_a_part_reverses(on: journeys.Stage, plan: str) -> None:
    """The account is let in again, nobody else is, and the customer reads why."""
    account = journeys.appeal(on)
    undone = {m["account_id"] for m in on.told.messages if m["kind"] == "act" and m["undo"]}
    assert undone == {account}


def test_exemplars_are_unlocked_by_two_and_read_on_record(on: journeys.Stage, case: str) -> None:
    """Redacted, for a time; the audit log has who asked, agreed and read."""
    journeys.exemplars(on, case)
    text = on.page("ana").locator("main").inner_text()
    assert "[address]" in text
    assert "ada@example.com" not in text


def test_an_approver_puts_the_policy_into_a_canary(on: journeys.Stage) -> None:
    """After a simulation; the file has a new version, and the record says who and why."""
    journeys.in_force(on)
    assert on.site.policy is not None
    told = check_policy(on.site.policy)
    assert {(r["mode"], r["canary_share"]) for r in told["rules"]} == {("canary", 0.02)}


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core was not fetched; make vendor")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_are_accessible(
    on: journeys.Stage, case: str, plan: str, theme: Literal["light", "dark"]
) -> None:
    """No violation of WCAG 2.2 A and AA that axe can see, in either theme."""
    campaign = next(iter(on.site.run.campaigns))
    found: dict[str, Any] = {}
    paths = [
        "/accounts",
        "/cases",
        "/plans",
        "/appeals?state=all",
        "/grants",
        "/exemplars",
        "/policy",
        "/me",
        "/",
    ]
    paths += [f"/campaigns/{campaign}", f"/cases/{case}", f"/cases/{case}/plan", f"/plans/{plan}"]
    asked = [("ana", path) for path in paths] + [
        ("pia", path) for path in ("/policy", "/appeals", f"/plans/{plan}")
    ]
    for name, path in asked:
        page = on.page(name)
        page.emulate_media(color_scheme=theme)
        on.go(page, path)
        page.evaluate(AXE.read_text("utf-8"))
        result = page.evaluate("axe.run(document, {runOnly: " + RULES + ", resultTypes: ['violations']})")
        bad = {v["id"]: [n["html"][:120] for n in v["nodes"][:3]] for v in result["violations"]}
        if bad:
            found[f"{name} {path}"] = bad
    assert found == {}
