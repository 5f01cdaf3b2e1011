"""What was asked of a release before it was measured, and whether it holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from scripts.benchmarks.words import counts_at, flips, of, spread, upper, wilson

Row = dict[str, Any]
Said = tuple[str, str, bool]
"""The gate, what was measured, whether it holds."""


def gates(rows: list[Row]) -> list[str]:
    """Every gate that could be measured, and the names of those that could not."""
    said: list[Said] = []
    absent = []
    for name, gate in GATES.items():
        found = gate(rows)
        said += found
        if not found:
            absent.append(name)
    if not said:
        return []
    out = ["", "## Gates", "", "Set before the measurement. A gate that fails stays here until it holds.", ""]
    out += ["| gate | measured | holds |", "|---|---|---|"]
    out += [f"| {what} | {measured} | {'yes' if holds else '**no**'} |" for what, measured, holds in said]
    if absent:
        out += ["", f"Not measured yet: {'; '.join(absent)}."]
    return [*out, *why(said)]


WHY = {
    "L4: recall": "**Why L4 hangs on the world.** Accounts of one campaign stand or fall together, and a world holds two campaigns"
    " of a hundred accounts or more: one of 350 that is missed costs a third. On this rung every prompt is worded anew, so a"
    " fail-over is seen by its seconds alone. Next: fail-over told by the answer that the second account got.",
    "L5": "**Why L5 is not reached.** On that rung every account has its own card, address block, client and age, work is"
    " neither handed on nor failed over, and every prompt is worded anew. What is left in common are the questions and a"
    " few answers sent again by chance, which honest users of one product share as well; no evidence of one controller"
    " remains that is not also theirs. Next: stylometry of the paraphraser, and answers quoted by graders.",
    "fifty honest": "**Why an honest fortnight is not always quiet.** Resellers, courses and hackathons are groups, and the"
    " shape of their traffic is ranked among honest groups: the stated rate of the review queue is 5 % of runs, which is two"
    " or three of fifty. Which classes it hit stands under *Honest look-alikes*. Next: more honest groups in the baseline, and"
    " groups that keep in touch from week to week instead of a fresh test each.",
    "every look-alike": "**Why a look-alike is called a campaign at all.** For the same reason; the table below says which.",
    "median campaign": "**Why detection is not earlier.** At 1 % of its volume an account of these campaigns has sent one to"
    " four exchanges, and evidence is split in halves, one to choose and one to believe. Next: an e-process that is tested anew"
    " as exchanges come in, in place of the halves.",
    "L4 with 5%": "**Why one in twenty of the reference is too much.** 249 accounts of the campaigns stand in that cohort as verified"
    " businesses, on the week that is scanned: two in five of all their accounts. Their exits, clients and wordings are then as common in the"
    " reference as in the traffic and weigh little. At 1 % recall holds on every rung, and at neither is anybody honest wronged."
    " Next: a trait's frequency as the median over blocks of the cohort instead of the share of the whole, and a cohort that is"
    " older than the week.",
    "dropping any": "**Why a leave-out flips an account.** Two of the leave-outs change the verdict on one or two accounts of some 830, all on"
    " L4, where membership rests on few events. Whether the halves or the reference turned them was not looked into. Next: say in"
    " the report which members lie close to the threshold.",
    "no baseline": "**Where a baseline is ahead.** On L8 extractors are independent people who send more than others;"
    " methods that rank by volume find a few of them above the threshold. Nobody is found there as a campaign by anything.",
    "successors": "**Why successors are not linked at once.** An account is member when its own traits and the work handed to it"
    " weigh enough; with ten exchanges or fewer few have shown that much, with eleven to a hundred nineteen in twenty have. Next:"
    " a known group's traits as a prior for whoever comes after a ban.",
    "mixtures": "**Why the mean over mixtures falls short.** The mixtures of 5 and 10 % do; from 25 % extraction on recall is 0.96 or"
    " more. With so little extraction the traffic is that of the attacker's customers. Next: shape of the linked stream per account.",
}  # fmt: skip
"""Reason and next idea, by the beginning of the gate's words."""


def why(said: list[Said]) -> list[str]:
    """The reasons of the gates that fail."""
    out: list[str] = []
    for start, words in WHY.items():
        if any(what.startswith(start) and not holds for what, _, holds in said):
            out += ["", words]
    return out


def ordinary(rows: list[Row]) -> list[Said]:
    """False positives among ordinary accounts; each population counts once."""
    quiet = of(rows, "honest") + [r for r in of(rows, "ladder") if r["scenario"] == "ladder_L0"]
    if not quiet:
        return []
    wrong = sum(r["score"]["classes"]["ordinary"]["member"] for r in quiet)
    people = sum(r["score"]["classes"]["ordinary"]["accounts"] for r in quiet)
    bound = upper(wrong, people)
    what = "ordinary accounts: upper bound of the rate of `member` at most 1e-4, on 100,000 accounts"
    return [(what, f"{wrong} of {people:,}, at most {bound:.1e}", bound <= 1e-4 and people >= 100_000)]


def lookalikes(rows: list[Row]) -> list[Said]:
    """No organisation of a look-alike class in a group that is called a campaign, in any world without attackers."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for r in of(rows, "honest"):
        for name, c in r["score"]["classes"].items():
            if name != "ordinary":
                sums[name][0] += c["orgs_claimed"]
                sums[name][1] += c["orgs"]
    if not sums:
        return []
    wrong, seen = sum(a for a, _ in sums.values()), sum(n for _, n in sums.values())
    fewest = min(n for _, n in sums.values())
    what = "every look-alike class: no organisation is member of a group called campaign, at least 300 organisations"
    named = "; ".join(f"{name} {a}" for name, (a, _) in sorted(sums.items()) if a)
    measured = f"{wrong} of {seen:,} in {len(sums)} classes, at least {fewest} each"
    return [(what, measured + (f" ({named})" if named else ""), wrong == 0 and fewest >= 300)]


def fortnights(rows: list[Row]) -> list[Said]:
    """Honest fortnights in which a campaign is claimed."""
    worlds = [r for r in of(rows, "honest") if r["scenario"] == "benign"]
    if not worlds:
        return []
    claimed = sum(r["score"]["discovery"]["campaigns"]["claimed"] > 0 for r in worlds)
    holds = claimed == 0 and len(worlds) >= 50
    return [("fifty honest fortnights: no campaign", f"{claimed} of {len(worlds)}", holds)]


def recall(rows: list[Row]) -> list[Said]:
    """Recall by rung and size at the detector's own operating point."""
    rungs, out = of(rows, "ladder"), []
    for level, least in (("L0", 0.95), ("L1", 0.9), ("L2", 0.8), ("L4", 0.7), ("L5", 0.4)):
        hit, total = found(rungs, level, 100, 10**9)
        what = f"{level}: recall of campaigns of 100 accounts or more at least {least:g}"
        out += [(what, wilson(hit, total), hit / total >= least)] if total else []
    for level in ("L0", "L1"):
        hit, total = found(rungs, level, 10, 30)
        what = f"{level}: recall of campaigns of 10 to 30 accounts at least 0.8"
        out += [(what, wilson(hit, total), hit / total >= 0.8)] if total else []
    return out


def groups(rows: list[Row]) -> list[Said]:
    """Purity, fragments, claims that are false."""
    rungs = of(rows, "ladder")
    seen = [r["score"] for r in rungs if r["scenario"] <= "ladder_L4"]
    pure = [s["purity"] for s in seen if s["purity"] is not None]
    parts = [c["fragments"] for s in seen for c in s["campaigns"] if c["fragments"]]
    if not pure or not parts:
        return []
    counted = [r["score"]["discovery"]["campaigns"] for r in rungs]
    wrong, claims = sum(c["false"] for c in counted), sum(c["claimed"] for c in counted)
    mean = sum(pure) / len(pure)
    return [
        ("L0 to L4: size-weighted purity at least 0.95 in the mean", spread(pure), mean >= 0.95),
        ("L0 to L4: no campaign in more than three groups", f"largest number {max(parts)}", max(parts) <= 3),
        ("claimed campaigns that are false at most 5 % (the review queue's stated rate)", f"{wrong} of {claims}",
         claims > 0 and wrong / claims <= 0.05),
    ]  # fmt: skip


def early(rows: list[Row]) -> list[Said]:
    """Share of its volume that the median campaign has taken when it is first seen."""
    out = []
    for suite, which in (("load", "L0, L1, L2 and L4"), ("observed", "campaigns as reported")):
        looked = [c for r in of(rows, suite) if r.get("delay") for c in r["delay"]["campaigns"]]
        if not looked:
            continue
        shares = sorted(c["member"]["share_at_most"] if c["member"] else 1.0 for c in looked)
        middle = shares[len(shares) // 2]
        told = f"by {middle:.0%}" if middle < 1 else "not by 5 %"
        measured = f"{told} ({len(shares)} campaigns, looks at 1 and 5 %)"
        out.append((f"median campaign seen by 1 % of its volume: {which}", measured, middle <= 0.011))
    return out


def successors(rows: list[Row]) -> list[Said]:
    """Replacements of banned accounts that have sent ten exchanges or fewer when somebody looks."""
    mine = [r["classes"].get("1-10", {"hits": 0, "total": 0}) for r in rows if r["suite"] == "successors"]
    hit, total = sum(c["hits"] for c in mine), sum(c["total"] for c in mine)
    if not total:
        return []
    what = (
        "successors of banned accounts: half or more are member while they have sent ten exchanges or fewer"
    )
    return [(what, wilson(hit, total), hit / total >= 0.5)]


def poisoned(rows: list[Row]) -> list[Said]:
    """Recall of campaigns of 100 accounts or more with campaign accounts in the reference cohort."""
    out = []
    for share in (0.01, 0.05):
        mine = [r for r in rows if r["suite"] == "poison" and r["share"] == share]
        if not mine:
            return []
        for level, least in (("L0", 0.95), ("L1", 0.9), ("L2", 0.8), ("L4", 0.7)):
            hit, total = found(mine, level, 100, 10**9)
            what = (
                f"{level} with {share:.0%} of the reference cohort from campaigns: recall at least {least:g}"
            )
            out += [(what, wilson(hit, total), hit / total >= least)] if total else []
    return out


def left_out(rows: list[Row]) -> list[Said]:
    """Verdicts that flip when one organisation is left out."""
    mine = [r for r in rows if r["suite"] == "leave_out"]
    if not mine:
        return []
    turned, most = flips(mine)
    what = "dropping any one organisation flips no verdict"
    measured = (
        f"{turned} of {len(mine)} leave-outs flip any; at most {most} of about"
        f" {max(r['members'] for r in mine):,} members"
    )
    return [(what, measured, turned == 0)]


def baselines(rows: list[Row]) -> list[Said]:
    """Cells of rung and baseline in which the baseline is ahead, at the same false positive rate."""
    ours = {r["scenario"]: r for r in of(rows, "ladder")}
    names = sorted({r["detector"]["id"] for r in rows if r["suite"] == "ladder"} - {"stillwatch"})
    if not ours or not names:
        return []
    ahead, cells = [], 0
    for scenario in sorted(ours):
        seeds = {r["seed"] for r in of(rows, "ladder") if r["scenario"] == scenario}
        for name in names:
            theirs = [r for r in of(rows, "ladder", name) if r["scenario"] == scenario and r["seed"] in seeds]
            same = {r["seed"] for r in theirs}
            mine = [r for r in of(rows, "ladder") if r["scenario"] == scenario and r["seed"] in same]
            for rate in (1e-3, 1e-4):
                (hit, total), (own, all_) = counts_at(theirs, rate), counts_at(mine, rate)
                if total and all_:
                    cells += 1
                    if hit / total > own / all_:
                        ahead.append(f"{name} on {scenario.removeprefix('ladder_')} at {rate:g}: {hit / total:.3f}"
                                     f" to {own / all_:.3f}")  # fmt: skip
    measured = f"ahead in {len(ahead)} of {cells} cells" + (f": {'; '.join(ahead)}" if ahead else "")
    return [
        ("no baseline ahead on any rung at the same false positive rate (1e-3, 1e-4)", measured, not ahead)
    ]


def mixtures(rows: list[Row]) -> list[Said]:
    """The published operating point of the window test: 90.5 % true positives at 0.3 % false ones, mean of mixtures."""
    mine = of(rows, "mixtures")
    shares = [hit / total for r in mine for hit, total in [counts_at([r], 1e-3)] if total]
    if not shares:
        return []
    mean = sum(shares) / len(shares)
    what = (
        "mixtures of 5 to 100 % extraction: mean recall of accounts at least 0.905 at 0.1 % false positives"
    )
    return [(what, f"{spread(shares)} over {len(shares)} mixtures", mean >= 0.905)]


GATES: dict[str, Callable[[list[Row]], list[Said]]] = {
    "ordinary accounts": ordinary,
    "look-alikes": lookalikes,
    "honest fortnights": fortnights,
    "recall by rung": recall,
    "purity and fragments": groups,
    "time to detect": early,
    "successors": successors,
    "a poisoned reference cohort": poisoned,
    "one organisation left out": left_out,
    "baselines on every rung": baselines,
    "the window test's operating point": mixtures,
}


def found(rows: list[Row], level: str, low: int, high: int) -> tuple[int, int]:
    """Extractors that are member, and all, of a rung's campaigns within a range of sizes."""
    mine = [
        c for r in rows if r["scenario"] == f"ladder_{level}" for c in r["score"]["campaigns"]
        if c["kind"] == "campaign" and low <= c["accounts"] <= high
    ]  # fmt: skip
    return sum(c["extractors_found"] for c in mine), sum(c["extractors"] for c in mine)
