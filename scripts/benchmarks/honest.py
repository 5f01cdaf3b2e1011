"""Sections about honest accounts: look-alikes, beside attackers, shuffled labels."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from scripts.benchmarks.words import of, seeds, upper


def lookalikes(rows: list[dict[str, Any]]) -> list[str]:
    """Honest organisations by class: how many had an account hinted for review or action."""
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    mine = of(rows, "honest")
    for r in mine:
        for name, c in r["score"]["classes"].items():
            for key in ("orgs", "orgs_member", "orgs_review_or_act", "orgs_act"):
                sums[name][key] += c[key]
    worlds = [r for r in mine if r["scenario"] == "benign"]
    called = sum(r["score"]["discovery"]["campaigns"]["claimed"] > 0 for r in worlds)
    out = [
        "", "## Honest look-alikes", "",
        f"Worlds without attackers: `lookalikes` (seeds {seeds([r for r in mine if r['scenario'] == 'lookalikes'])}) and fortnights"
        f" of `benign` (seeds {seeds(worlds)}). A campaign was claimed in {called} of {len(worlds)} fortnights (95 % upper bound"
        f" {upper(called, len(worlds)):.1%}).", "",
        "| class | organisations | in a pool as member | review or act | act | upper bound of act |", "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for name, c in sorted(sums.items()):
        out.append(
            f"| {name} | {c['orgs']:,} | {c['orgs_member']:,} | {c['orgs_review_or_act']:,}"
            f" ({c['orgs_review_or_act'] / max(c['orgs'], 1):.2%}) | {c['orgs_act']:,} | {upper(c['orgs_act'], c['orgs']):.2%} |"
        )
    out += ["", RETIRED]
    return [*out, *beside(rows), "", SEEN]


SEEN = (
    "Seed 402 of the ladder was looked at before the third condition on `act` (a quarter of an account's own traffic): two students of"
    " its rung 0 had come to `act`. Its counts of `act` are therefore no held-out figures; members and groups do not hang on it."
)
RETIRED = (
    "An earlier state of `act` was measured on seeds 421 to 423 and 501 to 550: nobody came to `review` but one hackathon of 36, in"
    " one fortnight, and it came to `act`. Two conditions were added to `act` after that (decision 0007), those seeds were retired,"
    " and the table above is of fresh ones."
)


def beside(rows: list[dict[str, Any]]) -> list[str]:
    """The same in worlds that hold attackers as well."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    mine = of(rows, "ladder")
    for r in mine:
        for name, c in r["score"]["classes"].items():
            for i, key in enumerate(("orgs", "orgs_review_or_act", "orgs_act")):
                sums[name][i] += c[key]
    touched = [f"{name} {b} of {a} ({c} act)" for name, (a, b, c) in sorted(sums.items()) if b]
    orgs, review, act = (sum(v[i] for v in sums.values()) for i in range(3))
    return [
        "",
        "Beside attackers (all ladder worlds; the honest population of a seed is the same on every rung, so these are"
        f" {len({r['seed'] for r in mine})} populations seen up to nine times): {review} of {orgs:,} organisations at review or act, {act} at act"
        + (": " + "; ".join(touched) if touched else "")
        + ".",
    ]


def null(rows: list[dict[str, Any]]) -> list[str]:
    """The shuffled-label check."""
    found = [r["null_check"] for r in rows if r["scenario"] == "null"]
    if not found:
        return []
    n = found[0]
    out = [
        "", "## Null check", "",
        f"`scan --check-null {n['runs']}` on one day (demo_day, seed 101): {n['hubs']:,} hubs, labels permuted within each"
        f" channel. Mean e-value **{n['mean_e_value']}** (should be at most 1), share of e-values at 100 or more"
        f" **{n['share_at_100']}** (at most 0.01), runs with any discovery **{n['runs_with_discovery']} of {n['runs']}**"
        f" (95 % upper bound {n['upper_95']}; stated rate {n['stated_rate']}).", "",
        "| channel | mean e-value | share at 100 or more |", "|---|---|---|",
    ]  # fmt: skip
    out += [f"| {c} | {v['mean_e_value']} | {v['share_at_100']} |" for c, v in n["by_channel"].items()]
    return out
