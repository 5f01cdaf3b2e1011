"""Sections about the weeks of real text."""

from __future__ import annotations

from typing import Any

from scripts.benchmarks.words import upper

WEEKS = (
    (
        "real_week.json", "A week of real text",
        "real user prompts, real benchmarks, the published recipes, activity from real per-tenant statistics"
        " (`tests/real/README.md`). The week is no hold-out: the splitting step, the share from which a template counts as"
        " linked (1 %), the prior of the cue weights and the compensation test were settled after looking at it"
        " (decisions 0006 to 0008).",
    ),
    (
        "second_week.json", "A second week of real text: the hold-out",
        "other prompts, other recipes, other honest classes, written by somebody who had not seen how detection works"
        " (`tests/real/second/README.md`). No setting was chosen by its scans. It has been scanned in several states all the"
        " same, and its text was revised once after the first scan, by an author who did not know of that; all of it is told"
        " below. A tenth of its honest prompts by wording, and the shared plumbing, are those of the first week.",
    ),
)  # fmt: skip


def real(runs: list[dict[str, Any]], title: str, about: str, history: list[dict[str, Any]]) -> list[str]:
    """One week of real text: every draw of it under every key."""
    draws = sorted({r["seed"] for r in runs}, key=[r["seed"] for r in runs].index)
    keys = len({r["key"] for r in runs})
    counts = runs[0]["counts"]
    out = [
        "", f"## {title}", "",
        f"{counts['exchanges']:,} exchanges of {counts['accounts']:,} accounts: {about} One account in four to five belongs to a"
        " campaign, so these are no field rates.", "",
        f"Accounts found (tier member or associated) under {keys} fixed keys, since a scan's key draws which units choose a hub;"
        " the least purity of the groups they stand in; what they are called; hints. Baseline"
        f" {', '.join(sorted({r['baseline'] for r in runs}))}.", "",
        "| campaign | accounts | " + " | ".join(f"seed {d}" for d in draws) + " |",
        "|---|---|" + "---|" * len(draws),
    ]  # fmt: skip
    for k, c in enumerate(runs[0]["campaigns"]):
        cells = [cell([r["campaigns"][k] for r in runs if r["seed"] == d]) for d in draws]
        out.append(f"| {c['campaign']} | {c['accounts']} | " + " | ".join(cells) + " |")
    out += ["", "| honest class | organisations | at review or act, of all scans |", "|---|---|---|"]
    for k, c in enumerate(runs[0]["honest"]):
        sums = [sum(r["honest"][k][x] for r in runs) for x in ("organisations", "review_or_act")]
        out.append(f"| {c['class']} | {c['organisations']:,} | {sums[1]} of {sums[0]:,} |")
    total = sum(h["organisations"] for r in runs if r["key"] == 0 for h in r["honest"])
    wrong = sum(h["review_or_act"] for r in runs if r["key"] == 0 for h in r["honest"])
    out += [
        "", f"Under the first key, over all draws: {wrong} of {total:,} honest organisations at review or act (95 % upper bound"
        f" {upper(wrong, total):.1e}; the keys look at the same traffic and are not counted again).",
    ]  # fmt: skip
    command = f"Command: `python -m scripts.real_week` (seeds {', '.join(map(str, draws))}; keys 0 to {keys - 1}; scale 1)."
    return [*out, *earlier(history), "", command]


def cell(found: list[dict[str, Any]]) -> str:
    """One campaign in one draw, under every key."""
    if not any(c["found"] for c in found):
        return "0, nothing"
    counts = [c["found"] for c in found]
    many = f"{counts[0]}" if len(set(counts)) == 1 else f"{min(counts)} to {max(counts)}"
    pure = min(c["purity"] for c in found if c["found"])
    kinds = sorted({kind for c in found for kind in c["kind"]} | ({"nothing"} if 0 in counts else set()))
    hints = sorted({h for c in found for h in c["hints"]} - {"none"})
    return f"{many}; {pure:.2f}; {' or '.join(kinds)}; {', '.join(hints) or 'none'}"


def earlier(history: list[dict[str, Any]]) -> list[str]:
    """What earlier states of the detector found, each under one random key that was not kept."""
    out = []
    for scan in history:
        told = [
            f"{c['campaign']} {', '.join(str(d['campaigns'][k]['found']) for d in scan['draws'])} of {c['accounts']}"
            for k, c in enumerate(scan["draws"][0]["campaigns"])
        ]
        seeds = ", ".join(str(d["seed"]) for d in scan["draws"])
        wronged = sum(d["honest_reviewed"] for d in scan["draws"])
        out += [
            "", f"Earlier: {scan['what']} (baseline {scan['baseline']}, seed {seeds}, one random key that was not kept): accounts"
            f" found: {'; '.join(told)}; honest organisations at review or act: {wronged}.",
        ]  # fmt: skip
    return out
