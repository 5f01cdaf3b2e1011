"""Members and accounts of a run, page by page."""

from __future__ import annotations

from pathlib import Path

import pytest

from stillwatch.errors import SourceError
from stillwatch.report import write_result
from stillwatch.store.run_tables import RunTables
from tests.report.factory import HOSTILE, make_result


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "report"
    result = make_result()
    write_result(result, folder, (), "page")
    return folder


@pytest.fixture
def tables(run: Path):
    made = RunTables(run)
    yield made
    made.close()


def biggest() -> tuple[str, list[str]]:
    result = make_result()
    campaign = max(
        result.campaigns, key=lambda c: sum(m.campaign_id == c.campaign_id for m in result.members)
    )
    return campaign.campaign_id, [
        m.account_id for m in result.members if m.campaign_id == campaign.campaign_id
    ]


def test_pages_hold_every_member_once(tables: RunTables) -> None:
    """Walking the pages by any column, up or down, meets everybody once."""
    name, accounts = biggest()
    for sort in ("tier", "membership_bits", "account_id", "no such column; DROP TABLE members"):
        for down in (False, True):
            met: list[str] = []
            while len(met) < len(accounts):
                page = tables.members(name, sort=sort, down=down, offset=len(met), limit=37)
                assert page.total == len(accounts)
                met += [row["account_id"] for row in page.rows]
            assert sorted(met) == sorted(accounts)


def test_a_search_is_a_plain_substring(tables: RunTables) -> None:
    """Quotes, wildcards and patterns find what they spell and nothing else."""
    name, accounts = biggest()
    wanted = accounts[3]
    assert [r["account_id"] for r in tables.members(name, search=wanted.upper()).rows] == [wanted]
    for text in ("%", "_%_%_%", "' OR '1'='1", "(a+)+$", "\x00", "\ud800", "*" * 500):
        assert tables.members(name, search=text).total == sum(text.lower() in a.lower() for a in accounts)


def test_an_offset_beyond_the_end_is_the_last_page(tables: RunTables) -> None:
    """A stale link shows rows, not an empty table."""
    name, accounts = biggest()
    page = tables.members(name, offset=10**9, limit=50)
    assert page.rows
    assert page.last == len(accounts)


def test_accounts_are_found_whatever_their_names(tables: RunTables) -> None:
    """Names written by attackers are looked up as they are; a name nobody can have is nobody's."""
    seen = make_result().accounts["account_id"].to_pylist()
    for name in [*HOSTILE, seen[0]]:
        row, _ = tables.account(name)
        assert (row is not None) == (name in seen)
    assert tables.account("\ud800") == (None, ())


def test_a_folder_without_its_tables_is_refused(tmp_path: Path) -> None:
    """The error names the file that is missing."""
    with pytest.raises(SourceError, match=r"members\.parquet is missing"):
        RunTables(tmp_path)
