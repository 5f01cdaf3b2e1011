"""What others shared stands on pages beside a finding, says whose word it is, and makes nobody look guilty."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from stillwatch.console.serving import Places
from stillwatch.settings import Settings
from stillwatch.wiring.lead_view import BESIDE, WHAT
from stillwatch.wiring.run_view import open_run
from stillwatch.wiring.runs import run_id_of
from tests.console.conftest import Clock, House, furnish
from tests.protect.making import NOW

SECTION = re.compile(r'<section aria-labelledby="leadsh">.*?</section>', re.DOTALL)
HOSTILE = "</code><script>alert(1)</script>\u202e"


def lead(n: int, accounts: list[str], **more: Any) -> dict[str, Any]:
    """A lead that began to hold three days ago, as it stands in the file."""
    us = [int((NOW + timedelta(days=days)).timestamp() * 1e6) for days in (-3, 9)]
    return {
        "kind": "asn", "value": f"AS{64500 + n}", "source": "hub", "reliability": 0.6, "bits": 4.2, "level": "amber",
        "object_id": f"indicator--{n}", "valid_from_us": us[0], "valid_until_us": us[1], "exchanges": 7,
        "accounts": accounts, "met": len(accounts), "campaigns": {}, **more,
    }  # fmt: skip


@pytest.fixture
def run(tmp_path: Path, run_folder: Path) -> Path:
    """A run of this test's own."""
    shutil.copytree(run_folder, tmp_path / "report")
    return tmp_path / "report"


@pytest.fixture
def house(tmp_path: Path, run: Path, first_store: Path, kept_password: str) -> Iterator[House]:
    """A console over it."""
    shutil.copy(first_store, tmp_path / "store.db")
    made = furnish(
        Places(run, f"sqlite:///{tmp_path / 'store.db'}", tmp_path), Settings(), kept_password, Clock()
    )
    yield made
    made.site.simulations.close()
    made.site.desk.close()


def lay(folder: Path, *matches: dict[str, Any], **more: Any) -> None:
    """Leads beside the run."""
    told = {
        "what": WHAT, "matches": matches, "leads": 5, "accounts_looked_at": 90, "not_used": {},
        "looked_at": NOW.isoformat(), "run": run_id_of(folder), **more,
    }  # fmt: skip
    (folder / BESIDE).write_text(json.dumps(told))


def some(run: Path) -> tuple[str, str, str]:
    """A group, an account of it, and an account of none."""
    view = open_run(run)
    campaign = next(iter(view.campaigns))
    members = {row["account_id"] for c in view.campaigns for row in view.tables.each_member(c)}
    rows = view.tables.accounts(
        search="", hint="", sort="account_id", down=False, offset=0, limit=10_000
    ).rows
    outside = next(row["account_id"] for row in rows if row["account_id"] not in members)
    inside = next(row["account_id"] for row in view.tables.each_member(campaign))
    return campaign, inside, outside


def test_a_campaign_shows_leads_with_source_reliability_age_and_what_they_are_not(
    run: Path, house: House
) -> None:
    """They are told as no verdict; the rest of the page is as without them; other groups say that nothing met them."""
    campaign, inside, outside = some(run)
    page, others = (
        f"/campaigns/{quote(campaign, safe='')}",
        [c for c in open_run(run).campaigns if c != campaign],
    )
    ana = house.visitor("ana")
    before = ana.get(page).text
    assert not SECTION.search(before)
    lay(run, lead(1, [inside, outside], campaigns={campaign: 1}, source=HOSTILE, value=HOSTILE))
    after = ana.get(page).text
    [section] = SECTION.findall(after)
    assert "A lead is no verdict" in section and "no ground to act on an account" in section
    assert all(said in section for said in ("60\u202f%", "3 days", "TLP:AMBER"))
    assert "2 <small>of 90</small>" in section and "4.2" in section
    assert "<script" not in section and "\u202e" not in section and "alert(1)" in section
    assert SECTION.sub("", after).split() == before.split()
    other = ana.get(f"/campaigns/{quote(others[0], safe='')}").text
    assert (
        "None of the 5 leads that were looked for met this group. That says nothing for or against it."
        in other
    )


def test_an_account_that_a_lead_met_is_no_suspect(run: Path, house: House) -> None:
    """Outside every group the page says so first, weighs nothing, names what is shared; the rest is as without it."""
    _, inside, outside = some(run)
    ana = house.visitor("ana")
    before = {account: ana.get(f"/accounts/{quote(account, safe='')}").text for account in (inside, outside)}
    ended = int((NOW - timedelta(days=1)).timestamp() * 1e6)
    lay(run, lead(1, [inside, outside]), lead(2, [inside]), lead(3, [inside, outside], valid_until_us=ended))
    for account, said, rows in (
        (outside, "This account is in no group of this run, and this does not change that.", 1),
        (inside, "No verdict, and no part of why it is in: it would be in without this.", 2),
    ):
        after = ana.get(f"/accounts/{quote(account, safe='')}").text
        [section] = SECTION.findall(after)
        assert (
            said in section
            and "o verdict" in section
            and "nothing is to be done to the account because of it" in section
        )
        assert section.count("<code>") == rows
        assert not re.search("bits|4\\.2|suspect|attack|extract", section, re.IGNORECASE)
        assert SECTION.sub("", after).split() == before[account].split()


@pytest.mark.parametrize("bad", ["{", "[]", "null", '{"what": 1}', "another run", "too deep"])
def test_a_file_that_is_none_stops_no_page(run: Path, house: House, bad: str) -> None:
    """Damaged, or of another run: the campaign's page says so, and no account's page says anything."""
    campaign, inside, _ = some(run)
    lay(
        run, lead(1, [inside], campaigns={campaign: 1}), **({"run": "0" * 32} if bad == "another run" else {})
    )
    if bad != "another run":
        (run / BESIDE).write_text("[" * 100_000 if bad == "too deep" else bad)
    ana = house.visitor("ana")
    page = ana.get(f"/campaigns/{quote(campaign, safe='')}")
    assert (page.status_code, "scan with --leads again" in page.text, "AS64501" in page.text) == (
        200,
        True,
        False,
    )
    account = ana.get(f"/accounts/{quote(inside, safe='')}")
    assert (account.status_code, SECTION.search(account.text)) == (200, None)


def test_newer_leads_are_shown_at_the_next_page(run: Path, house: House) -> None:
    """And many are bounded."""
    campaign, inside, _ = some(run)
    ana, page = house.visitor("ana"), f"/campaigns/{quote(campaign, safe='')}"
    lay(run, lead(1, [inside], campaigns={campaign: 1}))
    assert "AS64501" in ana.get(page).text
    lay(run, *(lead(n, [inside], campaigns={campaign: 1}) for n in range(2, 73)))
    text = ana.get(page).text
    assert ("AS64501" in text, "21 more leads" in text) == (False, True)
