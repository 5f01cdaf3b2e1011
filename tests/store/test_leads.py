"""The file of leads keeps the newest of each, goes on where it ended, and forgets no withdrawal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from stillwatch.errors import ConfigError
from stillwatch.store.leads import Kept, LeadFile


def kept(number: int, version: int = 1, *, author: str = "a", withdrawn: bool = False) -> Kept:
    """An object."""
    return Kept("hub", f"indicator--{number}", "indicator", version, 2, author, withdrawn, b"{%d}" % version)


def test_the_newest_stays(tmp_path: Path) -> None:
    """An older one, the same one, another author's and one after a withdrawal are passed over."""
    with LeadFile(tmp_path / "leads.sqlite", make=True) as leads:
        told = leads.keep("hub", "p", [kept(1, 5), kept(2)], "T1", "now")
        assert told == {"kept": 2, "passed_over": 0, "withdrawn": 0}
        told = leads.keep(
            "hub", "p", [kept(1, 4), kept(1, 5), kept(1, 9, author="b"), kept(1, 6)], "T2", "now"
        )
        assert told == {"kept": 1, "passed_over": 3, "withdrawn": 0}
        told = leads.keep(
            "hub", "p", [kept(1, 7, withdrawn=True), kept(1, 8), kept(3, withdrawn=True)], "T3", "now"
        )
        assert told == {"kept": 2, "passed_over": 1, "withdrawn": 1}
        assert [(k.object_id[-1], k.version_ns, k.withdrawn) for k in leads.objects("indicator")] == [
            ("1", 7, True), ("2", 1, False), ("3", 1, True),
        ]  # fmt: skip
        [row] = leads.withdrawals(open_only=True)
        assert (row["object_id"], row["rested"]) == ("indicator--1", [])


def test_a_pull_goes_on_where_it_ended(tmp_path: Path) -> None:
    """How far it reached is kept with the page, and not at all when the page is not; another place begins anew."""
    path = tmp_path / "leads.sqlite"
    with LeadFile(path, make=True) as leads:
        assert leads.reached("hub", "p") == ""
        leads.keep("hub", "p", [kept(1)], "T1", "now")

        def broken() -> Iterator[Kept]:
            yield kept(2)
            raise RuntimeError

        with pytest.raises(RuntimeError):
            leads.keep("hub", "p", broken(), "T2", "now")
    with LeadFile(path) as leads:
        assert leads.reached("hub", "p") == "T1"
        assert leads.reached("hub", "q") == ""
        assert [k.object_id for k in leads.objects("indicator")] == ["indicator--1"]
    assert os.stat(path).st_mode & 0o077 == 0


def test_what_rested_on_it_is_told_with_a_withdrawal(tmp_path: Path) -> None:
    """Each campaign once; acknowledged it waits no longer."""
    with LeadFile(tmp_path / "leads.sqlite", make=True) as leads:
        leads.keep("hub", "p", [kept(1)], "T1", "now")
        for _ in range(2):
            leads.rest([("indicator--1", "r", "C-1", "report"), ("indicator--1", "r", "C-2", "report")])
        leads.keep("hub", "p", [kept(1, 2, withdrawn=True)], "T2", "now")
        [row] = leads.withdrawals(open_only=True)
        assert [r["campaign_id"] for r in row["rested"]] == ["C-1", "C-2"]
        leads.acknowledge("hub", "indicator--1", "ana", "later")
        assert leads.withdrawals(open_only=True) == []
        assert leads.withdrawals(open_only=False)[0]["acknowledged_by"] == "ana"


def test_what_is_no_file_of_leads_is_told(tmp_path: Path) -> None:
    """Missing, something else, of another form."""
    with pytest.raises(ConfigError, match="is not there"):
        LeadFile(tmp_path / "none")
    (tmp_path / "text").write_text("hello " * 300)
    with pytest.raises(ConfigError, match="no file of leads"):
        LeadFile(tmp_path / "text")
    with LeadFile(tmp_path / "x", make=True) as leads:
        leads._conn.execute("UPDATE about SET form = 9")
        with pytest.raises(ConfigError, match="no such object"):
            leads.find("indicator--9")
    with pytest.raises(ConfigError, match="form 9"):
        LeadFile(tmp_path / "x")
