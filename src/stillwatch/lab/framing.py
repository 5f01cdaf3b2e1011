"""What it costs to frame an honest account: to `review`, and to `act`.

Searches how closely a victim is imitated, by how many framing accounts, and how careless the framing campaign is
itself, for the cheapest attack that brings a victim to each level. Several attacks that worked are tried again on
worlds the search never saw; only these are reported. That nothing was found within a budget is reported as that.

What cannot be imitated at any price is listed in the report (:data:`stillwatch.lab.attackers.imitation.CANNOT`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError
from stillwatch.lab.attackers.dials import BOUNDS
from stillwatch.lab.attackers.framer import VICTIM_CLASS
from stillwatch.lab.attackers.imitation import CANNOT, Imitation
from stillwatch.lab.evasion_search import Axis, Budget, Outcome, Settings, Trial, search
from stillwatch.lab.evasion_setup import Retried, Retries, Setup, candidates
from stillwatch.lab.evasion_trial import FLAGGED, Seen, interval, run_trial
from stillwatch.lab.scenario import Scenario

LEVELS = tuple(FLAGGED)
"""What a victim may be brought to."""
SPACE: Mapping[str, Axis] = {
    "accounts": Axis(6, 80, log=True, integer=True),
    "exchanges_per_account": Axis(10, 100, log=True, integer=True),
    **{f"imitate_{f.name}": Axis(0, 1, idle=0.0) for f in fields(Imitation)},
    "own_card": Axis(0, 1),
    "own_client": Axis(0, 1, idle=0.0),
    "extraction_share": Axis(0.3, 1),
}
"""Imitation (prefixed ``imitate_``), size, and how openly the framers run. Half of the draws leave an imitation out:
each has a price at any share, and an attack without it is the cheaper one."""


@dataclass(frozen=True, slots=True)
class Framed:
    """What happened to the victims of one world."""

    victims: int
    reached: Mapping[str, int]
    """Victims flagged, by level."""
    cost_usd: float


def with_imitation(scenario: Scenario, settings: Settings, base: Mapping[str, float]) -> Scenario:
    """The scenario with its first campaign framing under these settings."""
    spec = scenario.campaigns[0]
    if spec.kind != "framing":
        raise ConfigError(
            f"{scenario.name}: the first campaign is no framing attack", hint="use framing_small"
        )
    copy = {k.removeprefix("imitate_"): v for k, v in settings.items() if k.startswith("imitate_")}
    dials = {**spec.dials, **base, **{k: v for k, v in settings.items() if k in BOUNDS}}
    changed = replace(
        spec, imitation={**spec.imitation, **copy}, dials=dials,
        extraction_share=None if "extraction_share" in dials else spec.extraction_share,
        accounts=int(settings.get("accounts", spec.accounts)),
        exchanges_per_account=float(settings.get("exchanges_per_account", spec.exchanges_per_account)),
    )  # fmt: skip
    return replace(scenario, campaigns=(changed, *scenario.campaigns[1:]))


def framed_of(seen: Seen, campaign: int = 0) -> Framed:
    """Count the victims that were flagged."""
    victims = [r["account_id"] for r in seen.truth if r["class"] == VICTIM_CLASS]
    reached = {level: sum(seen.flagged(a, level) for a in victims) for level in LEVELS}
    return Framed(len(victims), reached, float(seen.campaigns[campaign]["cost_usd"]))


def framing(
    setup: Setup,
    *,
    seed: int,
    budget: Budget,
    out: Path,
    space: Mapping[str, Axis] = SPACE,
    told: Callable[[Trial, int], None] | None = None,
    retried: Retried | None = None,
) -> dict[str, Any]:
    """Search, try again, and write ``trials.jsonl`` and ``framing.json`` into ``out``. Resumable."""
    space = setup.free(space)

    def evaluate(settings: Settings) -> Outcome:
        found = [_try(setup, settings, s) for s in setup.seeds]
        cost = sum(f.cost_usd for f in found) / len(found)
        shares = {level: _share(found, level) for level in LEVELS}
        facts = {"cost_usd": cost, "victims": sum(f.victims for f in found), "share": shares}
        return Outcome((cost, *(-shares[level] for level in LEVELS)), facts)

    trials = search(
        space, evaluate, seed=seed, budget=budget, about=setup.about("framing"), store=out / "trials.jsonl", told=told
    )  # fmt: skip
    blind = min(budget.random_trials, len(trials))
    again = Retries(setup, "framing", space, seed, out)
    report = {
        "detector": setup.name, "detector_digest": setup.digest, "scenario": setup.scenario.name,
        "scenario_digest": setup.scenario.digest, "search_seed": seed, "trials": len(trials),
        "search_worlds": list(setup.seeds), "report_worlds": list(setup.confirm), "held_fixed": setup.held,
        "random_trials": blind,
        "levels": {level: _level(setup, trials, blind, level, again, retried) for level in LEVELS},
        "cannot_be_imitated": dict(CANNOT),
    }  # fmt: skip
    (out / "framing.json").write_text(json.dumps(report, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return report


def _try(setup: Setup, settings: Settings, seed: int) -> Framed:
    return framed_of(run_trial(with_imitation(setup.scenario, settings, setup.base), seed, setup.detector))


def _level(
    setup: Setup, trials: Sequence[Trial], blind: int, level: str, again: Retries, retried: Retried | None
) -> dict[str, Any]:
    """Attacks that framed somebody in the search, several of them tried again on fresh worlds."""
    hits = [t for t in trials if t.facts["share"][level] > 0]
    tried = []
    for trial in candidates(hits, lambda t: (t.facts["cost_usd"], -t.facts["share"][level])):
        if retried is not None:
            retried(trial)
        found = [Framed(**f) for f in again(trial, lambda s, seed: asdict(_try(setup, s, seed)))]
        tried.append(_attack(trial, found, level))
    worked = [c for c in tried if c["worlds_with_a_victim_framed"]]
    best = min(worked, key=lambda c: (c["cost_usd"], c["trial"]), default=None)
    reading = "victims of one world fall together, so the interval over worlds is the one to trust"
    if not hits:
        reading = "no setting tried framed a victim; this is no proof"
    elif best is None:
        reading = "what framed a victim in the search framed none in fresh worlds; this is no proof"
    return {
        "found": len(hits), "tried": len(trials),
        "random_found_interval": interval(sum(t.number < blind for t in hits), blind),
        "dearest_tried_usd": max((t.facts["cost_usd"] for t in trials), default=0.0),
        "cost_usd": None if best is None else best["cost_usd"], "cheapest": best, "candidates": tried,
        "reading": reading,
    }  # fmt: skip


def _attack(trial: Trial, found: Sequence[Framed], level: str) -> dict[str, Any]:
    """An attack as it did on fresh worlds."""
    framed, victims = sum(f.reached[level] for f in found), sum(f.victims for f in found)
    worlds, cost = sum(f.reached[level] > 0 for f in found), sum(f.cost_usd for f in found)
    return {
        "trial": trial.number, "settings": dict(trial.settings), "share_in_search": trial.facts["share"][level],
        "cost_usd": cost / len(found),
        "cost_usd_range": [min(f.cost_usd for f in found), max(f.cost_usd for f in found)],
        "victims": victims, "victims_framed": framed, "share_framed": framed / victims,
        "share_framed_interval": interval(framed, victims), "worlds": len(found),
        "worlds_with_a_victim_framed": worlds, "worlds_interval": interval(worlds, len(found)),
        "cost_per_framed_victim_usd": cost / framed if framed else None,
    }  # fmt: skip


def _share(found: Sequence[Framed], level: str) -> float:
    victims = sum(f.victims for f in found)
    return sum(f.reached[level] for f in found) / victims if victims else 0.0


__all__ = ["LEVELS", "SPACE", "Budget", "Framed", "framed_of", "framing", "with_imitation"]
