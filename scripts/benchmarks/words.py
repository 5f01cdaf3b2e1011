"""Rates, intervals and seeds in words; which cells of a study are meant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stillwatch.lab.scoring.rates import rate_of
from stillwatch.lab.suite.code import code_digest

CARRIED = Path("docs/data/carried.json")


def wilson(hit: int, total: int) -> str:
    """Share with its Wilson interval, in words."""
    if not total:
        return "n/a"
    rate = rate_of(hit, total)
    return f"{rate.share:.3f} ({rate.low:.3f} to {rate.high:.3f}; n = {total:,})"


def upper(hit: int, total: int) -> float:
    """One-sided 95% Clopper-Pearson upper bound."""
    return rate_of(hit, total).upper if total else 1.0


def spread(values: list[float]) -> str:
    """Mean with the least and the most over worlds."""
    return f"{sum(values) / len(values):.3f} ({min(values):.3f} to {max(values):.3f})" if values else "-"


def seeds(rows: list[dict[str, Any]]) -> str:
    """Seeds in words."""
    found = sorted({r["seed"] for r in rows})
    whole = len(found) > 2 and found == list(range(found[0], found[-1] + 1))
    return f"{found[0]} to {found[-1]}" if whole else ", ".join(map(str, found))


def of(rows: list[dict[str, Any]], suite: str, detector: str = "stillwatch") -> list[dict[str, Any]]:
    """Judged cells of one suite and detector."""
    return [r for r in rows if r["suite"] == suite and "score" in r and r["detector"]["id"] == detector]


def counts_at(rows: list[dict[str, Any]], rate: float) -> tuple[int, int]:
    """Extractors above the threshold of a false positive rate, and all, over the worlds that can measure it."""
    found = [
        x for r in rows for x in r["score"]["ranking"]["recall_at"] if x["rate"] == rate and x["measured"]
    ]
    return sum(x["recall"]["hits"] for x in found), sum(x["recall"]["total"] for x in found)


def at_rate(rows: list[dict[str, Any]], rate: float) -> str:
    """Recall at a false positive rate, in words."""
    hit, total = counts_at(rows, rate)
    return wilson(hit, total) if total else "-"


def short(hit: int, total: int) -> str:
    """Share and interval for a narrow cell.

    >>> short(985, 1000), short(0, 5000), short(0, 0)
    ('.985 [.975 .991]', '0 [0 .001]', '-')
    """
    if not total:
        return "-"
    rate = rate_of(hit, total)
    return f"{_brief(rate.share)} [{_brief(rate.low)} {_brief(rate.high)}]"


def _brief(share: float | None) -> str:
    text = f"{share or 0.0:.3f}"
    return {"0.000": "0", "1.000": "1"}.get(text, text.removeprefix("0"))


def carried() -> dict[str, str]:
    """State of the program to a later one that was shown to find the same (``scripts.carry``)."""
    if not CARRIED.exists():
        return {}
    told = json.loads(CARRIED.read_text("utf-8"))
    steps = [(r["from"].partition("-")[0], r["to"].partition("-")[0]) for r in told]
    return {old: new for old, new in steps if old != new}


def states(rows: list[dict[str, Any]]) -> list[str]:
    """Which states of our own program made the figures, when it was more than one: of a split suite also which worlds."""
    made: dict[str, dict[str, set[str]]] = {}
    same = carried()
    for r in rows:
        own = r.get("detector", {}).get("kind") == "own"
        code = r["detector"]["code"] if own else str(r.get("stamp", "")).partition("-")[0]
        for _ in same:
            code = same.get(code, code)
        if code:
            made.setdefault(code, {}).setdefault(r["suite"], set()).add(str(r.get("scenario", r["suite"])))
    if len(made) < 2:
        return []
    told = "; ".join(
        f"`{code}`: {', '.join(_part(name, suites[name], made) for name in sorted(suites))}"
        for code, suites in sorted(made.items())
    )
    return [
        "",
        f"Figures of our own detector come from {len(made)} states of the program, by digest: {told}. Figures of two states"
        " cannot be held against each other. `make study` runs again what is not of the present state.",
    ]


def _part(suite: str, worlds: set[str], made: dict[str, dict[str, set[str]]]) -> str:
    """A suite, and its worlds where other states made some of it."""
    split = sum(suite in suites for suites in made.values()) > 1
    return f"{suite} ({', '.join(sorted(worlds))})" if split else suite


def of_another_program(code: str | None, target: str = "bench") -> list[str]:
    """A warning for figures that another state of the program made; where results are the same, speed may still differ."""
    if code == code_digest("own"):
        return []
    by = f"with the digest `{code}`" if code else "whose digest was not written down"
    return [
        "",
        f"**These figures are of an earlier state of the program**, {by}. `make {target}` measures the present one.",
    ]


def flips(rows: list[dict[str, Any]]) -> tuple[int, int]:
    """Leave-outs in which any verdict flips, and the most accounts of which one did."""
    turned = [max(r["flips"].values()) for r in rows]
    return sum(n > 0 for n in turned), max(turned)
