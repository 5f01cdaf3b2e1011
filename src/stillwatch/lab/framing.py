"""What it costs to frame an honest account: to `review`, and to `act`.

Searches how closely a victim is imitated, by how many framing accounts, and how careless the framing campaign is
itself, for the cheapest attack that brings a victim to each level. Attacks that are found are tried again on worlds
the search never saw. That nothing was found within a budget is reported as that, not as impossible.

What cannot be imitated at any price is listed in the report (:data:`stillwatch.lab.attackers.imitation.CANNOT`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError
from stillwatch.lab.attackers.dials import BOUNDS
from stillwatch.lab.attackers.framer import VICTIM_CLASS
from stillwatch.lab.attackers.imitation import CANNOT, Imitation
from stillwatch.lab.evasion import Setup
from stillwatch.lab.evasion_search import Axis, Budget, Outcome, Settings, Trial, pareto, search
from stillwatch.lab.evasion_trial import FLAGGED, Seen, interval, run_trial
from stillwatch.lab.scenario import Scenario

LEVELS = tuple(FLAGGED)
"""What a victim may be brought to."""
MOST_CONFIRMED = 5
"""Attacks tried again per level, the cheapest first."""

SPACE: Mapping[str, Axis] = {
    "accounts": Axis(6, 80, log=True, integer=True),
    "exchanges_per_account": Axis(10, 100, log=True, integer=True),
    **{f"imitate_{f.name}": Axis(0, 1) for f in fields(Imitation)},
    "own_card": Axis(0, 1),
    "own_client": Axis(0, 1),
    "extraction_share": Axis(0.3, 1),
}
"""Imitation (prefixed ``imitate_``), size, and how openly the framers run."""


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
        spec, imitation={**spec.imitation, **copy}, dials=dials, extraction_share=None,
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
) -> dict[str, Any]:
    """Search, confirm, and write ``trials.jsonl`` and ``framing.json`` into ``out``. Resumable."""

    def evaluate(settings: Settings) -> Outcome:
        plan = with_imitation(setup.scenario, settings, setup.base)
        found = [framed_of(run_trial(plan, s, setup.detector)) for s in setup.seeds]
        cost = sum(f.cost_usd for f in found) / len(found)
        shares = {level: _share(found, level) for level in LEVELS}
        facts = {"cost_usd": cost, "victims": sum(f.victims for f in found), "share": shares}
        return Outcome((cost, *(-shares[level] for level in LEVELS)), facts)

    about = json.dumps(["framing", setup.name, setup.scenario.name, setup.seeds, sorted(setup.base.items())])
    trials = search(
        space, evaluate, seed=seed, budget=budget, about=about, store=out / "trials.jsonl", told=told
    )
    report = {
        "detector": setup.name, "scenario": setup.scenario.name, "search_seed": seed, "trials": len(trials),
        "search_worlds": list(setup.seeds), "report_worlds": list(setup.confirm), "held_fixed": dict(setup.base),
        "levels": {level: _level(setup, trials, level) for level in LEVELS}, "cannot_be_imitated": dict(CANNOT),
    }  # fmt: skip
    (out / "framing.json").write_text(json.dumps(report, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return report


def _level(setup: Setup, trials: Sequence[Trial], level: str) -> dict[str, Any]:
    """Attacks that framed somebody in the search and that no cheaper one beat, tried again on fresh worlds."""
    hits = [t for t in trials if t.facts["share"][level] > 0]
    plain: dict[str, Any] = {
        "found": len(hits),
        "tried": len(trials),
        "dearest_tried_usd": max((t.facts["cost_usd"] for t in trials), default=0.0),
    }
    best = [hits[i] for i in pareto([(t.facts["cost_usd"], -t.facts["share"][level]) for t in hits])]
    best = sorted(best, key=lambda t: (t.facts["cost_usd"], t.number))[:MOST_CONFIRMED]
    found = [_confirmed(setup, t, level) for t in best]
    costs = [c["cost_usd"] for c in found if c["worlds_with_a_victim_framed"]]
    reading = "victims of one world fall together, so the interval over worlds is the one to trust"
    if not hits:
        reading = "no setting tried framed a victim; this is no proof"
    elif not costs:
        reading = "what framed a victim in the search framed none in fresh worlds; this is no proof"
    return plain | {"cost_usd": min(costs, default=None), "candidates": found, "reading": reading}


def _confirmed(setup: Setup, trial: Trial, level: str) -> dict[str, Any]:
    plan = with_imitation(setup.scenario, trial.settings, setup.base)
    found = [framed_of(run_trial(plan, s, setup.detector)) for s in setup.confirm]
    framed, victims = sum(f.reached[level] for f in found), sum(f.victims for f in found)
    worlds, cost = sum(f.reached[level] > 0 for f in found), sum(f.cost_usd for f in found)
    return {
        "trial": trial.number, "settings": dict(trial.settings), "share_in_search": trial.facts["share"][level],
        "cost_usd": cost / len(found), "victims": victims, "victims_framed": framed, "share_framed": framed / victims,
        "share_framed_interval": interval(framed, victims), "worlds": len(found),
        "worlds_with_a_victim_framed": worlds, "worlds_interval": interval(worlds, len(found)),
        "cost_per_framed_victim_usd": cost / framed if framed else None,
    }  # fmt: skip


def _share(found: Sequence[Framed], level: str) -> float:
    victims = sum(f.victims for f in found)
    return sum(f.reached[level] for f in found) / victims if victims else 0.0


__all__ = ["LEVELS", "SPACE", "Budget", "Framed", "framed_of", "framing", "with_imitation"]
