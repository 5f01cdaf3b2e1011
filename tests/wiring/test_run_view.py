"""A run folder as pages see it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stillwatch.errors import SourceError
from stillwatch.report import write_result
from stillwatch.wiring.run_view import LatestRun, open_run
from tests.report.factory import make_result


def test_a_view_holds_what_was_written(tmp_path: Path) -> None:
    """Campaigns come back whole and in reading order; facts are those of the summary."""
    result = make_result()
    write_result(result, tmp_path / "run", (), "page")
    view = open_run(tmp_path / "run")
    assert view.campaigns == {c.campaign_id: c for c in result.campaigns}
    assert list(view.campaigns.values())[-1].kind == "pool"
    assert view.facts.accounts == result.summary["counts"]["accounts"]
    assert view.tables.hints()


def test_a_new_scan_in_its_place_is_seen(tmp_path: Path) -> None:
    """The next look shows the new run; without a new run it is the same view."""
    result = make_result()
    write_result(result, tmp_path / "run", (), "page")
    latest = LatestRun(tmp_path / "run")
    first = latest.view()
    assert latest.view() is first
    less = replace(result, campaigns=result.campaigns[:1])
    write_result(less, tmp_path / "run", (), "page", overwrite=True)
    assert list(latest.view().campaigns) == [result.campaigns[0].campaign_id]
    assert latest.view().digest != first.digest


@pytest.mark.parametrize("spoil", ["summary.json", "campaigns.parquet"])
def test_what_is_no_run_is_refused(tmp_path: Path, spoil: str) -> None:
    """Missing or unreadable files name the folder and what to do."""
    result = make_result()
    write_result(result, tmp_path / "run", (), "page")
    (tmp_path / "run" / spoil).write_bytes(b"\xff\x00nothing")
    with pytest.raises(SourceError, match="not a readable output"):
        open_run(tmp_path / "run")
    (tmp_path / "run" / spoil).unlink()
    with pytest.raises(SourceError, match=f"{spoil} is missing"):
        open_run(tmp_path / "run")
