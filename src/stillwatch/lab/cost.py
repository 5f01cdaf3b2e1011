"""What a campaign costs its operator: money by item, days of delay by cause, and money per extraction exchange.

A cost is a sum of named items, so that it can be added up by hand. Each item says which dial it pays for. Nothing
here is known to a detector.

Example
-------
>>> usage = Usage(accounts=10, cards=10, verifications=10, extraction=1000, output_tokens=1000.0)
>>> cost = price(usage)
>>> round(cost.items["cards"], 2), round(cost.items["extraction_tokens"], 2)
(20.0, 15.0)
>>> round(cost.total_usd, 2) == round(sum(cost.items.values()), 2)
True

References
----------
Detection notes, section 8: cost per token = output price (1 + input share) + account and exit price / (exchanges per
account x tokens) + waste.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stillwatch.lab.attackers.imitation import Imitation
from stillwatch.lab.cost_prices import PRICES, Price

BYTES_PER_TOKEN = 6.0
"""Bytes on the wire per token, both directions, headers and framing included; about 4 of text."""
PARAPHRASE_TOKENS = 120.0
"""Tokens a small model reads, and writes, to reword one instruction."""
TEMPLATE_H = 1.0
"""Hours to write and try one instruction template."""
HUMAN_EXCHANGES_PER_H = 20.0
"""Exchanges a person asks, reads and files in an hour; an assumption."""
AGEING_DAYS = 90.0
"""Days an account lies idle before it looks old; an assumption."""
RECENCY_DAYS = 12.0
"""Mean days until an ordinary customer takes up a new model, as the lab's own population does."""
ENGINEERING_H: Mapping[str, float] = {
    "own_client": 40.0, "paraphrase": 16.0, "schedule": 24.0, "padding": 16.0, "human_hours": 4.0, "staged": 4.0,
    "cloud": 40.0, "decoy": 200.0, "imitate_client": 4.0,
}  # fmt: skip
"""Hours of engineering to have a dial at all, spent once; assumptions."""
HORIZON_DAYS = 30.0
"""How long an attacker means to go on: what is paid once is spread over it, in worlds and searches alike."""


ONE_OFF = frozenset(
    {
        "accounts",
        "verifications",
        "cards",
        "cloud_tenants",
        "shells",
        "decoy_users",
        "templates",
        "engineering",
    }
)
"""Items paid once, however long the campaign then runs."""


def over(items: Mapping[str, float], days: float, horizon_days: float) -> float:
    """Dollars of a bill over ``days`` when what is paid once serves for ``horizon_days``.

    >>> over({"cards": 30.0, "extraction_tokens": 5.0}, 1, 30)
    6.0
    """
    share = min(days / horizon_days, 1.0)
    return float(sum(usd * (share if name in ONE_OFF else 1.0) for name, usd in items.items()))


@dataclass(frozen=True, slots=True)
class Usage:
    """What a campaign used up. Counts are over the whole campaign."""

    accounts: int = 0
    """Accounts signed up, replacements included, shells and cloud tenants not."""
    aged_accounts: int = 0
    """Of these, bought old."""
    cards: int = 0
    verifications: int = 0
    cloud_tenants: int = 0
    shells: int = 0
    decoy_users: int = 0
    hosting_exits: int = 0
    residential_share: float = 0.0
    """Share of traffic through home lines."""
    days: float = 0.0
    extraction: int = 0
    """Extraction exchanges."""
    cover: int = 0
    """Everything else: customers, heartbeats, padding, shells' own."""
    customers: int = 0
    """Of the cover, exchanges that somebody pays for."""
    input_tokens: float = 0.0
    """Mean per exchange."""
    output_tokens: float = 0.0
    """Mean per exchange."""
    prefix_tokens: float = 0.0
    """Mean input tokens per extraction exchange that a cache would have held."""
    uncached: float = 0.0
    """Share of extraction whose cached prefix is lost because sessions do not stay."""
    paraphrased: int = 0
    duplicates: int = 0
    templates: int = 0
    worked: int = 0
    """Exchanges asked by people."""
    engineering: tuple[str, ...] = ()
    """Names in :data:`ENGINEERING_H`."""
    delays: Mapping[str, float] = field(default_factory=dict)
    """Days of delay by cause."""


@dataclass(frozen=True, slots=True)
class Cost:
    """A bill."""

    items: Mapping[str, float]
    """US dollars by item; revenue is negative."""
    delay_days: Mapping[str, float]
    """Days by cause. They overlap, so the longest counts, not the sum."""
    extraction: int

    @property
    def total_usd(self) -> float:
        """Sum of the items."""
        return float(sum(self.items.values()))

    @property
    def per_exchange_usd(self) -> float | None:
        """Dollars per extraction exchange; None without extraction."""
        return self.total_usd / self.extraction if self.extraction else None

    @property
    def delay(self) -> float:
        """Days until the haul is complete, beyond an unhidden campaign's."""
        return max(self.delay_days.values(), default=0.0)

    def record(self) -> dict[str, Any]:
        """Plain values for a truth file."""
        per = self.per_exchange_usd
        return {
            "cost": {k: round(v, 4) for k, v in self.items.items()},
            "cost_usd": round(self.total_usd, 4),
            "cost_per_exchange_usd": None if per is None else round(per, 6),
            "delay_days": {k: round(v, 3) for k, v in self.delay_days.items()},
        }


def price(usage: Usage, prices: Mapping[str, Price] = PRICES) -> Cost:
    """The bill for a usage."""
    usd = {name: p.usd for name, p in prices.items()}
    each = (usage.input_tokens * usd["input_mtok"] + usage.output_tokens * usd["output_mtok"]) / 1e6
    fresh = usage.accounts - usage.aged_accounts
    exchanges = usage.extraction + usage.cover
    gigabytes = exchanges * (usage.input_tokens + usage.output_tokens) * BYTES_PER_TOKEN / 1e9
    lost = usage.prefix_tokens * usage.uncached * (1 - usd["cached_share"]) * usd["input_mtok"] / 1e6
    reword = PARAPHRASE_TOKENS * (usd["small_input_mtok"] + usd["small_output_mtok"]) / 1e6
    hours = sum(ENGINEERING_H[name] for name in usage.engineering)
    items = {
        "accounts": fresh * usd["fresh_account"] + usage.aged_accounts * usd["account"],
        "verifications": usage.verifications * usd["sms"],
        "cards": usage.cards * usd["card"],
        "cloud_tenants": usage.cloud_tenants * usd["cloud_tenant"],
        "shells": usage.shells * usd["shell"],
        "decoy_users": usage.decoy_users * usd["decoy_user"],
        "hosting_exits": usage.hosting_exits * usd["hosting_exit"] * max(usage.days / 30.0, 1.0),
        "residential": gigabytes * usage.residential_share * usd["residential_gb"],
        "extraction_tokens": (usage.extraction - usage.duplicates) * each,
        "duplicates": usage.duplicates * each,
        "cover_tokens": usage.cover * each,
        "customers": -usage.customers * each * usd["resale_share"],
        "lost_cache": usage.extraction * lost,
        "paraphrase": usage.paraphrased * reword,
        "templates": usage.templates * TEMPLATE_H * usd["engineer_h"],
        "people": usage.worked / HUMAN_EXCHANGES_PER_H * usd["worker_h"],
        "engineering": hours * usd["engineer_h"],
    }
    return Cost(items, dict(usage.delays), usage.extraction)


def framing_items(
    copy: Imitation, accounts: int, victims: int, prices: Mapping[str, Price] = PRICES
) -> dict[str, float]:
    """What imitation costs beyond the framing campaign itself, by item."""
    usd = {name: p.usd for name, p in prices.items()}
    return {
        "imitate_exits": accounts * copy.exits * usd["exit_near"],
        "imitate_template": victims * usd["prompt_leak"] if copy.template else 0.0,
        "imitate_payload": victims * usd["payload_leak"] if copy.payload and copy.template else 0.0,
        "imitate_timing": victims * usd["watch"] if copy.timing else 0.0,
        "imitate_signup": accounts * copy.signup * usd["old_account"],
        "imitate_client": ENGINEERING_H["imitate_client"] * usd["engineer_h"] if copy.client else 0.0,
    }


__all__ = [
    "ENGINEERING_H", "HORIZON_DAYS", "ONE_OFF", "PRICES", "Cost", "Price", "Usage", "framing_items", "over", "price",
]  # fmt: skip
