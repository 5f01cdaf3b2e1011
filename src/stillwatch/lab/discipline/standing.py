"""Whether a figure may be reported on a world, and what it may be called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stillwatch.errors import ConfigError
from stillwatch.lab.discipline.family import Family

NOTES = {
    "held out": "held out: no opening for tuning is recorded in the ledgers that were read",
    "development": "development, not a result",
    "tuning": "opened for tuning, not a result",
    "unknown": "the world does not say which family it is of, so nobody can say what was tuned on it: not a result",
}
"""Marks and their meaning in words. Only ``held out`` may be called a result."""
ELSEWHERE = (
    "; the world's folder cannot be written, so this opening is recorded only in the ledgers that were named"
)


@dataclass(frozen=True, slots=True)
class Standing:
    """What figures on one world are worth."""

    mark: str
    """One of `NOTES`."""
    openings: Mapping[str, int]
    """Earlier recorded openings of this world, by purpose. Many for report are tuning by another name."""
    beside: bool = True
    """Whether this opening is recorded beside the world, too."""

    def row(self) -> dict[str, Any]:
        """As JSON."""
        note = NOTES[self.mark] + ("" if self.beside else ELSEWHERE)
        return {"mark": self.mark, "note": note, "openings": dict(self.openings)}


def standing_of(
    family: Family | None, purpose: str, entries: Iterable[Mapping[str, Any]], world: str = "",
    declared: Iterable[int] = (),
) -> Standing:  # fmt: skip
    """The standing of figures on one world.

    Args
    ----
    family: where the world comes from; None when it does not say.
    purpose: ``tune`` or ``report``.
    entries: lines of every ledger.
    world: digest of the world's truth, by which a world without a family is recognised.
    declared: seeds that are declared together with the family's; one opened for tuning takes the others with it.

    Raises
    ------
    ConfigError
        ``report`` on a family that was opened for tuning and is not one for development.
    """
    entries = list(entries)
    # One opening may stand in several ledgers; lines of earlier versions carry no name of their own.
    mine = {
        str(e.get("opening") or e["hash"]): e for e in entries
        if (e.get("world") == world if family is None else _same(e, family.scenario, (family.seed,)))
    }  # fmt: skip
    openings = Counter(str(e.get("purpose")) for e in mine.values())
    if purpose == "tune":
        return Standing("tuning", openings)
    if family is not None and family.development:
        return Standing("development", openings)
    if family is not None:
        refuse_tuned(family.scenario, sorted({family.seed, *declared}), family.split, entries)
    elif openings["tune"]:
        raise _refusal("this world", [e for e in mine.values() if e["purpose"] == "tune"], None)
    return Standing("held out" if family else "unknown", openings)


def declared_seeds(scenario: str, seed: int) -> frozenset[int]:
    """Seeds that the built-in suites declare together with this one, itself included."""
    from stillwatch.lab.suite.plan import load_suite, suites

    families = (set(w.seeds) for s in suites() for w in load_suite(s).worlds if w.scenario == scenario)
    return frozenset({seed}).union(*(f for f in families if seed in f))


def refuse_tuned(
    scenario: str, seeds: Sequence[int], split: str, entries: Iterable[Mapping[str, Any]]
) -> None:
    """Refuse a declared family, a scenario with all its seeds, when truth of any seed was opened for tuning.

    Families for development are let through; their figures are marked instead.

    Raises
    ------
    ConfigError: it was opened for tuning.
    """
    held = [s for s in seeds if not Family(scenario, s, 1.0, split).development]
    if not held:
        return
    opened = [e for e in entries if e.get("purpose") == "tune" and _same(e, scenario, held)]
    if opened:
        family = Family(scenario, max(seeds), 1.0, split)
        told = f"seeds {min(seeds)} to {max(seeds)}" if len(seeds) > 1 else f"seed {seeds[0]}"
        raise _refusal(f"{scenario}, {told}", opened, family)


def _same(entry: Mapping[str, Any], scenario: str, seeds: Sequence[int]) -> bool:
    return entry.get("scenario") == scenario and entry.get("seed") in seeds


def _refusal(name: str, opened: Sequence[Mapping[str, Any]], family: Family | None) -> ConfigError:
    last = opened[-1]
    seed, when = last.get("seed"), last.get("at")
    told = ", ".join(x for x in (f"seed {seed}" if seed is not None else "", str(when or "")) if x)
    fresh = (
        f"take seeds that nobody has opened, from {family.seed + 1} on (`seeds` in a suite, --seed of lab generate)"
        if family
        else "make another world"
    )
    return ConfigError(
        f"{name}: truth was opened for tuning ({told or 'see the ledger'}); no figure is reported on it",
        hint=f"{fresh}; or use --purpose tune, and the figures say that they are no result",
    )


__all__ = ["NOTES", "Standing", "declared_seeds", "refuse_tuned", "standing_of"]
