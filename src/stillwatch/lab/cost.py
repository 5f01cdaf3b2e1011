"""What a campaign costs its operator: money by item, days of delay by cause, and money per extraction exchange.

A cost is a sum of named items, so that it can be added up by hand. Each item says which dial it pays for. Nothing
here is known to a detector.

Example
-------
>>> usage = Usage(accounts=10, cards=10, verifications=10, extraction=1020, answered=1000, output_tokens=1000.0)
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

from stillwatch.lab.cost_prices import PRICES, Price

BYTES_PER_TOKEN = 6.0
"""Bytes on the wire per token, both directions, headers and framing included; about 4 of text."""
PARAPHRASE_TOKENS = 120.0
"""Tokens a small model reads, and writes, to reword one instruction."""
HEARTBEAT_TOKENS = (80.0, 10.4)
"""Tokens in and out of a heartbeat: `hi` under a product's system prompt of about 300 characters."""
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


ONE_OFF = frozenset({
    "accounts", "verifications", "cards", "cloud_tenants", "shells", "decoy_users", "templates", "engineering",
    "imitate_exits", "imitate_template", "imitate_payload", "imitate_timing", "imitate_signup", "imitate_client",
})  # fmt: skip
"""Items paid once, however long the campaign then runs."""


def over(items: Mapping[str, float], days: float, horizon_days: float = HORIZON_DAYS) -> float:
    """Dollars of a bill over ``days`` when what is paid once serves for ``horizon_days``.

    >>> over({"cards": 30.0, "extraction_tokens": 5.0}, days=1)
    6.0
    """
    share = min(days / horizon_days, 1.0)
    return float(sum(usd * (share if name in ONE_OFF else 1.0) for name, usd in items.items()))


@dataclass(frozen=True, slots=True)
class Usage:
    """What a campaign used up. Counts are over the whole campaign."""

    accounts: int = 0
    """Accounts got, replacements included; shells, cloud tenants and people's own not."""
    aged_accounts: int = 0
    """Of these, bought old."""
    cards: int = 0
    verifications: int = 0
    cloud_tenants: int = 0
    shells: int = 0
    decoy_users: int = 0
    hosting_addresses: int = 0
    """Data-centre addresses rented at a time; a block of 256 is not paid for as one."""
    residential_share: float = 0.0
    """Share of traffic through home lines."""
    days: float = 0.0
    extraction: int = 0
    """Extraction exchanges as the truth counts them, refused ones included: what a cost per exchange is over."""
    answered: int = 0
    """Of these, answered: only answers are paid for."""
    cover: int = 0
    """Everything else that was answered: customers, padding, shells' own; heartbeats not."""
    customers: int = 0
    """Of the cover, exchanges that somebody pays for."""
    heartbeats: int = 0
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

    def per_exchange_usd(self, days: float) -> float | None:
        """Dollars per extraction exchange of a campaign of so many days; None without extraction.

        What is paid once is spread over `HORIZON_DAYS`. This is the one definition; a search puts only undetected
        extraction exchanges below the line.
        """
        return over(self.items, days) / self.extraction if self.extraction else None

    def record(self, days: float) -> dict[str, Any]:
        """Plain values for a truth file."""
        per = self.per_exchange_usd(days)
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
    # What a cache saves of an extraction exchange whose prefix is in it; `lost_cache` pays for those whose is not.
    saved = usage.prefix_tokens * (1 - usd["cached_share"]) * usd["input_mtok"] / 1e6
    beat = (HEARTBEAT_TOKENS[0] * usd["input_mtok"] + HEARTBEAT_TOKENS[1] * usd["output_mtok"]) / 1e6
    fresh = usage.accounts - usage.aged_accounts
    exchanges = usage.answered + usage.cover
    gigabytes = exchanges * (usage.input_tokens + usage.output_tokens) * BYTES_PER_TOKEN / 1e9
    reword = PARAPHRASE_TOKENS * (usd["small_input_mtok"] + usd["small_output_mtok"]) / 1e6
    hours = sum(ENGINEERING_H[name] for name in usage.engineering)
    items = {
        "accounts": fresh * usd["fresh_account"] + usage.aged_accounts * usd["account"],
        "verifications": usage.verifications * usd["sms"],
        "cards": usage.cards * usd["card"],
        "cloud_tenants": usage.cloud_tenants * usd["cloud_tenant"],
        "shells": usage.shells * usd["shell"],
        "decoy_users": usage.decoy_users * usd["decoy_user"],
        "hosting_addresses": usage.hosting_addresses * usd["hosting_address"] * usage.days,
        "residential": gigabytes * usage.residential_share * usd["residential_gb"],
        "extraction_tokens": (usage.answered - usage.duplicates) * (each - saved),
        "duplicates": usage.duplicates * (each - saved),
        "cover_tokens": usage.cover * each,
        "customers": -usage.customers * each * usd["resale_share"],
        "lost_cache": usage.answered * usage.uncached * saved,
        "heartbeats": usage.heartbeats * beat,
        "paraphrase": usage.paraphrased * reword,
        "templates": usage.templates * TEMPLATE_H * usd["engineer_h"],
        "people": usage.worked / HUMAN_EXCHANGES_PER_H * usd["worker_h"],
        "engineering": hours * usd["engineer_h"],
    }
    return Cost(items, dict(usage.delays), usage.extraction)


@dataclass(frozen=True, slots=True)
class Imitated:
    """What was in fact imitated; a share so small that it fell on nobody costs nothing."""

    exits: int = 0
    """Framing accounts behind a line near the victim; their other exit is not paid for."""
    signups: int = 0
    """Framing accounts of the victim's sign-up day; they are not got in another way."""
    clients: int = 0
    """Framing accounts with the victim's client build."""
    prompts: int = 0
    """Victims whose system prompt and instructions were copied."""
    payloads: int = 0
    """Victims whose requests were repeated."""
    watched: int = 0
    """Victims whose requests were followed."""


def framing_items(did: Imitated, prices: Mapping[str, Price] = PRICES) -> dict[str, float]:
    """What imitation costs beyond the framing campaign itself, by item."""
    usd = {name: p.usd for name, p in prices.items()}
    return {
        "imitate_exits": did.exits * usd["exit_near"],
        "imitate_template": did.prompts * usd["prompt_leak"],
        "imitate_payload": did.payloads * usd["payload_leak"],
        "imitate_timing": did.watched * usd["watch"],
        "imitate_signup": did.signups * usd["old_account"],
        "imitate_client": ENGINEERING_H["imitate_client"] * usd["engineer_h"] if did.clients else 0.0,
    }


__all__ = [
    "ENGINEERING_H", "HORIZON_DAYS", "ONE_OFF", "PRICES", "Cost", "Imitated", "Price", "Usage", "framing_items",
    "over", "price",
]  # fmt: skip
