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
        " (`tests/real/second/README.md`). Nothing was tuned on it. After its first scan the shipped baseline was fitted again on"
        " richer worlds and groups were ranked among honest groups of like size; neither was done because of this week, and the"
        " figures of the first scan stand below.",
    ),
)  # fmt: skip


def real(data: dict[str, Any], title: str, about: str, first: dict[str, Any] | None) -> list[str]:
    """One week of real text."""
    seeds = [data["seed"], *(o["seed"] for o in data["others"])]
    out = [
        "", f"## {title}", "",
        f"{data['counts']['exchanges']:,} exchanges of {data['counts']['accounts']:,} accounts: {about} One account in"
        " four to five belongs to a campaign, so these are no field rates.", "",
        "| campaign | accounts | found | groups | purity | called | p | hints |", "|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for c in data["campaigns"]:
        p = ", ".join("-" if v is None else f"{v:.4f}" for v in c["p_value"]) or "-"
        hints = ", ".join(f"{k} {v}" for k, v in sorted(c["hints"].items()))
        out.append(
            f"| {c['campaign']} | {c['accounts']} | {c['found']} | {c['groups']} | {c['purity']:.3f}"
            f" | {', '.join(c['kind']) or 'nothing'} | {p} | {hints} |"
        )
    out += ["", "| honest class | organisations | review or act | hints by account |", "|---|---|---|---|"]
    for c in data["honest"]:
        hints = ", ".join(f"{k} {v}" for k, v in sorted(c["hints"].items()))
        out.append(f"| {c['class']} | {c['organisations']:,} | {c['review_or_act']} | {hints} |")
    total = sum(c["organisations"] for c in data["honest"])
    wrong = sum(c["review_or_act"] for c in data["honest"])
    out += [
        "", f"{wrong} of {total:,} honest organisations at review or act (95 % upper bound"
        f" {upper(wrong, total):.2e}).", "",
        "The same composition drawn with other seeds: accounts found, and as what.", "",
        "| campaign | " + " | ".join(f"seed {o['seed']}" for o in data["others"]) + " |",
        "|---|" + "---|" * len(data["others"]),
    ]  # fmt: skip
    for k, c in enumerate(data["campaigns"]):
        cells = [
            f"{o['campaigns'][k]['found']} of {o['campaigns'][k]['accounts']}, {', '.join(o['campaigns'][k]['kind']) or 'nothing'}"
            for o in data["others"]
        ]
        out.append(f"| {c['campaign']} | " + " | ".join(cells) + " |")
    touched = [sum(h["review_or_act"] for h in o["honest"]) for o in data["others"]]
    out += ["| honest organisations at review or act | " + " | ".join(map(str, touched)) + " |"]
    command = f"Command: `python -m scripts.real_week` (seeds {', '.join(map(str, seeds))}; scale 1)."
    return [*out, *(first_scan(first) if first else []), "", command]


def first_scan(data: dict[str, Any]) -> list[str]:
    """What an earlier state of the detector found when it saw a week for the first time."""
    draws = [data, *data["others"]]
    told = [
        f"{c['campaign']} {', '.join(str(d['campaigns'][k]['found']) for d in draws)} of {c['accounts']}"
        for k, c in enumerate(data["campaigns"])
    ]
    wronged = sum(h["review_or_act"] for d in draws for h in d["honest"])
    return [
        "", f"First scan (baseline {data['baseline']}), accounts found in the three draws: {'; '.join(told)}; honest"
        f" organisations at review or act: {wronged}.",
    ]  # fmt: skip
