"""Puts the figures together: everything that one run says about one world."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.errors import SourceError
from stillwatch.lab.scoring.cost import analyst_load, attacker_cost, volume
from stillwatch.lab.scoring.groups import (
    SIZE_CLASSES,
    campaign_level,
    campaign_rows,
    discovery,
    match,
)
from stillwatch.lab.scoring.ranking import ranking
from stillwatch.lab.scoring.rates import rate_of
from stillwatch.lab.scoring.run import Run
from stillwatch.lab.scoring.segments import collateral, everybody
from stillwatch.lab.scoring.truth import Truth

SENT = ((10, "1-10"), (100, "11-100"), (math.inf, "more"))
"""Classes of successors: largest number of exchanges, and label."""


def score_run(truth: Truth, run: Run, accounts: pa.Table | None = None) -> dict[str, Any]:
    """Every figure of one run on one world, as JSON.

    Args
    ----
    truth: the world's truth.
    run: what the detector wrote.
    accounts: the world's account table, for collateral by country and plan.

    Returns
    -------
    ``ranking`` (recall at fixed false positive rates, partial area), ``operating_points`` (recall and false
    positives at ``member``, ``claimed``, ``review``, ``act``), ``campaigns`` (per campaign), ``recall_by_size``,
    ``campaign_level`` (found, called, precision, F1, purity, splits, merges), ``discovery`` (false claims against the
    stated rate), ``successors`` (accounts opened for banned ones, and how many are member, by what they had sent),
    ``collateral`` and ``classes`` (honest accounts and organisations flagged), ``load``, ``volume``,
    ``cost``; and the plain figures ``recall``, ``campaigns_detected``, ``campaigns_total``, ``purity``, ``groups``,
    ``groups_without_campaign``, ``fragments_mean``, ``pools``. An account counts as found when its tier is
    ``member``; only accounts with traffic are counted. A detector that gives scores alone (``decides`` False) has a
    ranking and nothing else: what follows from decisions is None, empty, or a rate of no trials.

    Raises
    ------
    SourceError
        The run names accounts that the world does not have: it is a run on another world.
    """
    _same_world(truth, run)
    matched = match(truth, run)
    rows = campaign_rows(matched)
    level = campaign_level(matched, rows if run.decides else [])
    attacks = [c for c in rows if c["kind"] == "campaign"]
    extractors = sum(c["extractors"] for c in attacks)
    segments = collateral(truth, run, accounts) if run.decides else {}
    return {
        "detector": dict(run.detector),
        "decides": run.decides,
        "world": {
            "accounts": len(truth.ids), "exchanges": int(truth.exchanges.sum()),
            "honest_accounts": int(truth.honest.sum()), "extractors": int(truth.extractor.sum()),
        },
        "recall": sum(c["extractors_found"] for c in attacks) / extractors
        if extractors and run.decides
        else None,
        "ranking": ranking(run.ranking(truth.ids), truth.extractor, truth.honest, truth.campaign),
        "operating_points": operating_points(truth, run),
        "campaigns_detected": sum(c["detected"] for c in attacks),
        "campaigns_total": len(attacks),
        "campaigns": rows,
        "recall_by_size": _by_size(attacks),
        "campaign_level": level,
        "discovery": discovery(matched),
        "successors": successors(truth, run),
        "purity": level["purity"],
        "groups": len(run.groups),
        "groups_without_campaign": sum(not first for first, _ in matched.lead.values()),
        "fragments_mean": level["splits"]["groups_per_campaign"],
        "classes": segments.get("class", {}),
        "collateral": {"all": everybody(truth, run), **segments} if run.decides else {},
        "load": analyst_load(truth, run) if run.decides else None,
        "volume": volume(truth, run) if run.decides else None,
        "cost": attacker_cost(truth),
        "pools": {
            c["campaign_id"]: {
                "found": c["found"],
                "called_campaign": any(g in run.claimed for g in c["groups"]),
            }
            for c in rows
            if c["kind"] == "pool"
        },
    }  # fmt: skip


def operating_points(truth: Truth, run: Run) -> dict[str, Any]:
    """Recall of extractors and false positives among honest accounts at the detector's own decisions.

    ``member`` is a member of any group, ``claimed`` one of a group that is called a campaign: an honest reseller's
    accounts that are called a pool do have one controller, and are wronged only by the second.
    """
    points = {
        "member": run.members,
        "claimed": run.claimed_members,
        "review": run.hinted("review", "act"),
        "act": run.hinted("act"),
    }
    out = {}
    for name, flagged in points.items():
        hit = np.array([a in flagged for a in truth.ids], np.bool_)
        out[name] = {
            figure: rate_of(int((hit & who).sum()), int(who.sum()) if run.decides else 0).row()
            for figure, who in (("recall", truth.extractor), ("false_positives", truth.honest))
        }
    return out


def successors(truth: Truth, run: Run) -> dict[str, dict[str, Any]]:
    """Accounts that were opened to replace another, and how many are member, by exchanges sent when the log ended.

    Which account replaces which is the truth's to say; where it does not, there were no trials.
    """
    members = run.members
    found: dict[str, list[bool]] = {label: [] for _, label in SENT}
    for account, replaced, sent in zip(truth.ids, truth.replaces, truth.exchanges.tolist(), strict=True):
        if replaced and run.decides:
            found[next(label for bound, label in SENT if sent <= bound)].append(account in members)
    return {label: rate_of(sum(hits), len(hits)).row() for label, hits in found.items()}


def _by_size(attacks: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    out = {}
    for _, label in SIZE_CLASSES:
        inside = [c for c in attacks if c["size_class"] == label]
        if inside:
            recall = rate_of(sum(c["extractors_found"] for c in inside), sum(c["extractors"] for c in inside))
            out[label] = {
                "campaigns": len(inside), "detected": sum(c["detected"] for c in inside),
                "recall": recall.share, "recall_low": recall.low, "recall_high": recall.high,
            }  # fmt: skip
    return out


def _same_world(truth: Truth, run: Run) -> None:
    named = run.tier.keys() | run.hint.keys() | (run.score or {}).keys()
    strange = named - set(truth.ids) - truth.silent
    if strange:
        raise SourceError(
            str(run.detector.get("id") or "run"),
            f"names {len(strange):,} accounts that this world does not have, such as {min(strange)!r}",
            hint="score it against the truth of the traffic it was made from",
        )


__all__ = ["SENT", "operating_points", "score_run", "successors"]
