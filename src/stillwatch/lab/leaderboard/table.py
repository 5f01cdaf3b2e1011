"""Cells added up: one row per detector and family, with intervals over the sums.

Counts are added over seeds before a rate is formed, so that a world counts by what is in it. Thresholds stay those of
each world. Accounts of one campaign stand or fall together: intervals that take accounts one by one are the
narrowest that could be right, and the number of campaigns is given beside them.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import inf, isfinite
from statistics import median
from typing import Any

from stillwatch.lab.scoring.cost import PER
from stillwatch.lab.scoring.rates import clopper_pearson, poisson_interval, rate_of
from stillwatch.lab.scoring.score import SENT

FORMAT = 1
"""Version of the table's layout."""


def leaderboard(cells: Sequence[Mapping[str, Any]], suite: Mapping[str, Any]) -> dict[str, Any]:
    """The table of a suite.

    Args
    ----
    cells: what `run_suite` returned.
    suite: ``name``, ``title``, ``version``, ``purpose`` of the suite, and ``generator`` version.

    Returns
    -------
    ``suite``; ``detectors`` with their stated versions; ``rows``, one per detector and family, and one per detector
    over all families that are held out (``family`` None); ``failed`` cells with their reasons. Rows stand in order of
    names and are no ranking; ``equal_to`` names the detectors with the very same figures on the same worlds.
    """
    fine = [c for c in cells if "score" in c]
    by: dict[tuple[str, float, str], list[Mapping[str, Any]]] = defaultdict(list)
    whole: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for cell in fine:
        by[(cell["scenario"], cell["scale"], cell["detector"]["id"])].append(cell)
        if cell["score"]["standing"]["mark"] == "held out":
            whole[cell["detector"]["id"]].append(cell)
    rows = [
        _row(d, f"{s} x{scale:g}" if scale != 1 else s, mine) for (s, scale, d), mine in sorted(by.items())
    ]
    rows += [_row(d, None, mine) for d, mine in sorted(whole.items())]
    _mark_equals(rows)
    detectors = {c["detector"]["id"]: dict(c["detector"]) for c in cells}
    return {
        "format": FORMAT,
        "suite": dict(suite),
        "detectors": [detectors[d] for d in sorted(detectors)],
        "rows": rows,
        "failed": [
            {
                "detector": c["detector"]["id"], "scenario": c["scenario"], "seed": c["seed"], "error": c["error"],
                "hint": c.get("hint", ""),
            }
            for c in cells if "error" in c
        ],
    }  # fmt: skip


def _row(detector: str, family: str | None, cells: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    scores = [c["score"] for c in cells]
    marks = Counter(s["standing"]["mark"] for s in scores)
    return {
        "detector": detector,
        "family": family,
        "seeds": sorted({c["seed"] for c in cells}),
        "mark": next(iter(marks)) if len(marks) == 1 else "mixed",
        "note": scores[0]["standing"]["note"] if len(marks) == 1 else "some worlds are no result",
        "recall_at": {f"{r['rate']:g}": _ranked(scores, i) for i, r in enumerate(scores[0]["ranking"]["recall_at"])},
        "partial_auc": _spread(s["ranking"]["partial_auc"]["value"] for s in scores),
        "operating_points": {
            point: {
                figure: _sum(s["operating_points"][point][figure] for s in scores)
                for figure in ("recall", "false_positives")
            }
            for point in ("member", "claimed", "review", "act")
        },
        "campaigns": {
            figure: _sum(s["campaign_level"][figure] for s in scores)
            for figure in ("found", "called", "precision")
        },
        "f1": _f1(scores),
        "purity": _spread(s["purity"] for s in scores),
        "groups_per_campaign": _spread(s["fragments_mean"] for s in scores),
        "discovery": _discovery(scores),
        "orgs_wronged": {
            point: _sum(_orgs(s, point) for s in scores) for point in ("member", "claimed", "review_or_act", "act")
        },
        "successors": {
            label: _sum(s["successors"][label] for s in scores) for _, label in SENT
        },
        "load": _load(scores),
        "missed_volume": _missed(scores),
        "delay": _delay(cells),
        "wall_s": round(sum(c.get("wall_s", 0.0) for c in cells), 1),
        "exchanges": sum(s["world"]["exchanges"] for s in scores),
    }  # fmt: skip


def _mark_equals(rows: list[dict[str, Any]]) -> None:
    """Name in every row the detectors whose figures are the same, time apart: these worlds do not tell them apart."""
    alike: dict[str, list[str]] = defaultdict(list)
    keys = [
        json.dumps({k: v for k, v in r.items() if k not in ("detector", "wall_s")}, sort_keys=True)
        for r in rows
    ]
    for row, key in zip(rows, keys, strict=True):
        alike[key].append(row["detector"])
    for row, key in zip(rows, keys, strict=True):
        row["equal_to"] = [d for d in alike[key] if d != row["detector"]]


def _ranked(scores: Sequence[Mapping[str, Any]], index: int) -> dict[str, Any]:
    """Recall at one rate over the worlds in which it could be measured."""
    found = [s["ranking"]["recall_at"][index] for s in scores]
    measured = [f for f in found if f["measured"]]
    if not measured:
        return {"measured": False, "why": found[0]["why"]}
    return {
        "measured": True, "worlds": len(measured), "of": len(found), **_sum(f["recall"] for f in measured),
        "false_positives": _sum(f["false_positives"] for f in measured),
    }  # fmt: skip


def _sum(rates: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    rows = list(rates)
    return rate_of(sum(r["hits"] for r in rows), sum(r["total"] for r in rows)).row()


def _orgs(score: Mapping[str, Any], point: str) -> dict[str, int]:
    everybody = score["collateral"].get("all")
    if everybody is None:
        return {"hits": 0, "total": 0}
    return {"hits": everybody[f"orgs_{point}"], "total": everybody["orgs"]}


def _spread(values: Iterable[float | None]) -> dict[str, Any] | None:
    """Mean over worlds with the least and the most: too few worlds for an interval."""
    known = [v for v in values if v is not None]
    if not known:
        return None
    return {"mean": sum(known) / len(known), "low": min(known), "high": max(known), "worlds": len(known)}


def _f1(scores: Sequence[Mapping[str, Any]]) -> float | None:
    called = _sum(s["campaign_level"]["called"] for s in scores)
    precise = _sum(s["campaign_level"]["precision"] for s in scores)
    if not called["total"]:
        return None
    r, p = called["share"] or 0.0, precise["share"] or 0.0
    return 2 * r * p / (r + p) if r + p else 0.0


def _discovery(scores: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    found = [s["discovery"]["campaigns"] for s in scores]
    wrong, claimed = sum(f["false"] for f in found), sum(f["claimed"] for f in found)
    low, high = clopper_pearson(wrong, claimed)
    stated = max((f["stated"] for f in found if f["stated"] is not None), default=None)
    return {
        "false": wrong, "claimed": claimed, "share": wrong / claimed if claimed else None, "low": low, "high": high,
        "stated": stated,
    }  # fmt: skip


def _load(scores: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    known = [s for s in scores if s["load"] is not None]
    if not known:
        return None
    cases, seen = sum(s["load"]["cases"] for s in known), sum(s["world"]["accounts"] for s in known)
    low, high = poisson_interval(cases)
    scale = PER / seen if seen else 0.0
    return {"cases": cases, "per_million": cases * scale, "low": low * scale, "high": high * scale}


def _missed(scores: Sequence[Mapping[str, Any]]) -> float | None:
    known = [s["volume"] for s in scores if s["volume"] is not None]
    total = sum(v["extraction_exchanges"] for v in known)
    return sum(v["missed"] for v in known) / total if total else None


def _delay(cells: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Median share and number of exchanges taken before the first ``member``, over campaigns that were looked for.

    A campaign that no look saw counts as later than all that were seen: the median is None when it falls on one.
    """
    told = [c for cell in cells if cell.get("delay") for c in cell["delay"]["campaigns"]]
    looked = [c for c in told if c["looks"]]
    if not looked:
        return None
    moments = [c["member"] for c in looked]
    return {
        "campaigns": len(looked),
        "unseen": sum(m is None for m in moments),
        "not_looked_for": len(told) - len(looked),
        "median_share": _middle(m and m["share_at_most"] for m in moments),
        "median_exchanges": _middle(m and m["taken_at_most"]["exchanges"] for m in moments),
    }


def _middle(values: Iterable[float | None]) -> float | None:
    found = median(inf if v is None else v for v in values)
    return found if isfinite(found) else None


__all__ = ["FORMAT", "leaderboard"]
