"""The hold-out: a week written without a look at the detector.

What a scan under one fixed key finds is held here, so that it is not lost again; what it does not find is named.
Another key, or another draw, finds somewhat else (`docs/benchmarks.md` shows three of each). Whoever changes the
detector to find more of it must say so, for from then on this week is no hold-out either.
"""

from __future__ import annotations

import pytest

from tests.real.judged import Scanned, scan_week, shared
from tests.real.second.week import build_week

pytestmark = pytest.mark.slow

FOUND = (
    "evol",
    "expansion",
    "two_channels",
    "thoughts",
    "trace_replay",
    "paraphrased",
    "six_accounts",
    "trajectories",
    "pool",
)
"""Campaigns, and the planted pool, of which at least half of the accounts stood in groups of their own."""
NOT_FOUND = ("covered",)
"""Ninety accounts on unlike clients, homes and loads, half of their traffic cover: nothing joined enough of them."""
MERGED = {"thoughts": 0.6}
"""Least purity where the first scan merged two campaigns that ask the same public questions; 0.95 elsewhere."""


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Scanned:
    """The second week, built and scanned once."""
    week = tmp_path_factory.mktemp("second")
    build_week(week, shared=shared())
    return scan_week(week)


def test_every_campaign_is_spoken_of(scanned: Scanned) -> None:
    """No campaign of the week is left without a line here."""
    assert set(scanned.campaigns) == {*FOUND, *NOT_FOUND}


@pytest.mark.parametrize("campaign", FOUND)
def test_what_was_found_is_still_found(scanned: Scanned, campaign: str) -> None:
    """Half of the accounts or more, in at most three groups, with few strangers."""
    recall = scanned.recall(campaign, "campaign") + scanned.recall(campaign, "pool")
    assert recall >= 0.5
    assert 1 <= len(scanned.fragments(campaign)) <= 3
    assert scanned.purity(campaign) >= MERGED.get(campaign, 0.95)


def test_the_planted_pool_is_called_a_pool(scanned: Scanned) -> None:
    """A relay with unrelated customers is no campaign."""
    assert {scanned.kinds[g] for g in scanned.fragments("pool")} == {"pool"}


def test_nobody_honest_is_to_be_reviewed_or_acted_on(scanned: Scanned) -> None:
    """Of no class, ordinary people included, does any organisation come to ``review``."""
    classes = {row["class"] for row in scanned.truth.values() if row["campaign_id"] is None}
    assert len(classes) >= 20
    assert {c: scanned.reviewed(c) for c in classes if scanned.reviewed(c)} == {}
