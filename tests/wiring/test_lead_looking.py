"""Leads against exchanges and features: the same is met, nothing is met by chance or by what is missing."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from stillwatch.detect.digest import Key, digest_strings, digest_text
from stillwatch.detect.network import digest_networks
from stillwatch.records.leads import Lead
from stillwatch.records.sharing import Tlp
from stillwatch.wiring import lead_looking
from stillwatch.wiring.lead_looking import FEATURES, Look

KEY = Key.derive(b"k" * 32)
A_LEAD = Lead("hub", "indicator--1", "v", "asn", "64500", 0, 1, Tlp.GREEN, "")


def leads(*pairs: tuple[str, str]) -> list[Lead]:
    """Leads of these kinds and values."""
    return [replace(A_LEAD, object_id=f"indicator--{n}", kind=k, value=v) for n, (k, v) in enumerate(pairs)]


def features(*rows: tuple[str, str | None, int]) -> pa.RecordBatch:
    """Account, address and AS number of exchanges, as a feature file has them."""
    addresses = pa.array([address for _, address, _ in rows], pa.string())
    zeros = [0] * len(rows)
    columns = {
        "acct": pa.array([account for account, _, _ in rows]), "ip": digest_strings(addresses, KEY, "ip"),
        "net": digest_networks(addresses, KEY), "ua": zeros, "tls": zeros, "asn": [asn for *_, asn in rows],
        "ts": zeros,
    }  # fmt: skip
    return pa.RecordBatch.from_pydict({name: columns[name] for name in FEATURES})


def met(look: Look) -> dict[str, tuple[str, ...]]:
    """Accounts that each lead met."""
    return {m.lead.value: m.accounts for m in look.matches({"hub": 0.5})}


@pytest.mark.parametrize(
    ("kind", "block", "inside", "outside"),
    [
        ("ipv4", "203.0.113.0/24", "203.0.113.255", "203.0.112.255"),
        ("ipv4", "203.0.113.64/26", "203.0.113.127", "203.0.113.128"),
        ("ipv4", "203.0.113.7/32", "203.0.113.7", "203.0.113.70"),
        ("ipv6", "2001:db8:7::/48", "2001:db8:7:ffff::1", "2001:db8:8::1"),
        ("ipv6", "2001:db8:7::5/128", "2001:db8:7::5", "2001:db8:7::6"),
    ],
)
def test_a_block_meets_its_addresses_and_no_others(kind: str, block: str, inside: str, outside: str) -> None:
    """Its first and last addresses, and not the next ones."""
    look = Look(leads((kind, block)))
    look.under(KEY)
    look.at_features(features(("in", inside, -1), ("out", outside, -1), ("none", None, -1)))
    assert (met(look), look.unseeable, len(look.accounts)) == ({block: ("in",)}, 0, 3)


def test_what_is_missing_meets_no_lead() -> None:
    """An AS number of nought, and accounts and addresses that are not there."""
    look = Look(leads(("asn", "0"), ("asn", "64500")))
    look.under(KEY)
    look.at_features(features(("a", None, 0), ("b", None, -1), ("c", None, 64500)))
    assert (met(look), look.unseeable) == ({"64500": ("c",)}, 1)
    assert digest_text(KEY, "ip", "") == 0


def test_what_cannot_be_looked_for_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block of an odd size, and more single addresses than anybody may have looked for."""
    monkeypatch.setattr(lead_looking, "MOST_ADDRESSES", 200)
    blocks = [("ipv4", f"203.0.{n}.0/25") for n in range(3)]
    look = Look(leads(("ipv6", "2001:db8:7::/56"), *blocks))
    look.under(KEY)
    assert look.unseeable == 3
    look.at_features(features(("a", "203.0.0.1", -1), ("b", "203.0.1.1", -1)))
    assert met(look) == {"203.0.0.0/25": ("a",)}
