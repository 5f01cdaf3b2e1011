"""What a person reads of a score: one screen, what it is worth first. `--json` has every figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Row = tuple[str, str]


def scored_rows(scored: Mapping[str, Any]) -> dict[str, str]:
    """Names and values of the main figures, in reading order."""
    return dict(
        [
            *_worth(scored), *_ranking(scored), *_decisions(scored), *_campaigns(scored), *_successors(scored),
            *_wronged(scored), *_seen_by_an_analyst(scored),
        ]
    )  # fmt: skip


def campaign_columns(scored: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One line per campaign or planted pool."""
    return [
        {
            "campaign": c["campaign_id"], "kind": c["kind"], "accounts": c["accounts"], "member": c["found"],
            "any tier": c["any_tier"], "review or act": c["review_or_act"], "groups": c["fragments"],
            "jaccard": round(c["jaccard"], 2),
        }
        for c in scored.get("campaigns", [])
    ]  # fmt: skip


def delay_columns(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One line per campaign: what it had taken when it was first called member, and first put up for review."""
    rows = []
    for campaign in found["campaigns"]:
        row: dict[str, Any] = {"campaign": campaign["campaign_id"], "exchanges": campaign["exchanges"]}
        for verdict in ("member", "review"):
            seen = campaign[verdict]
            if seen is None:
                row[verdict] = (
                    f"not by {campaign['looked_until']:.2%}, the last look"
                    if campaign["looks"]
                    else "not looked for"
                )
                continue
            least, most = seen["taken_more_than"]["exchanges"], seen["taken_at_most"]["exchanges"]
            row[verdict] = f"{least:,} to {most:,} ({seen['share_at_most']:.2%}), {seen['hours']:.1f} h"
        rows.append(row)
    return rows


def honest_line(found: Mapping[str, Any]) -> str:
    """How many honest accounts were member meanwhile: what an early verdict cost.

    >>> rates = {"hits": 0, "total": 98}, {"hits": 2, "total": 179}
    >>> honest_line({"looks": [{"honest_members": rate} for rate in rates]})
    'honest accounts that were member: 0 of 98 at the first look, 2 of 179 at the last of 2'
    """
    said = [f"{r['hits']:,} of {r['total']:,}" for r in (look["honest_members"] for look in found["looks"])]
    if not said:
        return "nothing was looked at: the world has no campaign"
    last = f", {said[-1]} at the last of {len(said)}" if len(said) > 1 else ""
    return f"honest accounts that were member: {said[0]} at the first look{last}"


def rate(row: Mapping[str, Any]) -> str:
    """A share with its interval.

    >>> rate({"hits": 8, "total": 10, "share": 0.8, "low": 0.49, "high": 0.943})
    '0.8 (0.49 to 0.943; 8 of 10)'
    """
    if row["share"] is None:
        return "n/a"
    return f"{row['share']:.3g} ({row['low']:.3g} to {row['high']:.3g}; {row['hits']:,} of {row['total']:,})"


def _worth(scored: Mapping[str, Any]) -> Iterator[Row]:
    standing = scored.get("standing")
    if standing:
        yield "standing", standing["note"]
        openings = ", ".join(f"{n} for {purpose}" for purpose, n in sorted(standing["openings"].items()))
        yield "opened before", openings or "never"
    family = scored.get("family")
    if family:
        yield (
            "world",
            f"{family['scenario']}, seed {family['seed']}, scale {family['scale']:g}, {family['split']}",
        )


def _ranking(scored: Mapping[str, Any]) -> Iterator[Row]:
    ranking = scored.get("ranking")
    if not ranking:
        return
    for row in ranking["recall_at"]:
        yield (
            f"recall at {row['rate']:g}",
            rate(row["recall"]) if row["measured"] else f"cannot be measured: {row['why']}",
        )
    area = ranking["partial_auc"]
    if area["value"] is not None:
        interval = f" ({area['low']:.3g} to {area['high']:.3g})" if area["low"] is not None else ""
        yield "partial area", f"{area['value']:.3g}{interval}"


def _decisions(scored: Mapping[str, Any]) -> Iterator[Row]:
    if not scored.get("decides", False):
        yield "decisions", "none: there is no members.parquet, so only the ranking can be judged"
        return
    for name, point in scored["operating_points"].items():
        yield f"extractors at {name}", rate(point["recall"])
        yield f"honest accounts at {name}", rate(point["false_positives"])
    if (scored.get("load") or {}).get("counted") == "groups called campaigns":
        yield (
            "hints",
            "no account is hinted review or act (disposition_hint in accounts.parquet): nobody can be there",
        )


def _campaigns(scored: Mapping[str, Any]) -> Iterator[Row]:
    if not scored.get("decides", False):
        return
    level, false = scored["campaign_level"], scored["discovery"]["campaigns"]
    yield "campaigns found", rate(level["found"])
    yield "campaigns called", rate(level["called"])
    yield "precision of claims", rate(level["precision"])
    yield "F1", "n/a" if level["f1"] is None else f"{level['f1']:.3g}"
    yield "purity", "n/a" if level["purity"] is None else f"{level['purity']:.3g}"
    stated = "none stated" if false["stated"] is None else f"stated {false['stated']:.3g}"
    yield (
        "false claims",
        f"{false['false']} of {false['claimed']} ({false['low']:.3g} to {false['high']:.3g}); {stated}",
    )


def _successors(scored: Mapping[str, Any]) -> Iterator[Row]:
    for sent, row in (scored.get("successors") or {}).items():
        if row["total"]:
            yield f"successors at member, {sent} exchanges", rate(row)


def _wronged(scored: Mapping[str, Any]) -> Iterator[Row]:
    classes = scored.get("classes") or {}
    for strength, said in (("review_or_act", "at review or act"), ("claimed", "in groups called campaign")):
        for name, row in sorted(classes.items(), key=lambda item: (-item[1][f"orgs_{strength}"], item[0])):
            if row[f"orgs_{strength}"]:
                yield (
                    f"wronged {said}: {name}",
                    f"{row[f'orgs_{strength}']} of {row['orgs']} organisations"
                    f" ({row[f'orgs_{strength}_low']:.3g} to {row[f'orgs_{strength}_high']:.3g})",
                )


def _seen_by_an_analyst(scored: Mapping[str, Any]) -> Iterator[Row]:
    load = scored.get("load")
    if load:
        yield (
            "cases per million accounts",
            f"{load['cases_per_million_accounts']:,.0f} ({load['low']:,.0f} to {load['high']:,.0f})",
        )
    cost = scored.get("cost")
    if cost and cost["mean_per_exchange"] is not None:
        yield "attackers' cost per exchange", f"{cost['mean_per_exchange']:.4g}"


__all__ = ["campaign_columns", "delay_columns", "honest_line", "rate", "scored_rows"]
