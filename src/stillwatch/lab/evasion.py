"""The evasion frontier: how much a campaign can take unseen, and what that costs it.

Searches the dials for settings that stay under a detector: random first, then guided. A setting is tried on one or
more worlds of the compact scenario ``evasion_small``. What is reported is measured again on worlds that the search
never saw, so that the best of many trials is not paid for by luck, and with an interval.

*Undetected* means: at the end of the log the account has no hint of ``review`` or ``act``. Only extraction through
such accounts counts as yield. A setting *stays under* in a world when at most ``TOLERANCE`` of its extraction went
through flagged accounts.

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

from stillwatch.errors import ConfigError
from stillwatch.lab.attackers.dials import BOUNDS, LEVELS
from stillwatch.lab.cost import over
from stillwatch.lab.evasion_plot import frontier_svg
from stillwatch.lab.evasion_search import Axis, Budget, Outcome, Settings, Trial, pareto, search
from stillwatch.lab.evasion_trial import Detector, Seen, interval, run_trial
from stillwatch.lab.scenario import CampaignSpec, Scenario, load_scenario

TOLERANCE = 0.05
"""Share of extraction that may go through flagged accounts for a setting to count as under detection."""
WORTHLESS_USD = 1000.0
"""Cost per exchange given to a setting with no undetected extraction, so that every value is finite."""

SPACE: Mapping[str, Axis] = {
    "accounts": Axis(6, 120, log=True, integer=True),
    "exchanges_per_account": Axis(4, 120, log=True, integer=True),
    "own_card": Axis(0, 1),
    "aged": Axis(0, 1),
    "own_client": Axis(0, 1),
    "residential": Axis(0, 1),
    "exits_per_block": Axis(1, 16, log=True),
    "paraphrase": Axis(0, 1),
    "templates": Axis(1, 32, log=True, integer=True),
    "sticky_s": Axis(0, 3600),
    "rotation": Axis(0, 1),
    "failover": Axis(0, 1),
    "duplicate_share": Axis(0, 0.3),
    "extraction_share": Axis(0.05, 1),
    "human_hours": Axis(0, 1),
    "padding": Axis(0, 0.9),
    "staged": Axis(0, 0.8),
}
"""What an attacker may turn; pivot and heartbeats are off, as they buy nothing in a day."""

LEAST_MOVE = 0.15
"""A dial that costs engineering and moves less than this share of its range stays where a careless campaign has it."""
BUILT = ("own_client", "paraphrase", "padding", "human_hours", "staged", "sticky_s", "rotation")
"""Dials that cost engineering however little they are moved."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What is searched against."""

    detector: Detector
    name: str
    """Name and version of the detector, for the report."""
    scenario: Scenario
    seeds: tuple[int, ...]
    """Worlds of the search."""
    confirm: tuple[int, ...]
    """Worlds of the report; none may be among ``seeds``."""
    base: Mapping[str, float]
    """Dials that are held fixed."""
    horizon_days: float = 30.0
    """How long the attacker means to go on: accounts, cards and engineering are paid once and spread over it."""

    def __post_init__(self) -> None:
        if self.scenario.split != "develop":
            raise ConfigError(
                f"{self.scenario.name} is of split {self.scenario.split}; a search tunes, and only worlds of split"
                " develop may be tuned on",
                hint='copy the scenario under another name with split = "develop"',
            )
        if set(self.seeds) & set(self.confirm) or not self.seeds or not self.confirm:
            raise ConfigError(
                "worlds of the search and of the report must differ, and neither may be empty",
                hint="for example seeds 11 and 12 to search, 13 to 20 to report",
            )


def compact(name: str = "evasion_small") -> Scenario:
    """The built-in world for a search."""
    return load_scenario(name)


def effective(settings: Settings) -> dict[str, float]:
    """Settings as they are run: a dial that is hardly moved is not built.

    >>> effective({"paraphrase": 0.1, "own_card": 0.1, "sticky_s": 3500.0})
    {'paraphrase': 0.0, 'own_card': 0.1, 'sticky_s': 3600.0}
    """
    out = dict(settings)
    for name in set(BUILT) & set(out):
        plain, axis = float(getattr(LEVELS[0], name)), SPACE[name]
        if abs(out[name] - plain) <= LEAST_MOVE * (axis.high - axis.low):
            out[name] = plain
    return out


def with_settings(scenario: Scenario, settings: Settings, base: Mapping[str, float]) -> Scenario:
    """The scenario with its first campaign run under these settings."""
    spec: CampaignSpec = scenario.campaigns[0]
    settings = effective(settings)
    dials = {**base, **{k: v for k, v in settings.items() if k in BOUNDS}}
    # The spec's own share would win over the dial otherwise.
    changed = replace(spec, dials={**spec.dials, **dials}, extraction_share=None)
    if "accounts" in settings:
        changed = replace(changed, accounts=int(settings["accounts"]))
    if "exchanges_per_account" in settings:
        changed = replace(changed, exchanges_per_account=float(settings["exchanges_per_account"]))
    return replace(scenario, campaigns=(changed, *scenario.campaigns[1:]))


@dataclass(frozen=True, slots=True)
class Yield:
    """What one campaign took in one world."""

    taken_per_day: float
    """Extraction exchanges a day through accounts without a hint."""
    flagged_share: float
    """Share of extraction through accounts with one."""
    cost_usd: float
    cost_per_exchange_usd: float | None
    """The bill over undetected extraction exchanges."""

    @property
    def under(self) -> bool:
        """Did it stay under detection?"""
        return self.flagged_share <= TOLERANCE and self.taken_per_day > 0


def yield_of(seen: Seen, campaign: int = 0, horizon_days: float = 30.0) -> Yield:
    """Take stock of one campaign of a tried world."""
    row = seen.campaigns[campaign]
    mine = [r for r in seen.truth if r["campaign_id"] == row["campaign_id"]]
    total = sum(r["extraction_exchanges"] for r in mine)
    free = sum(r["extraction_exchanges"] for r in mine if not seen.flagged(r["account_id"]))
    days = max(float(row["days"]), 1e-9)
    usd = over(row["cost"], days, horizon_days)
    return Yield(free / days, (total - free) / total if total else 0.0, usd, usd / free if free else None)


def evasion(
    setup: Setup,
    *,
    seed: int,
    budget: Budget,
    out: Path,
    space: Mapping[str, Axis] = SPACE,
    told: Callable[[Trial, int], None] | None = None,
) -> dict[str, Any]:
    """Search, confirm, and write ``trials.jsonl``, ``frontier.json`` and ``frontier.svg`` into ``out``.

    Returns the report. A search that was cut short goes on when called again with the same ``out``.
    """

    def evaluate(settings: Settings) -> Outcome:
        plan = with_settings(setup.scenario, settings, setup.base)
        found = [_try(setup, plan, s) for s in setup.seeds]
        cost = _mean(
            [WORTHLESS_USD if y.cost_per_exchange_usd is None else y.cost_per_exchange_usd for y in found]
        )
        taken = _mean([y.taken_per_day for y in found])
        facts = {"under": sum(y.under for y in found), "worlds": [asdict(y) for y in found]}
        return Outcome((min(cost, WORTHLESS_USD), -taken), facts)

    about = json.dumps(
        [setup.name, setup.scenario.name, setup.seeds, sorted(setup.base.items()), setup.horizon_days]
    )
    trials = search(
        space, evaluate, seed=seed, budget=budget, about=about, store=out / "trials.jsonl", told=told
    )
    report = _report(setup, trials, seed)
    (out / "frontier.json").write_text(json.dumps(report, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    (out / "frontier.svg").write_text(frontier_svg(report, trials), encoding="utf-8")
    return report


def _try(setup: Setup, plan: Scenario, seed: int) -> Yield:
    return yield_of(run_trial(plan, seed, setup.detector), horizon_days=setup.horizon_days)


def _report(setup: Setup, trials: Sequence[Trial], seed: int) -> dict[str, Any]:
    under = [t for t in trials if t.facts["under"] == len(setup.seeds)]
    best = [under[i] for i in pareto([t.values for t in under])]
    points = [_confirmed(setup, t) for t in sorted(best, key=lambda t: t.values)]
    return {
        "detector": setup.name, "scenario": setup.scenario.name, "search_seed": seed, "tolerance": TOLERANCE,
        "search_worlds": list(setup.seeds), "report_worlds": list(setup.confirm), "held_fixed": dict(setup.base),
        "horizon_days": setup.horizon_days,
        "trials": len(trials), "trials_under": len(under), "frontier": points,
        "reading": "share_under: share of fresh worlds in which the setting stayed under, with its 95 % interval; cost"
        " and yield are means over these worlds; the search is finite, so attackers can do at least this",
    }  # fmt: skip


def _confirmed(setup: Setup, trial: Trial) -> dict[str, Any]:
    plan = with_settings(setup.scenario, trial.settings, setup.base)
    found = [_try(setup, plan, s) for s in setup.confirm]
    hits = sum(y.under for y in found)
    priced = [y.cost_per_exchange_usd for y in found if y.cost_per_exchange_usd is not None]
    return {
        "trial": trial.number, "settings": effective(trial.settings), "share_under": hits / len(found),
        "share_under_interval": interval(hits, len(found)),
        "taken_per_day": _mean([y.taken_per_day for y in found]),
        "taken_per_day_range": [min(y.taken_per_day for y in found), max(y.taken_per_day for y in found)],
        "cost_per_exchange_usd": _mean(priced) if priced else None,
        "cost_per_exchange_range": [min(priced), max(priced)] if priced else None,
        "search_values": {"cost_per_exchange_usd": trial.values[0], "taken_per_day": -trial.values[1]},
    }  # fmt: skip


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


__all__ = [
    "SPACE",
    "TOLERANCE",
    "Budget",
    "Setup",
    "Yield",
    "compact",
    "evasion",
    "with_settings",
    "yield_of",
]
