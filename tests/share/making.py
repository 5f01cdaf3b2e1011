"""What the tests of sharing share."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from stillwatch.records import Campaign
from stillwatch.records.sharing import Audience, Facts, Observable, Product, Sender, Tlp, ToShare
from stillwatch.share import build
from stillwatch.share.buckets import instant
from stillwatch.share.ids import Ids
from tests.report.factory import make_campaign

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
SENDER = Sender("Member 7", "identity--3b1f0c62-6a0e-4c0b-9d55-0d5a2f6f7a01", "https://lab.example/appeals")
OBSERVABLES = (
    Observable("asn", "AS64500", "The pool's exits lie here.", datetime(2027, 1, 1, tzinfo=UTC)),
    Observable("ipv4", "203.0.113.16/28", "Relays answered from here.", datetime(2026, 12, 1, tzinfo=UTC)),
    Observable("domain", "relay.example", "Sold the access.", datetime(2027, 1, 1, tzinfo=UTC)),
    Observable("user_agent", "it's-a-relay/1.0 \\ x", "Client.", datetime(2027, 1, 1, tzinfo=UTC)),
    Observable("ja4", "t13d1516h2_8daaf6152771_02713d6af862", "Client.", datetime(2027, 1, 1, tzinfo=UTC)),
    Observable("ipv6", "2001:db8:7::/48", "Relays answered from here.", datetime(2026, 12, 1, tzinfo=UTC)),
)
ATTRIBUTION: dict[str, Any] = {
    "level": "account_network_provider", "party": "Provider P", "likelihood": "likely", "confidence": "moderate",
    "likelihood_percent": [55, 80], "signed_by": "C. Lindqvist",
    "statement": "The accounts were sold by a provider of account networks.",
    "facts": [{"kind": "offer_of_sale", "fact": "Accounts of the pool were offered", "source": "exhibit 12"}],
    "hypotheses": [
        {"claim": "a provider", "for": "the offer", "against": "one offer only"},
        {"claim": "one company with many seats", "for": "one client", "against": "no declared organisation"},
    ],
    "caution": "Not all accounts need belong to one actor. This is a person's judgement, not a result.",
}  # fmt: skip


def ids(now: datetime = NOW, previous: Any = (), start: int = 1) -> Ids:
    """Ids that are the same at every run."""
    count = itertools.count(start)
    return Ids(lambda: UUID(int=next(count), version=4), instant(now), previous)


def to_share(
    campaign: Campaign | None = None, audience: Audience = Audience.LAB, level: Tlp = Tlp.AMBER,
    product: Product = Product.TACTICS, **facts: Any,
) -> ToShare:  # fmt: skip
    """A campaign with facts; keyword arguments replace facts."""
    given: dict[str, Any] = {"sender": SENDER, "observables": OBSERVABLES, **facts}
    if product is Product.ACTORS:
        given.setdefault("attribution", ATTRIBUTION)
    return ToShare(campaign or make_campaign(), Facts(**given), audience, product, level)


def objects(what: ToShare | None = None) -> list[dict[str, Any]]:
    """The objects of a campaign."""
    return build(what or to_share(), now=NOW, ids=ids())


def of_type(stix: Any, kind: str) -> list[dict[str, Any]]:
    """Those of a type."""
    return [o for o in stix if o["type"] == kind]
