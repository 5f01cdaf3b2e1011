"""A stranger's indicator becomes something to look for, or is left with a reason; an answer has no free text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.records.leads import Lead, Reliability
from stillwatch.records.sharing import Tlp
from stillwatch.share import marking
from stillwatch.share.leads import DAY_US, VERDICTS, answer, lead_of, understood, withdrawn
from stillwatch.share.patterns import pattern
from stillwatch.share.taxii.moments import micros_of
from stillwatch.share.taxii.objects import Checked, check
from tests.share.making import OBSERVABLES
from tests.share.making import objects as campaign

MADE = datetime(2026, 11, 1, tzinfo=UTC)


def indicator(**more: Any) -> dict[str, Any]:
    """An indicator of somebody else's."""
    return {
        "type": "indicator", "spec_version": "2.1", "id": f"indicator--{UUID(int=1, version=4)}",
        "created": "2026-11-01T00:00:00.000Z", "modified": "2026-11-01T00:00:00.000Z", "pattern_type": "stix",
        "pattern": "[autonomous-system:number = 64500]", "valid_from": "2026-11-01T00:00:00Z",
        "valid_until": "2026-12-01T00:00:00Z", "object_marking_refs": [marking.IDS[Tlp.AMBER]], **more,
    }  # fmt: skip


def lead(stix: dict[str, Any]) -> Lead | str:
    """What becomes of it."""
    one = check(stix)
    assert isinstance(one, Checked), one
    return lead_of("hub", one, stix)


def test_what_we_share_is_understood_again() -> None:
    """Every indicator of our own bundles, except names of domains: traffic has none."""
    made = [lead(o) for o in campaign() if o["type"] == "indicator"]
    leads = [m for m in made if isinstance(m, Lead)]
    assert [m for m in made if not isinstance(m, Lead)] == ["a pattern that is not understood"]
    assert {(x.kind, x.value) for x in leads} == {
        (o.kind, o.value.removeprefix("AS")) for o in OBSERVABLES if o.kind != "domain"
    }


@pytest.mark.parametrize(
    "text",
    [
        "[autonomous-system:number = 64500] OR [ipv4-addr:value = '203.0.113.0/24']", "[ipv4-addr:value = '0.0.0.0/0']",
        "[ipv4-addr:value = '10.0.0.1']", "[ipv6-addr:value = '::/0']", "[autonomous-system:number = 0]",
        "[ipv4-addr:value = '203.0.113.1/24']", "[ipv4-addr:value LIKE '203%']", "[ipv4-addr:value MATCHES '(a+)+$']",
        "[autonomous-system:number = 064500]", "", "x" * 100_000, "[ipv4-addr:value = '203.0.113.7' ]",
        "[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = 'x']",
        "[network-traffic:x_ja4 = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa']", None, 5, ["x"],
    ],
)  # fmt: skip
def test_a_pattern_that_is_not_ours_is_not_used(text: Any) -> None:
    """Wide, private, joined, regular, long, wrong: never executed, never shortened."""
    assert understood(text) is None


@given(st.text(max_size=80))
def test_any_text_is_left_or_comes_out_the_same(text: str) -> None:
    """There is no third way."""
    for candidate in (text, f"[ipv4-addr:value = '{text}']", f"[autonomous-system:number = {text}]"):
        found = understood(candidate)
        assert found is None or pattern(*found) == candidate


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"revoked": True}, "withdrawn"), ({"pattern_type": "sigma"}, "a pattern in another language"),
        ({"pattern_type": None}, "a pattern in another language"), ({"pattern": 5}, "a pattern that is not understood"),
        ({"valid_until": "soon"}, "its validity cannot be read"), ({"valid_from": 3}, "its validity cannot be read"),
        ({"valid_until": "2026-10-01T00:00:00Z"}, "it ends before it begins"),
    ],
)  # fmt: skip
def test_why_an_indicator_is_no_lead(more: dict[str, Any], told: str) -> None:
    """Each has its reason."""
    assert lead(indicator(**more)) == told


def test_a_lead_ages() -> None:
    """An address within a month of its making, anything without an end as well, whatever its author says."""
    far = "2099-01-01T00:00:00Z"
    made = micros_of(MADE)
    address = lead(indicator(pattern="[ipv4-addr:value = '203.0.113.7']", valid_until=far))
    assert isinstance(address, Lead)
    assert address.valid_until_us == made + 30 * DAY_US
    unstated = indicator()
    del unstated["valid_until"]
    asn, long = lead(unstated), lead(indicator(valid_until=far))
    assert isinstance(asn, Lead)
    assert isinstance(long, Lead)
    assert (asn.valid_until_us, long.valid_until_us) == (made + 30 * DAY_US, made + 400 * DAY_US)


@given(share=st.floats(0.01, 0.99), hits=st.integers(0, 1000), more=st.integers(0, 100_000))
def test_bits_are_bounded_by_rarity_and_reliability(share: float, hits: int, more: int) -> None:
    """Never more than how rare the value is here, more for a better source, less for a commoner value."""
    import math

    accounts = hits + more
    bits = Reliability(share).bits(hits, accounts)
    assert bits <= math.log2((accounts + 1) / (hits + 1)) + 0.06
    assert bits >= -0.06
    assert Reliability(min(0.999, share + 0.1)).bits(hits, accounts) >= bits - 0.06
    assert Reliability(share).bits(hits + 1, accounts + 1) <= bits + 0.06


def test_an_answer_says_only_what_its_words_say() -> None:
    """Closed vocabulary, the object's own level, days and not moments of what was seen."""
    now = MADE + timedelta(hours=3, minutes=7)
    sender = "identity--3b1f0c62-6a0e-4c0b-9d55-0d5a2f6f7a01"
    about = indicator()["id"]
    for verdict in VERDICTS:
        made = answer(verdict, about, Tlp.GREEN, sender=sender, identity=UUID(int=5, version=4), now=now)
        one = check(made)
        assert isinstance(one, Checked)
        assert (one.level, one.author) == (Tlp.GREEN, sender)
        if verdict == "seen":
            assert (made["sighting_of_ref"], made["last_seen"]) == (about, "2026-11-01T00:00:00.000Z")
        else:
            assert (made["object_refs"], made["opinion"]) == ([about], VERDICTS[verdict])
    gone = withdrawn(indicator(), now)
    assert (gone["revoked"], gone["modified"], gone["created"]) == (
        True, "2026-11-01T03:07:00.000Z", indicator()["created"],
    )  # fmt: skip
