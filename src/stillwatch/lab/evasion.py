"""The evasion frontier: how much a campaign can take unseen, and what that costs it.

Searches the dials for settings that stay under a detector: random first, then guided. A setting is tried on one
world of the compact scenario ``evasion_small``; several that looked good are tried again on worlds the search
never saw, so that the best of many trials is not paid for by luck. Only these are reported, with intervals.

*Undetected* means: at the end of the log the account has no hint of ``review`` or ``act``. Only extraction through
such accounts counts as yield. A setting *stays under* in a world when at most ``TOLERANCE`` of its extraction went
through flagged accounts, and it *held* when it stayed under in at least half of the fresh worlds.

Limits. The worlds are small; what a detector cannot see in a day's few thousand exchanges it may see in a month.
The search is finite: the frontier is a lower bound of what an attacker can do, never an upper one. Prices are those of
:mod:`stillwatch.lab.cost_prices`, many of them assumptions.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from stillwatch.lab.attackers.dials import BOUNDS, LEVELS
from stillwatch.lab.cost import HORIZON_DAYS, over
from stillwatch.lab.evasion_plot import frontier_svg
from stillwatch.lab.evasion_search import Axis, Budget, Outcome, Settings, Trial, pareto, search
from stillwatch.lab.evasion_setup import Retried, Retries, Setup, candidates
from stillwatch.lab.evasion_trial import Seen, interval, run_trial
from stillwatch.lab.scenario import CampaignSpec, Scenario

TOLERANCE = 0.05
"""Share of extraction that may go through flagged accounts for a setting to count as under detection."""
WORTHLESS_USD = 1000.0
"""Cost per exchange given to a setting with no undetected extraction, so that every value is finite."""

_PLAIN = LEVELS[0]

SPACE: Mapping[str, Axis] = {
    "accounts": Axis(6, 120, log=True, integer=True),
    "exchanges_per_account": Axis(4, 120, log=True, integer=True),
    "own_card": Axis(0, 1),
    "aged": Axis(0, 1),
    "own_client": Axis(0, 1, idle=_PLAIN.own_client),
    "residential": Axis(0, 1),
    "exits_per_block": Axis(1, 16, log=True),
    "pivot": Axis(0, 0.5, idle=0.0),
    "paraphrase": Axis(0, 1, idle=_PLAIN.paraphrase),
    "templates": Axis(1, 32, log=True, integer=True),
    "sticky_s": Axis(0, 3600, idle=_PLAIN.sticky_s),
    "rotation": Axis(0, 1, idle=_PLAIN.rotation),
    "failover": Axis(0, 1),
    "jitter_s": Axis(0, 3600, idle=_PLAIN.jitter_s),
    "duplicate_share": Axis(0, 0.3, idle=_PLAIN.duplicate_share),
    "extraction_share": Axis(0.05, 1),
    "human_hours": Axis(0, 1, idle=_PLAIN.human_hours),
    "padding": Axis(0, 0.9, idle=_PLAIN.padding),
    "staged": Axis(0, 0.8, idle=_PLAIN.staged),
}
"""What an attacker may turn. A dial that costs engineering is left as a careless campaign has it in half of the
draws. Low and slow is ``exchanges_per_account``: the worlds of a search last a few days."""
LARGEST_SHARE = 0.3
"""Most accounts of a campaign, as a share of the world's ordinary ones."""


def space_of(scenario: Scenario) -> dict[str, Axis]:
    """`SPACE` with as many accounts as the world has room for.

    >>> from stillwatch.lab.scenario import load_scenario
    >>> space_of(load_scenario("evasion_small"))["accounts"].high
    120
    """
    most = round(LARGEST_SHARE * scenario.ordinary.accounts)
    return {**SPACE, "accounts": Axis(6, max(most, 12), log=True, integer=True)}


def with_settings(scenario: Scenario, settings: Settings, base: Mapping[str, float]) -> Scenario:
    """The scenario with its first campaign run under these settings."""
    spec: CampaignSpec = scenario.campaigns[0]
    dials = {**base, **{k: v for k, v in settings.items() if k in BOUNDS}}
    changed = replace(
        spec,
        dials={**spec.dials, **dials},
        # The spec's own shares would win over the dials otherwise.
        extraction_share=None if "extraction_share" in dials else spec.extraction_share,
        ban_share=None if "ban_share" in dials else spec.ban_share,
    )
    if "accounts" in settings:
        changed = replace(changed, accounts=int(settings["accounts"]))
    if "exchanges_per_account" in settings:
        changed = replace(changed, exchanges_per_account=float(settings["exchanges_per_account"]))
    return replace(scenario, campaigns=(changed, *scenario.campaigns[1:]))


@dataclass(frozen=True, slots=True)
class Yield:
    """What one campaign took in one world."""

    taken: int
    """Extraction exchanges through accounts without a hint."""
    taken_per_day: float
    flagged_share: float
    """Share of extraction through accounts with one."""
    cost_usd: float
    """The bill, what is paid once spread over `HORIZON_DAYS`."""
    delay_days: float = 0.0
    """Days until the haul is complete, beyond a careless campaign's."""

    @property
    def under(self) -> bool:
        """Did it stay under detection?"""
        return self.flagged_share <= TOLERANCE and self.taken > 0


def yield_of(seen: Seen, campaign: int = 0) -> Yield:
    """Take stock of one campaign of a tried world."""
    row = seen.campaigns[campaign]
    mine = [r for r in seen.truth if r["campaign_id"] == row["campaign_id"]]
    total = sum(r["extraction_exchanges"] for r in mine)
    free = sum(r["extraction_exchanges"] for r in mine if not seen.flagged(r["account_id"]))
    days = max(float(row["days"]), 1e-9)
    usd = over(row["cost"], days, HORIZON_DAYS)
    delay = max(row.get("delay_days", {}).values(), default=0.0)
    return Yield(free, free / days, (total - free) / total if total else 0.0, usd, delay)


def per_exchange(found: Sequence[Yield]) -> float | None:
    """Dollars per undetected extraction exchange over several worlds; None when there was none in any."""
    taken = sum(y.taken for y in found)
    return sum(y.cost_usd for y in found) / taken if taken else None


def evasion(
    setup: Setup,
    *,
    seed: int,
    budget: Budget,
    out: Path,
    space: Mapping[str, Axis] | None = None,
    told: Callable[[Trial, int], None] | None = None,
    retried: Retried | None = None,
) -> dict[str, Any]:
    """Search, try again, and write ``trials.jsonl``, ``frontier.json`` and ``frontier.svg`` into ``out``.

    Returns the report. A search that was cut short goes on when called again with the same ``out``.
    """
    space = setup.free(space_of(setup.scenario) if space is None else space)

    def evaluate(settings: Settings) -> Outcome:
        found = [_try(setup, settings, s) for s in setup.seeds]
        cost = per_exchange(found)
        facts = {"under": sum(y.under for y in found), "worlds": [asdict(y) for y in found]}
        values = (min(WORTHLESS_USD if cost is None else cost, WORTHLESS_USD), -_mean(found, "taken_per_day"))
        return Outcome(values, facts)

    trials = search(
        space, evaluate, seed=seed, budget=budget, about=setup.about("evasion"), store=out / "trials.jsonl", told=told
    )  # fmt: skip
    again = Retries(setup, "evasion", space, seed, out)
    under = [t for t in trials if t.facts["under"] == len(setup.seeds)]
    tried = []
    for trial in candidates(under, lambda t: t.values):
        if retried is not None:
            retried(trial)
        tried.append(_point(setup, trial, again))
    report = _report(setup, trials, len(under), tried, seed, min(budget.random_trials, len(trials)))
    (out / "frontier.json").write_text(json.dumps(report, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    (out / "frontier.svg").write_text(frontier_svg(report, trials), encoding="utf-8")
    return report


def _try(setup: Setup, settings: Settings, seed: int) -> Yield:
    return yield_of(run_trial(with_settings(setup.scenario, settings, setup.base), seed, setup.detector))


def _point(setup: Setup, trial: Trial, again: Retries) -> dict[str, Any]:
    """A setting as it did on fresh worlds."""
    found = [Yield(**y) for y in again(trial, lambda s, seed: asdict(_try(setup, s, seed)))]
    hits = sum(y.under for y in found)
    priced = [usd for y in found if (usd := per_exchange([y])) is not None]
    return {
        "trial": trial.number, "settings": dict(trial.settings), "worlds": len(found), "worlds_under": hits,
        "share_under": hits / len(found), "share_under_interval": interval(hits, len(found)),
        "held": 2 * hits >= len(found),
        "taken_per_day": _mean(found, "taken_per_day"),
        "taken_per_day_range": [min(y.taken_per_day for y in found), max(y.taken_per_day for y in found)],
        "cost_per_exchange_usd": per_exchange(found),
        "cost_per_exchange_range": [min(priced), max(priced)] if priced else None,
        "delay_days": _mean(found, "delay_days"),
        "search_values": {"cost_per_exchange_usd": trial.values[0], "taken_per_day": -trial.values[1]},
    }  # fmt: skip


def _report(
    setup: Setup, trials: Sequence[Trial], under: int, tried: list[dict[str, Any]], seed: int, random: int
) -> dict[str, Any]:
    held = [p for p in tried if p["held"] and p["cost_per_exchange_usd"] is not None]
    front = [held[i] for i in pareto([(p["cost_per_exchange_usd"], -p["taken_per_day"]) for p in held])]
    blind = sum(t.facts["under"] == len(setup.seeds) for t in trials[:random])
    return {
        "detector": setup.name, "detector_digest": setup.digest, "scenario": setup.scenario.name,
        "scenario_digest": setup.scenario.digest, "search_seed": seed, "tolerance": TOLERANCE,
        "search_worlds": list(setup.seeds), "report_worlds": list(setup.confirm), "held_fixed": setup.held,
        "horizon_days": HORIZON_DAYS, "trials": len(trials), "random_trials": random, "trials_under": under,
        "random_under": blind, "random_under_interval": interval(blind, random),
        "retried": tried, "frontier": sorted(front, key=lambda p: p["cost_per_exchange_usd"]),
        "reading": "share_under: share of fresh worlds in which the setting stayed under, with its 95 % interval; cost"
        " is the bill over undetected extraction exchanges of all fresh worlds; the search is finite: attackers can do"
        " at least this, and what was not found may still exist",
    }  # fmt: skip


def _mean(found: Sequence[Yield], name: str) -> float:
    return float(sum(getattr(y, name) for y in found) / len(found))


__all__ = [
    "SPACE",
    "TOLERANCE",
    "Budget",
    "Setup",
    "Yield",
    "evasion",
    "per_exchange",
    "space_of",
    "with_settings",
    "yield_of",
]
