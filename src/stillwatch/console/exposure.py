"""What was taken, in tokens and in money: ranges with their assumptions, never one figure.

*List price* is what the output would have cost at list prices. *Avoided cost* is what somebody would have paid to have
answers of that kind written. Both rest on assumptions that the operator sets (``console.list_price_usd_per_mtok``,
``console.avoided_usd_per_exchange``); neither is a loss in the sense of a court.
"""

from __future__ import annotations

from dataclasses import dataclass

from stillwatch.records import Campaign


@dataclass(frozen=True, slots=True)
class Range:
    """Lower and upper end, US dollars."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class TakenRow:
    """One capability."""

    capability: str
    exchanges: int
    output_tokens: int
    list_price: Range
    avoided: Range


@dataclass(frozen=True, slots=True)
class Exposure:
    """All that a campaign took, by capability and in all."""

    rows: tuple[TakenRow, ...]
    output_tokens: int
    exchanges_low: int
    exchanges_high: int
    """Exchanges that are extraction, from the ends of the extraction share's interval."""
    list_price: Range
    avoided: Range


def exposure(
    campaign: Campaign, usd_per_mtok: tuple[float, float], usd_per_exchange: tuple[float, float]
) -> Exposure:
    """The exposure of one campaign.

    Args:
        campaign: as found. usd_per_mtok: list price of a million output tokens, low and high. usd_per_exchange: what
        one answer would have cost to have written, low and high.
    """
    rows = tuple(
        TakenRow(name, n, tokens, _price(tokens, tokens, usd_per_mtok), _cost(n, n, usd_per_exchange))
        for name, n, tokens in campaign.taken
    )
    low = round(campaign.exchange_count * max(0.0, min(1.0, campaign.extraction_share_low)))
    high = round(campaign.exchange_count * max(0.0, min(1.0, campaign.extraction_share_high)))
    share = campaign.output_tokens / campaign.exchange_count if campaign.exchange_count else 0.0
    return Exposure(
        rows, campaign.output_tokens, low, high, _price(low * share, high * share, usd_per_mtok),
        _cost(low, high, usd_per_exchange),
    )  # fmt: skip


def _price(low: float, high: float, usd_per_mtok: tuple[float, float]) -> Range:
    return Range(low / 1e6 * usd_per_mtok[0], high / 1e6 * usd_per_mtok[1])


def _cost(low: float, high: float, usd: tuple[float, float]) -> Range:
    return Range(low * usd[0], high * usd[1])
