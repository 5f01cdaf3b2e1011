"""Compare a scan's tables with a world's sealed truth.

Rates come with one-sided 95 % Clopper-Pearson upper bounds: zero false positives in 1,000 accounts is not a
rate of zero.

References
----------
Clopper, Pearson: The use of confidence or fiducial limits illustrated in the case of the binomial (1934).
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from scipy.stats import beta

SIZE_CLASSES = ((10, "1-10"), (30, "11-30"), (100, "31-100"), (300, "101-300"), (10**9, "301+"))
"""Upper bound and label; a campaign may exceed its class by 12 % through replacements of banned accounts."""


def upper_bound(positives: int, total: int, confidence: float = 0.95) -> float:
    """One-sided Clopper-Pearson upper bound of a rate.

    >>> round(upper_bound(0, 29_956), 6)
    0.0001
    """
    if total == 0 or positives >= total:
        return 1.0
    return float(beta.ppf(confidence, positives + 1, total - positives))


def score(
    truth_dir: Path,
    members_table: pa.Table | Path,
    accounts_table: pa.Table | Path,
    campaigns_table: pa.Table | Path,
) -> dict[str, Any]:
    """Recall, false positives, purity and fragmentation of one scan.

    Args
    ----
    truth_dir: the world's ``truth`` folder.
    members_table, accounts_table, campaigns_table: the scan's tables, or Parquet files of them.

    Returns
    -------
    ``campaigns`` (per true campaign: recall by tier, detected, fragments), ``recall_by_size``, ``classes`` (per
    honest class: accounts and organisations flagged, with bounds), ``purity`` (by size, over groups called campaign
    or mostly of one true campaign or planted pool; honest groups that are called pool are right as they are),
    ``fragments_mean``, ``pools``. An account counts as found when its tier is ``member``; only accounts with traffic
    are counted.
    """
    truth = [r for r in pq.read_table(Path(truth_dir) / "accounts.parquet").to_pylist() if r["exchanges"] > 0]
    known = {r["account_id"]: r for r in truth}
    members = _rows(members_table)
    hints = {r["account_id"]: r.get("disposition_hint") or "none" for r in _rows(accounts_table)}
    kinds = {r["campaign_id"]: r.get("kind") for r in _rows(campaigns_table)}
    tier = {r["account_id"]: r.get("tier") or "member" for r in members}
    found = {a for a, t in tier.items() if t == "member"}
    groups: dict[str, set[str]] = defaultdict(set)
    for row in members:
        if (row.get("tier") or "member") == "member":
            groups[row["campaign_id"]].add(row["account_id"])
    majority = {g: _majority(accounts, known) for g, accounts in groups.items()}
    campaigns = [
        _one(c, truth, found, tier, hints, groups, majority)
        for c in _lines(Path(truth_dir) / "campaigns.jsonl")
    ]
    attacks = [c for c in campaigns if c["kind"] == "campaign"]
    by_size: dict[str, dict[str, Any]] = {}
    for _, label in SIZE_CLASSES:
        inside = [c for c in attacks if c["size_class"] == label]
        if inside:
            total, hit = sum(c["extractors"] for c in inside), sum(c["extractors_found"] for c in inside)
            by_size[label] = {
                "campaigns": len(inside),
                "detected": sum(c["detected"] for c in inside),
                "recall": hit / total if total else None,
            }
    claimed = [g for g in groups if kinds.get(g) == "campaign" or majority[g][0] is not None]
    weight = sum(len(groups[g]) for g in claimed)
    pure = sum(majority[g][1] for g in claimed)
    touched = [c["fragments"] for c in attacks if c["fragments"]]
    extractors = sum(c["extractors"] for c in attacks)
    return {
        "recall": sum(c["extractors_found"] for c in attacks) / extractors if extractors else None,
        "campaigns_detected": sum(c["detected"] for c in attacks),
        "campaigns_total": len(attacks),
        "campaigns": campaigns,
        "recall_by_size": by_size,
        "classes": _classes(truth, found, hints),
        "purity": pure / weight if weight else None,
        "groups": len(groups),
        "groups_without_campaign": sum(1 for g in groups if majority[g][0] is None),
        "fragments_mean": sum(touched) / len(touched) if touched else None,
        "pools": {
            c["campaign_id"]: {
                "found": c["found"],
                "called_campaign": any(kinds.get(g) == "campaign" for g in c["groups"]),
            }
            for c in campaigns
            if c["kind"] == "pool"
        },
    }


def _rows(table: pa.Table | Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (table if isinstance(table, pa.Table) else pq.read_table(table)).to_pylist()
    return rows


def _lines(path: Path) -> Iterable[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def _majority(accounts: set[str], known: Mapping[str, Mapping[str, Any]]) -> tuple[str | None, int]:
    """The true campaign most of a group belongs to (None: no campaign), and how many accounts agree."""
    counts = Counter(known[a]["campaign_id"] if a in known else None for a in accounts)
    name, size = max(counts.items(), key=lambda item: (item[1], str(item[0])))
    return (name, size if name is not None else 0)


def _one(
    campaign: Mapping[str, Any],
    truth: list[dict[str, Any]],
    found: set[str],
    tier: Mapping[str, str],
    hints: Mapping[str, str],
    groups: Mapping[str, set[str]],
    majority: Mapping[str, tuple[str | None, int]],
) -> dict[str, Any]:
    mine = {r["account_id"]: r for r in truth if r["campaign_id"] == campaign["campaign_id"]}
    extractors = {a for a, r in mine.items() if r["is_extractor"]}
    parts = sorted(g for g, (name, _) in majority.items() if name == campaign["campaign_id"])
    jaccard = max((len(groups[g] & mine.keys()) / len(groups[g] | mine.keys()) for g in parts), default=0.0)
    actionable = sum(1 for a in mine if hints.get(a) in ("review", "act"))
    return {
        **campaign,
        "size_class": next(label for bound, label in SIZE_CLASSES if len(mine) <= bound * 1.12),
        "accounts": len(mine),
        "found": len(mine.keys() & found),
        "recall": len(mine.keys() & found) / len(mine) if mine else None,
        "extractors": len(extractors),
        "extractors_found": len(extractors & found),
        "any_tier": sum(1 for a in mine if a in tier),
        "review_or_act": actionable,
        "act": sum(1 for a in mine if hints.get(a) == "act"),
        "fragments": len(parts),
        "groups": parts,
        "jaccard": jaccard,
        "detected": jaccard >= 0.5,
    }


def _classes(
    truth: list[dict[str, Any]], found: set[str], hints: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    honest: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in truth:
        if row["campaign_id"] is None:
            honest[row["class"]].append(row)
    out = {}
    for name, rows in sorted(honest.items()):
        orgs: dict[str, set[str]] = defaultdict(set)
        for r in rows:
            orgs[r["org_key"]].add(r["account_id"])
        member = sum(1 for r in rows if r["account_id"] in found)
        review = sum(1 for r in rows if hints.get(r["account_id"]) in ("review", "act"))
        act = sum(1 for r in rows if hints.get(r["account_id"]) == "act")
        orgs_review = sum(
            1 for accounts in orgs.values() if any(hints.get(a) in ("review", "act") for a in accounts)
        )
        orgs_act = sum(1 for accounts in orgs.values() if any(hints.get(a) == "act" for a in accounts))
        orgs_member = sum(1 for accounts in orgs.values() if accounts & found)
        out[name] = {
            "accounts": len(rows),
            "member": member,
            "review_or_act": review,
            "act": act,
            "fpr": member / len(rows),
            "fpr_upper": upper_bound(member, len(rows)),
            "fpr_act": act / len(rows),
            "fpr_act_upper": upper_bound(act, len(rows)),
            "orgs": len(orgs),
            "orgs_member": orgs_member,
            "orgs_review_or_act": orgs_review,
            "orgs_act": orgs_act,
            "orgs_review_or_act_share": orgs_review / len(orgs),
            "orgs_act_upper": upper_bound(orgs_act, len(orgs)),
        }
    return out
