"""Rates, intervals and seeds in words; which cells of a study are meant."""

from __future__ import annotations

from typing import Any

from scipy import stats


def wilson(hit: int, total: int) -> str:
    """Share with its Wilson interval, in words."""
    if not total:
        return "n/a"
    low, high = stats.binomtest(hit, total).proportion_ci(method="wilson")
    return f"{hit / total:.3f} ({low:.3f} to {high:.3f}; n = {total:,})"


def upper(hit: int, total: int) -> float:
    """One-sided 95% Clopper-Pearson upper bound."""
    return float(stats.beta.ppf(0.95, hit + 1, total - hit)) if hit < total else 1.0


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


def at_rate(rows: list[dict[str, Any]], rate: float) -> str:
    """Recall at a false positive rate, added up over the worlds that can measure it."""
    found = [
        x for r in rows for x in r["score"]["ranking"]["recall_at"] if x["rate"] == rate and x["measured"]
    ]
    return (
        wilson(sum(x["recall"]["hits"] for x in found), sum(x["recall"]["total"] for x in found))
        if found
        else "-"
    )
