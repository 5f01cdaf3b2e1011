"""What was taken and what it is worth: each figure with its inputs, its formula and its interval.

There is never one bare number. What cannot be computed from what is known is said to be missing, with the input that
it lacks. Prices are the operator's own data; nothing here knows any.

Limits: a run knows output tokens and not what a prompt cost; the share of a group's traffic that belongs to the
extraction has an interval, and everything that is multiplied with it inherits that interval. Avoided development cost
is a range that somebody states with its ground; no formula makes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stillwatch.errors import ConfigError
from stillwatch.records.evidence import Work
from stillwatch.records.finding import Campaign

_PRICE = frozenset({"output_usd_per_mtok", "compute_usd_per_mtok"})


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure, or why there is none."""

    name: str
    unit: str
    low: float | None
    best: float | None
    high: float | None
    formula: str
    inputs: dict[str, Any]
    missing: str = ""
    """What would be needed; empty when the figure stands."""


def exposure(campaign: Campaign, prices: Mapping[str, Any], work: Iterable[Work]) -> list[Figure]:
    """Every figure on one campaign."""
    share = (campaign.extraction_share_low, campaign.extraction_share, campaign.extraction_share_high)
    taken = _taken(campaign, share)
    return [*taken, *_value(campaign, share, prices), _response(list(work), prices), _avoided(prices)]


def checked_prices(given: Mapping[str, Any]) -> dict[str, Any]:
    """The operator's prices: ``[models.NAME]`` with ``output_usd_per_mtok`` and ``compute_usd_per_mtok`` (a number, or
    low and high), ``hour_usd``, and ``[avoided_development]`` with ``low_usd``, ``high_usd`` and ``ground``.

    Raises:
        ConfigError: a key or a value is not one of these.
    """
    for key in given:
        if key not in ("models", "hour_usd", "avoided_development"):
            raise _bad(f"{key}: no such price")
    for name, row in dict(given.get("models", {})).items():
        for key, value in dict(row).items():
            if key not in _PRICE:
                raise _bad(f"models.{name}.{key}: no such price")
            _range(value, f"models.{name}.{key}")
    if "hour_usd" in given:
        _range(given["hour_usd"], "hour_usd")
    avoided = given.get("avoided_development")
    if avoided is not None:
        if not str(avoided.get("ground", "")).strip():
            raise _bad("avoided_development.ground: say on what the range rests")
        _range([avoided.get("low_usd"), avoided.get("high_usd")], "avoided_development")
    return dict(given)


def _taken(campaign: Campaign, share: tuple[float, float, float]) -> list[Figure]:
    counted = {"exchanges": campaign.exchange_count, "output_tokens": campaign.output_tokens}
    formula = "count of the group x share of its traffic in the extraction sub-stream (low, best, high)"
    rows = [
        Figure(
            f"{name} in the extraction", name, count * share[0], count * share[1], count * share[2], formula,
            {"count of the group": count, "share": list(share)},
        )
        for name, count in counted.items()
    ]  # fmt: skip
    for capability, exchanges, tokens in campaign.taken:
        rows.append(
            Figure(
                f"output tokens, {capability}", "output_tokens", float(tokens), float(tokens), None,
                "output tokens of linked exchanges that ask for this capability; unlinked ones are not counted",
                {"linked exchanges": exchanges, "linked output tokens": tokens},
                "upper end: exchanges that were not linked have no capability on record",
            )
        )  # fmt: skip
    return rows


def _value(campaign: Campaign, share: tuple[float, float, float], prices: Mapping[str, Any]) -> list[Figure]:
    rows = []
    total = sum(count for _, count in campaign.models)
    for title, key in (
        ("list-price value of output", "output_usd_per_mtok"),
        ("compute spent", "compute_usd_per_mtok"),
    ):
        known = {m: _range(prices["models"][m][key], key) for m, _ in campaign.models
                 if key in prices.get("models", {}).get(m, {})}  # fmt: skip
        unknown = [m for m, _ in campaign.models if m not in known]
        formula = (
            "sum over models: output tokens x model's share of exchanges x share in the extraction x price"
        )
        inputs: dict[str, Any] = {
            "output_tokens": campaign.output_tokens, "exchanges by model": dict(campaign.models), "share": list(share),
            "usd per million output tokens": {m: list(v) for m, v in known.items()},
        }  # fmt: skip
        if not known or not total:
            rows.append(Figure(title, "usd", None, None, None, formula, inputs, f"{key} of the models"))
            continue
        tokens = {m: campaign.output_tokens * n / total for m, n in campaign.models if m in known}
        low, high = (sum(tokens[m] * known[m][i] for m in tokens) / 1e6 for i in (0, 1))
        lacking = f"prices of {', '.join(unknown)}" if unknown else ""
        inputs["assumption"] = (
            "tokens are spread over models as exchanges are; input tokens are not on record"
        )
        middle = (low + high) / 2 * share[1]
        rows.append(Figure(title, "usd", low * share[0], middle, high * share[2], formula, inputs, lacking))
    return rows


def _response(work: list[Work], prices: Mapping[str, Any]) -> Figure:
    formula = "sum of hours x rate of the person, else the general rate"
    inputs: dict[str, Any] = {"hours": sum(w.hours for w in work), "entries": len(work)}
    if not work:
        return Figure(
            "cost of the response", "usd", None, None, None, formula, inputs, "hours that people logged"
        )
    general = _range(prices["hour_usd"], "hour_usd") if "hour_usd" in prices else None
    without = [w for w in work if w.usd_per_h is None]
    if without and general is None:
        return Figure("cost of the response", "usd", None, None, None, formula, inputs, "a rate per hour")
    own = sum(w.hours * w.usd_per_h for w in work if w.usd_per_h is not None)
    hours = sum(w.hours for w in without)
    low, high = (own + hours * rate for rate in (general or (0.0, 0.0)))
    inputs["general usd per hour"] = list(general) if general else None
    return Figure("cost of the response", "usd", low, (low + high) / 2, high, formula, inputs)


def _avoided(prices: Mapping[str, Any]) -> Figure:
    formula = "range stated by the owner; not computed"
    given = prices.get("avoided_development")
    if given is None:
        lacking = "a range with its ground, stated by the owner"
        return Figure("avoided development cost", "usd", None, None, None, formula, {}, lacking)
    low, high = _range([given["low_usd"], given["high_usd"]], "avoided_development")
    return Figure("avoided development cost", "usd", low, None, high, formula, {"ground": given["ground"]})


def _range(value: Any, where: str) -> tuple[float, float]:
    pair = value if isinstance(value, list | tuple) else [value, value]
    fine = len(pair) == 2 and all(
        isinstance(v, int | float) and not isinstance(v, bool) and 0 <= v < 1e15 for v in pair
    )
    if not fine or pair[0] > pair[1]:
        raise _bad(f"{where}: give a price, or low and high")
    return float(pair[0]), float(pair[1])


def _bad(message: str) -> ConfigError:
    return ConfigError(f"prices: {message}", hint="the evidence page shows a price file")
