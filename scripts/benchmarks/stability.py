"""Sections about what verdicts hang on: the reference cohort, one organisation, the share of cover."""

from __future__ import annotations

from typing import Any

from scripts.benchmarks.gates import found
from scripts.benchmarks.words import at_rate, flips, of, seeds, wilson

Row = dict[str, Any]


def poison(rows: list[Row]) -> list[str]:
    """Recall and harm by the share of the reference cohort that belongs to campaigns."""
    mine = [r for r in rows if r["suite"] == "poison"]
    if not mine:
        return []
    out = [
        "", "## A poisoned reference cohort", "",
        f"One world a rung (seed {seeds(mine)}, scale {mine[0]['scale']:g}), each scanned with a baseline fitted on itself, of whose"
        " cohort a share are campaign accounts taken for verified businesses: the worst case for the share, since their exits,"
        " clients and wordings stand in the reference as they are.", "",
        "| rung | share | poisoned accounts | recall, campaigns of 100 accounts or more | recall, smaller | ordinary accounts called"
        " member | organisations at review or act |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for r in mine:
        level, classes = r["scenario"].removeprefix("ladder_"), r["score"]["classes"]
        orgs = sum(c["orgs_review_or_act"] for c in classes.values())
        out.append(
            f"| {level} | {r['share']:.0%} | {r['poisoned']} of {r['cohort']} | {wilson(*found([r], level, 100, 10**9))}"
            f" | {wilson(*found([r], level, 1, 99))} | {classes['ordinary']['member']} of"
            f" {classes['ordinary']['accounts']:,} | {orgs} |"
        )
    return out


def left_out(rows: list[Row]) -> list[str]:
    """Verdicts that flip when one organisation is left out."""
    mine = [r for r in rows if r["suite"] == "leave_out"]
    if not mine:
        return []
    turned, most = flips(mine)
    out = [
        "", "## One organisation left out", "",
        f"Two worlds (seed {seeds(mine)}) scanned again without the accounts and exchanges of one organisation that stands in a"
        " group: those with most accounts there, and as many drawn from the others. A verdict flips when an account that stayed"
        f" is member, or at review or act, in one scan alone. {turned} of {len(mine)} leave-outs flip any, at most {most} accounts.", "",
        "| world | left out | accounts | members that stayed | verdicts flipped: member | review or act |", "|---|---|---|---|---|---|",
    ]  # fmt: skip
    return out + [
        f"| {r['scenario'].removeprefix('ladder_')} | {r['of']} | {r['accounts']} | {r['members']:,}"
        f" | {r['flips']['member']} | {r['flips']['asked']} |"
        for r in mine
    ]


def successors(rows: list[Row]) -> list[str]:
    """How soon replacements of banned accounts are linked."""
    mine = [r for r in rows if r["suite"] == "successors"]
    if not mine:
        return []
    out = [
        "", "## Successors of banned accounts", "",
        f"The log cut at {len(mine[0]['looks'])} moments and scanned each time: replacements that had sent something, by how much"
        f" they had sent by then, and how many of them are member (seed {seeds(mine)}).", "",
        "| world | successors | 1 to 10 exchanges sent | 11 to 100 | more |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for r in mine:
        cells = [r["classes"].get(label, {"hits": 0, "total": 0}) for label in ("1-10", "11-100", "more")]
        told = [wilson(c["hits"], c["total"]) if c["total"] else "-" for c in cells]
        out.append(f"| {r['scenario']} | {r['successors']} | " + " | ".join(told) + " |")
    return out


def mixtures(rows: list[Row]) -> list[str]:
    """Recall by the share of a campaign's traffic that is extraction."""
    mine = [r for r in rows if r["suite"] == "mixtures" and "score" in r]
    if not mine:
        return []
    shares = sorted({r["scenario"] for r in mine}, key=lambda s: int(s.removeprefix("mixture_")))
    names = sorted({r["detector"]["id"] for r in mine})
    out = [
        "", "## From almost all cover to almost none", "",
        f"Rung 1 with 5 to 100 % of a campaign's exchanges extraction (seed {seeds(mine)}). Recall of extractors at one false positive"
        " in a thousand honest accounts. The window test of arXiv 2606.05725 reports 90.5 % of windows at 0.3 %, on the mean of its"
        " own mixtures; its task is windows of queries, this one is accounts.", "",
        "| detector | " + " | ".join(f"{int(s.removeprefix('mixture_'))} %" for s in shares) + " |", "|---|" + "---|" * len(shares),
    ]  # fmt: skip
    for name in names:
        cells = [at_rate([r for r in of(rows, "mixtures", name) if r["scenario"] == s], 1e-3) for s in shares]
        out.append(f"| {name} | " + " | ".join(cells) + " |")
    return out
