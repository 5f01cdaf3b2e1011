"""Pages over a run whose every field was written by an attacker."""

from __future__ import annotations

import csv
import io
import re
from urllib.parse import quote

from markupsafe import escape

from stillwatch.report.safe import shown
from stillwatch.respond import audit
from tests.console.conftest import House
from tests.report.factory import HOSTILE, make_result

RAW = ("<script>alert(1)", '"onload="alert(2)', "\u202e", "\x1b", "\x00", "</style></script><!--")


def quiet(text: str) -> bool:
    """Whether nothing hostile stands in a page as it was written; data for drawings holds no markup either."""
    return not any(raw in text for raw in RAW)


def test_hostile_text_is_shown_and_never_run(house: House) -> None:
    """Every campaign and every account with a hostile name has a page on which it is text."""
    visitor, result = house.visitor("ana"), make_result()
    assert quiet(visitor.get("/").text)
    for campaign in result.campaigns:
        page = visitor.get(f"/campaigns/{quote(campaign.campaign_id, safe='')}")
        assert page.status_code == 200, campaign.campaign_id
        assert quiet(page.text)
        assert str(escape(shown(campaign.explanation[:30]))) in page.text
    seen = set(result.accounts["account_id"].to_pylist()) | {m.account_id for m in result.members}
    for name in sorted(seen & set(HOSTILE)):
        page = visitor.get(f"/accounts/{quote(name, safe='')}")
        assert page.status_code == 200, shown(name)
        assert quiet(page.text)
    for text in HOSTILE:
        for path in ("/accounts?q=", "/cases?q=", "/audit?q=", "/audit?subject="):
            assert quiet(house.visitor("otto").get(path + quote(text)).text)


def test_hostile_notes_and_titles_are_text(house: House) -> None:
    """Stored by the API, shown on the case, its list and in the audit record."""
    program, visitor = house.program("ana"), house.visitor("otto")
    for text in HOSTILE:
        made = program.ask("POST", "/api/v1/cases", json={"title": text[:200], "accounts": [text[:600]]})
        assert made.status_code == 201, made.text
        name = made.json()["id"]
        assert made.json()["title"] == text[:200].strip()
        assert program.ask("POST", f"/api/v1/cases/{name}/notes", json={"text": text}).status_code == 201
        assert quiet(visitor.get(f"/cases/{name}").text)
    assert quiet(visitor.get("/cases").text)
    assert quiet(visitor.get("/audit").text)


def test_a_csv_holds_data_and_no_formula(house: House) -> None:
    """Every cell that a spreadsheet would run begins with an apostrophe; no control character is left."""
    result = make_result()
    campaign = max(
        result.campaigns, key=lambda c: sum(m.campaign_id == c.campaign_id for m in result.members)
    )
    answer = house.visitor("ana").get(f"/campaigns/{quote(campaign.campaign_id, safe='')}/members.csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == sum(m.campaign_id == campaign.campaign_id for m in result.members)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", answer.text.replace("\r\n", ""))
    assert re.fullmatch(r'attachment; filename="[A-Za-z0-9-]+\.csv"', answer.headers["content-disposition"])


def test_members_are_searched_sorted_and_paged(house: House) -> None:
    """By address alone, without script; nonsense in the address is taken as not said."""
    result = make_result()
    campaign = max(
        result.campaigns, key=lambda c: sum(m.campaign_id == c.campaign_id for m in result.members)
    )
    where = f"/campaigns/{quote(campaign.campaign_id, safe='')}/members"
    visitor = house.visitor("vera")
    first = visitor.get(f"{where}?sort=exchange_count&down=1")
    found = [
        int(n.replace(",", ""))
        for n in re.findall(r'<td class="n">([\d,]+)</td><td class="n">\d{4}-', first.text)
    ]
    assert len(found) == 50
    assert found == sorted(found, reverse=True)
    second = visitor.get(f"{where}?sort=exchange_count&down=1&offset=50")
    assert "51 to" in second.text
    assert visitor.get(f"{where}?offset=-1&sort=;drop&down=maybe&tier=boss").status_code == 200
    whole = visitor.get(f"{where.removesuffix('/members')}?sort=exchange_count&down=1&offset=50")
    links = re.findall(r'href="(\?[^"]*offset=100[^"]*)#rows"', whole.text)
    assert links, "the next page is a page, not a part of one"
    assert (
        "What happened" in visitor.get(where.removesuffix("/members") + links[0].replace("&amp;", "&")).text
    )


def test_reading_members_out_is_on_record(house: House) -> None:
    """An export leaves a line with its name."""
    campaign = make_result().campaigns[0].campaign_id
    house.visitor("ana").get(f"/campaigns/{quote(campaign, safe='')}/members.json")
    with house.site.desk.look(house.someone("otto").person) as work:
        last = audit.entries(work.conn, what="members.export").rows[0]
    assert (last.person_name, last.subject) == ("ana", campaign)


def test_two_analysts_do_not_overwrite_each_other(house: House) -> None:
    """The second form, made from what is no longer so, is refused with what to do; nothing is lost."""
    name = house.program("ana").ask("POST", "/api/v1/cases", json={"title": "one"}).json()["id"]
    ana, pia = house.visitor("ana"), house.visitor("pia")
    assert (
        ana.post(f"/cases/{name}/assign", {"csrf": house.csrf(ana), "version": "1", "to": "ana"}).status_code
        == 303
    )
    late = pia.post(f"/cases/{name}/assign", {"csrf": house.csrf(pia), "version": "1", "to": "pia"})
    assert late.status_code == 409
    assert "changed by somebody else" in late.text
    assert "With ana" in ana.get(f"/cases/{name}").text


def test_a_case_is_worked_through(house: House) -> None:
    """Assigned, noted with hours, closed with a verdict, opened again: each step is on its page and on record."""
    name = house.program("ana").ask("POST", "/api/v1/cases", json={"title": "relay of six"}).json()["id"]
    ana = house.visitor("ana")
    token = {"csrf": house.csrf(ana)}
    ana.post(f"/cases/{name}/note", token | {"text": "asked the owner", "hours": "1.5"})
    closing = token | {"version": "1", "verdict": "benign_positive", "reason": "a reseller with a contract"}
    assert ana.post(f"/cases/{name}/close", closing).status_code == 303
    page = ana.get(f"/cases/{name}").text
    assert all(
        text in page for text in ("asked the owner", "a reseller with a contract", "Benign positive", "1.5")
    )
    vera = house.visitor("vera")
    assert "Add a note" not in vera.get(f"/cases/{name}").text
    refused = vera.post(f"/cases/{name}/reopen", {"csrf": house.csrf(vera), "version": "2", "reason": "no"})
    assert refused.status_code == 403
    assert ana.post(f"/cases/{name}/reopen", token | {"version": "2", "reason": "news"}).status_code == 303


def test_nothing_of_that_name_is_a_page_that_says_so(house: House) -> None:
    """Odd names, paths and numbers are not found; nothing else happens."""
    visitor = house.visitor("ana")
    for path in ("/campaigns/nope", "/cases/K-99", "/cases/nope", "/accounts/..%2f..%2fetc%2fpasswd", "/accounts/%00",
                 "/cases/K-99999999999999999999", "/static/../app.py", "/static/%2e%2e/app.py"):  # fmt: skip
        assert visitor.get(path).status_code == 404, path
