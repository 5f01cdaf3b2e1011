"""What was asked of a release before it was measured, and whether it holds."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from scripts.benchmarks.words import of, spread, upper, wilson


def gates(rows: list[dict[str, Any]]) -> list[str]:
    """What was asked of a release before it was measured, and whether it holds."""
    rungs, honest = of(rows, "ladder"), of(rows, "honest")
    if not rungs or not honest:
        return []
    out = ["", "## Gates", "", "Set before the measurement. A gate that fails stays here until it holds.", ""]
    out += ["| gate | measured | holds |", "|---|---|---|"]

    def gate(what: str, measured: str, holds: bool) -> None:
        out.append(f"| {what} | {measured} | {'yes' if holds else '**no**'} |")

    quiet = honest + [r for r in rungs if r["scenario"] == "ladder_L0"]
    wrong = sum(r["score"]["classes"]["ordinary"]["member"] for r in quiet)
    people = sum(r["score"]["classes"]["ordinary"]["accounts"] for r in quiet)
    bound = upper(wrong, people)
    gate(
        "ordinary accounts: upper bound of the rate of `member` at most 1e-4, on 100,000 accounts",
        f"{wrong} of {people:,}, at most {bound:.1e}", bound <= 1e-4 and people >= 100_000,
    )  # fmt: skip
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for r in honest:
        if r["scenario"] == "lookalikes":
            for name, c in r["score"]["classes"].items():
                sums[name][0] += c["orgs_review_or_act"]
                sums[name][1] += c["orgs"]
    worst, fewest = max(a / n for a, n in sums.values()), min(n for _, n in sums.values())
    gate(
        "every look-alike class: no organisation in a group called campaign, at least 300 organisations",
        f"{sum(a for a, _ in sums.values())} of {sum(n for _, n in sums.values()):,} in {len(sums)} classes, at least"
        f" {fewest} each", worst == 0 and fewest >= 300,
    )  # fmt: skip
    worlds = [r for r in honest if r["scenario"] == "benign"]
    claimed = sum(r["score"]["discovery"]["campaigns"]["claimed"] > 0 for r in worlds)
    gate(
        "fifty honest fortnights: no campaign",
        f"{claimed} of {len(worlds)}",
        claimed == 0 and len(worlds) >= 50,
    )
    for level, least in (("L0", 0.95), ("L1", 0.9), ("L2", 0.8), ("L4", 0.7), ("L5", 0.4)):
        hit, total = found(rungs, level, 100, 10**9)
        gate(f"{level}: recall of campaigns of 100 accounts or more at least {least:g}", wilson(hit, total),
             bool(total) and hit / total >= least)  # fmt: skip
    for level in ("L0", "L1"):
        hit, total = found(rungs, level, 10, 40)
        gate(f"{level}: recall of campaigns of 10 to 30 accounts at least 0.8", wilson(hit, total),
             bool(total) and hit / total >= 0.8)  # fmt: skip
    seen = [r["score"] for r in rungs if r["scenario"] <= "ladder_L4"]
    pure = [s["purity"] for s in seen if s["purity"] is not None]
    parts = [c["fragments"] for s in seen for c in s["campaigns"] if c["fragments"]]
    gate(
        "L0 to L4: size-weighted purity at least 0.95 in the mean",
        spread(pure),
        sum(pure) / len(pure) >= 0.95,
    )
    gate("L0 to L4: no campaign in more than three groups", f"largest number {max(parts)}", max(parts) <= 3)
    wrong_claims = sum(r["score"]["discovery"]["campaigns"]["false"] for r in rungs)
    claims = sum(r["score"]["discovery"]["campaigns"]["claimed"] for r in rungs)
    gate("claimed campaigns that are false at most 5 % (the review queue's stated rate)",
         f"{wrong_claims} of {claims}", claims > 0 and wrong_claims / claims <= 0.05)  # fmt: skip
    looked = [c for r in of(rows, "load") if r.get("delay") for c in r["delay"]["campaigns"]]
    if looked:
        shares = sorted(c["member"]["share_at_most"] if c["member"] else 1.0 for c in looked)
        middle = shares[len(shares) // 2]
        gate(
            "median campaign seen by 1 % of its volume",
            f"by {middle:.0%} (looks at 1, 5 and 100 %)",
            middle <= 0.011,
        )
    return [
        *out, "",
        "Not measured yet: a reference cohort with 1 % and 5 % of campaign accounts in it, verdicts after dropping one"
        " organisation, exchanges of successors, the operating point of the"
        " window-MMD paper. L8 is independent people: nothing in a log tells them from customers, and nothing here tries to.",
    ]  # fmt: skip


def found(rows: list[dict[str, Any]], level: str, low: int, high: int) -> tuple[int, int]:
    """Extractors that are member, and all, of a rung's campaigns within a range of sizes."""
    mine = [
        c for r in rows if r["scenario"] == f"ladder_{level}" for c in r["score"]["campaigns"]
        if c["kind"] == "campaign" and low <= c["accounts"] <= high
    ]  # fmt: skip
    return sum(c["extractors_found"] for c in mine), sum(c["extractors"] for c in mine)
