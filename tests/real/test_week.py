"""What a scan of the week must find, whom it must leave alone, and what must never come out of it.

These are the claims of the project on real text. Accounts count as found when their tier is ``member`` or
``associated``; a found group belongs to the truth campaign that supplies most of them.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterator
from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest
import zstandard

from tests.real.judged import Scanned, scan_week, shared
from tests.real.week import build_week

pytestmark = pytest.mark.slow

SCALE = 0.5
CAMPAIGNS = ("openr1", "skyt1", "alpaca", "airoboros", "grading", "sealed_replay")
"""Every truth campaign of thirty accounts or more."""
LOOK_ALIKES = (
    "popular_sdk",
    "eval_vendor",
    "red_team",
    "neutrality",
    "judge",
    "byok_app",
    "byok_cloud",
    "enterprise",
    "campus",
    "reseller",
    "translation",
    "synthetic_granted",
    "synthetic_ungranted",
    "multi_agent",
    "key_rotation",
)


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Scanned:
    """One week, built and scanned once."""
    week = tmp_path_factory.mktemp("week")
    build_week(week, shared=shared(), scale=SCALE)
    return scan_week(week)


def test_the_claims_cover_every_large_campaign_and_every_look_alike(scanned: Scanned) -> None:
    """No class of the week is left without a claim."""
    large = {k for k, c in scanned.campaigns.items() if c["kind"] == "campaign" and c["account_count"] >= 30}
    honest = {row["class"] for row in scanned.truth.values() if row["campaign_id"] is None}
    assert large == set(CAMPAIGNS)
    assert honest == {"ordinary", *LOOK_ALIKES}


def test_every_account_that_sent_something_gets_a_disposition(scanned: Scanned) -> None:
    """The scan speaks about every account of the week, so silence cannot pass for innocence."""
    assert set(scanned.truth) == set(scanned.dispositions)


@pytest.mark.parametrize("campaign", CAMPAIGNS)
def test_a_campaign_of_thirty_accounts_is_found_as_a_campaign(scanned: Scanned, campaign: str) -> None:
    """Every campaign with at least thirty accounts is found, and called a campaign."""
    assert "campaign" in {scanned.kinds[g] for g in scanned.fragments(campaign)}


def test_the_relay_pool_is_found_as_a_pool(scanned: Scanned) -> None:
    """The relay that serves unrelated customers is found, and called a pool, not a campaign."""
    assert {scanned.kinds[g] for g in scanned.fragments("pool")} == {"pool"}


@pytest.mark.parametrize("campaign", CAMPAIGNS)
def test_four_fifths_of_a_campaigns_accounts_are_found(scanned: Scanned, campaign: str) -> None:
    """At least 80 % of a campaign's accounts stand in its groups of kind campaign."""
    assert scanned.recall(campaign, "campaign") >= 0.8


def test_four_fifths_of_the_pools_accounts_are_found(scanned: Scanned) -> None:
    """At least 80 % of the relay pool's accounts stand in its groups of kind pool."""
    assert scanned.recall("pool", "pool") >= 0.8


@pytest.mark.parametrize("campaign", [*CAMPAIGNS, "pool"])
def test_a_campaigns_groups_hold_few_strangers(scanned: Scanned, campaign: str) -> None:
    """At least 95 % of the accounts in a campaign's groups are its own."""
    assert scanned.purity(campaign) >= 0.95


@pytest.mark.parametrize("campaign", [*CAMPAIGNS, "pool"])
def test_a_campaign_is_not_torn_apart(scanned: Scanned, campaign: str) -> None:
    """A campaign is reported in at most three pieces."""
    assert 1 <= len(scanned.fragments(campaign)) <= 3


def test_no_honest_account_is_to_be_acted_on(scanned: Scanned) -> None:
    """The disposition ``act`` never falls on an honest account."""
    wronged = {
        account: row["class"]
        for account, row in scanned.truth.items()
        if row["campaign_id"] is None and scanned.dispositions.get(account) == "act"
    }
    assert wronged == {}


@pytest.mark.parametrize("klass", LOOK_ALIKES)
def test_one_look_alike_organisation_in_a_hundred_is_reviewed_at_most(scanned: Scanned, klass: str) -> None:
    """Of each look-alike class at most 1 % of organisations come to ``review`` or beyond."""
    orgs = {row["org_key"] for row in scanned.truth.values() if row["class"] == klass}
    reviewed = scanned.reviewed(klass)
    assert len(reviewed) <= 0.01 * len(orgs), sorted(reviewed)


@pytest.mark.parametrize("field", ["prompt", "system_prompt", "completion", "tools", "headers"])
def test_no_canary_comes_out(scanned: Scanned, field: str) -> None:
    """Marked strings planted in this field appear in no output file, plain, cased or in base64."""
    canaries = scanned.canaries[field]
    needles = {c.encode() for c in canaries}
    needles |= {core for c in canaries for core in _in_base64(c)}
    texts = {path.name: text for path, text in _texts(scanned.run)}
    assert texts, "the scan wrote nothing"
    leaks = sorted(
        {(name, needle) for name, text in texts.items() for needle in needles if needle in text}
        | {(name, n) for name, text in texts.items() for n in needles if n.lower() in text.lower()}
    )
    assert leaks == []


def _in_base64(text: str) -> Iterator[bytes]:
    """How a string looks inside base64 at each of the three alignments, without the shared edges."""
    for pad in range(3):
        yield base64.b64encode(b"\0" * pad + text.encode())[4:20]


def _texts(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Every output file as bytes a reader would see: columns decoded, archives unpacked."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        data = path.read_bytes()
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            data += orjson.dumps(table.to_pylist(), default=str, option=orjson.OPT_NON_STR_KEYS)
            data += repr(table.schema.metadata).encode()
        elif path.suffix == ".gz":
            data = gzip.decompress(data)
        elif path.suffix == ".zst":
            data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
        yield path, data
