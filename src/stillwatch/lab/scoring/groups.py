"""Groups that a detector found against the campaigns that were there.

A group is the set of accounts at tier ``member``; accounts that sent nothing are left out, since nobody can be judged
by them. A campaign is *found* when some group agrees with it to a Jaccard index of more than one half, *called* when
such a group is said to be a campaign and not only a pool. Above one half no group can stand for two campaigns and no
campaign for two groups: two halves are neither found twice nor claimed twice.

References
----------
Amigo, Gonzalo, Artiles, Verdejo: A comparison of extrinsic clustering evaluation metrics (2009), for purity and
its blind spots. Best match by Jaccard as in community detection: Yang, Leskovec (2013). That a match above one half is
the only one: Kirillov and others, Panoptic segmentation (2019).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stillwatch.lab.scoring.rates import Rate, clopper_pearson, rate_of
from stillwatch.lab.scoring.run import Run
from stillwatch.lab.scoring.truth import Truth

JACCARD = 0.5
"""Agreement above which a group stands for a campaign."""
MERGE_SHARE = 0.1
"""A group merges campaigns when two of them each make up this share of it, and two accounts at least."""
SIZE_CLASSES = ((10, "1-10"), (30, "11-30"), (100, "31-100"), (300, "101-300"), (10**9, "301+"))
"""Upper bound and label; a campaign may exceed its class by 12 % through replacements of banned accounts."""


@dataclass(frozen=True, slots=True)
class Matched:
    """The groups of a run laid over the campaigns and pools of a world."""

    truth: Truth
    run: Run
    mine: Mapping[str, frozenset[str]]
    """Accounts with traffic, by campaign or planted pool."""
    judged: Mapping[str, frozenset[str]]
    """Accounts with traffic, by group."""
    lead: Mapping[str, tuple[frozenset[str], int]]
    """By group: the campaign or pool that has the most of its accounts, and how many. Several in a tie; none, and 0,
    when honest accounts are as many or more."""
    best: Mapping[str, float]
    """By campaign or pool: largest Jaccard index with any group."""
    called: Mapping[str, float]
    """The same over groups that are called campaigns."""
    true_claims: frozenset[str]
    """Claimed campaigns that agree with a campaign to more than `JACCARD`."""
    merges: frozenset[str]
    """Groups that hold good parts of two or more campaigns or pools."""


def match(truth: Truth, run: Run) -> Matched:
    """Lay groups over campaigns; linear in memberships."""
    owner = dict(zip(truth.ids, truth.campaign, strict=True))
    mine: dict[str, set[str]] = {str(c["campaign_id"]): set() for c in truth.campaigns}
    for account, name in owner.items():
        if name is not None:
            mine[name].add(account)
    judged = {g: accounts - truth.silent for g, accounts in run.groups.items()}
    lead: dict[str, tuple[frozenset[str], int]] = {}
    best: dict[str, float] = defaultdict(float)
    called: dict[str, float] = defaultdict(float)
    true_claims, merges, claimed, attacks = set(), set(), run.claimed, truth.attacks
    for name, accounts in judged.items():
        counts = Counter(owner.get(a) for a in accounts)
        parts = {c: n for c, n in counts.items() if c is not None}
        most = max(parts.values(), default=0)
        lead[name] = frozenset(), 0
        if most > counts[None]:
            lead[name] = frozenset(c for c, n in parts.items() if n == most), most
        if sum(n >= max(2, MERGE_SHARE * len(accounts)) for n in parts.values()) > 1:
            merges.add(name)
        for campaign, shared in parts.items():
            agreement = shared / (len(accounts) + len(mine[campaign]) - shared)
            best[campaign] = max(best[campaign], agreement)
            if name in claimed:
                called[campaign] = max(called[campaign], agreement)
                if agreement > JACCARD and campaign in attacks:
                    true_claims.add(name)
    return Matched(
        truth, run, {c: frozenset(a) for c, a in mine.items()}, judged, lead, best, called,
        frozenset(true_claims), frozenset(merges),
    )  # fmt: skip


def campaign_rows(matched: Matched) -> list[dict[str, Any]]:
    """One row per campaign or planted pool: what the world says of it, and what became of it."""
    truth, run = matched.truth, matched.run
    extractors = {a for a, x in zip(truth.ids, truth.extractor.tolist(), strict=True) if x}
    members, review, act = run.members, run.hinted("review", "act"), run.hinted("act")
    rows = []
    for campaign in truth.campaigns:
        name = str(campaign["campaign_id"])
        mine = matched.mine[name]
        # A planted pool's accounts are no extractors for the rates; its row still says what it sent.
        own = mine & extractors if campaign.get("kind") != "pool" else _senders(truth, mine)
        parts = sorted(g for g, (first, _) in matched.lead.items() if name in first)
        rows.append(
            {
                **{k: v for k, v in campaign.items() if k != "accounts" or not isinstance(v, list)},
                "kind": campaign.get("kind", "campaign"),
                "size_class": next(label for bound, label in SIZE_CLASSES if len(mine) <= bound * 1.12),
                "accounts": len(mine),
                "found": len(mine & members),
                "recall": len(mine & members) / len(mine) if mine else None,
                "extractors": len(own),
                "extractors_found": len(own & members),
                "any_tier": len(mine & run.tier.keys()),
                "review_or_act": len(mine & review),
                "act": len(mine & act),
                "fragments": len(parts),
                "groups": parts,
                "jaccard": matched.best.get(name, 0.0),
                "detected": matched.best.get(name, 0.0) > JACCARD,
                "called": matched.called.get(name, 0.0) > JACCARD,
            }
        )
    return rows


def campaign_level(matched: Matched, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Recall, precision and F1 of campaigns; purity, splits and merges of groups."""
    attacks = [r for r in rows if r["kind"] == "campaign" and r["accounts"]]
    found = rate_of(sum(r["detected"] for r in attacks), len(attacks))
    called = rate_of(sum(r["called"] for r in attacks), len(attacks))
    precision = rate_of(len(matched.true_claims), len(matched.run.claimed))
    split = [r["fragments"] for r in attacks if r["fragments"]]
    return {
        "found": found.row(),
        "called": called.row(),
        "precision": precision.row(),
        "f1": _f1(called, precision),
        "purity": purity(matched),
        "splits": {
            "campaigns_in_several_groups": rate_of(sum(n > 1 for n in split), len(split)).row(),
            "groups_per_campaign": sum(split) / len(split) if split else None,
        },
        "merges": rate_of(len(matched.merges), len(matched.run.groups)).row(),
    }


def purity(matched: Matched) -> float | None:
    """Of the accounts in groups, the share that belongs to the campaign or pool that leads its group (`Matched.lead`).

    Groups weigh by their accounts with traffic; one that honest accounts lead, or share the lead of, gives 0. Taken
    over groups that are called a campaign or led by a campaign or planted pool: a group of honest accounts that is
    called a pool is right as it is. None when there are no such groups. Blind to splits: single accounts are pure.
    """
    chosen = [g for g, (first, _) in matched.lead.items() if g in matched.run.claimed or first]
    weight = sum(len(matched.judged[g]) for g in chosen)
    return sum(matched.lead[g][1] for g in chosen) / weight if weight else None


def discovery(matched: Matched) -> dict[str, Any]:
    """False claims against the rate that the detector states.

    A claimed campaign is *false* when half of its accounts or more are of no campaign; planted pools are none. A group
    of any kind is *false* when no single controller has more than half of its accounts. The stated rate is the largest
    that any of the claims carries. ``verdict``: ``exceeded`` when the exact interval lies above it, ``within`` when it
    lies below it, ``open`` when there are too few claims to tell, ``not stated`` when the detector states none.
    """
    truth, run = matched.truth, matched.run
    claims = run.claimed
    attackers = frozenset[str]().union(*(matched.mine[c] for c in truth.attacks))
    wrong = sum(2 * len(matched.judged[g] & attackers) <= len(matched.judged[g]) for g in claims)
    low, high = clopper_pearson(wrong, len(claims))
    stated = max((run.stated[g] for g in claims if g in run.stated), default=None)
    controller = dict(zip(truth.ids, truth.controller, strict=True))
    mixed = sum(
        2 * max(Counter(controller[a] for a in accounts).values(), default=0) <= len(accounts)
        for accounts in matched.judged.values()
    )
    return {
        "campaigns": {
            "claimed": len(claims), "false": wrong, "share": wrong / len(claims) if claims else None,
            "low": low, "high": high, "stated": stated, "verdict": _verdict(low, high, stated, len(claims)),
        },
        "groups": rate_of(mixed, len(run.groups)).row(),
    }  # fmt: skip


def _verdict(low: float, high: float, stated: float | None, claims: int) -> str:
    if stated is None:
        return "not stated" if claims else "no claims"
    if low > stated:
        return "exceeded"
    return "within" if high <= stated else "open"


def _f1(recall: Rate, precision: Rate) -> float | None:
    if not recall.total or (not precision.total and not recall.hits):
        return None if not recall.total else 0.0
    r, p = recall.share or 0.0, precision.share or 0.0
    return 2 * r * p / (r + p) if r + p else 0.0


def _senders(truth: Truth, accounts: frozenset[str]) -> set[str]:
    sent = truth.extraction.tolist()
    return {a for a, n in zip(truth.ids, sent, strict=True) if n and a in accounts}


__all__ = [
    "JACCARD", "MERGE_SHARE", "SIZE_CLASSES", "Matched", "campaign_level", "campaign_rows", "discovery", "match",
    "purity",
]  # fmt: skip
