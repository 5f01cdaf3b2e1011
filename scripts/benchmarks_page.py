"""Writes docs/benchmarks.md from docs/data/study.json and docs/data/bench.json."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from scipy import stats

from stillwatch.lab.scoring import upper_bound

DATA = Path("docs/data")
PAGE = Path("docs/benchmarks.md")
INTRO = """# Benchmarks

Figures of the scan on simulated worlds with held-out seeds, and its speed. Made by `make study` and
`make bench`; the data lie beside this page in `data/`. Development seeds (11 to 22) are never reported on.

**Read them as what they are.** The worlds come from `stillwatch lab`: their honest population follows
published per-tenant statistics, their attackers follow public reports, and both were written by people who
also wrote the detector. They show that the statistics hold and how fast they run; accuracy in the field is
for the field to show. A scan of real text with real activity statistics is in `tests/real/`.

*member* = tier `member` of a pool or campaign. Intervals are 95 % (Wilson for shares, Clopper-Pearson
upper bounds for rates near zero). Accounts of one campaign stand or fall together, so intervals that take accounts
one by one are the narrowest that could be right. Purity and fragments are means over worlds with the least and the most;
speed is a single run.
"""


def wilson(hit: int, total: int) -> str:
    """Share with its Wilson interval, in words."""
    if not total:
        return "n/a"
    low, high = stats.binomtest(hit, total).proportion_ci(method="wilson")
    return f"{hit / total:.3f} ({low:.3f} to {high:.3f}; n = {total:,})"


def upper(hit: int, total: int) -> float:
    """One-sided 95% Clopper-Pearson upper bound."""
    return float(stats.beta.ppf(0.95, hit + 1, total - hit)) if hit < total else 1.0


def of(rows: list[dict[str, Any]], suite: str, detector: str = "stillwatch") -> list[dict[str, Any]]:
    """Judged cells of one suite and detector."""
    return [r for r in rows if r["suite"] == suite and "score" in r and r["detector"]["id"] == detector]


def seeds(rows: list[dict[str, Any]]) -> str:
    """Seeds in words."""
    found = sorted({r["seed"] for r in rows})
    whole = len(found) > 2 and found == list(range(found[0], found[-1] + 1))
    return f"{found[0]} to {found[-1]}" if whole else ", ".join(map(str, found))


def at_rate(rows: list[dict[str, Any]], rate: float) -> str:
    """Recall at a false positive rate, added up over the worlds that can measure it."""
    found = [
        x for r in rows for x in r["score"]["ranking"]["recall_at"] if x["rate"] == rate and x["measured"]
    ]
    return (
        wilson(sum(x["recall"]["hits"] for x in found), sum(x["recall"]["total"] for x in found))
        if found
        else "-"
    )


def ladder(rows: list[dict[str, Any]]) -> list[str]:
    """Recall, purity and fragments by rung, and the false positive rate of ordinary accounts."""
    rows = of(rows, "ladder")
    if not rows:
        return []
    out = [
        "## Attacker ladder", "",
        f"Worlds of every rung with seeds {seeds(rows)}, scale {rows[0]['scale']:g}: campaigns of 6 to 350 accounts among about"
        " 7,000 ordinary ones and every class of look-alike. Rungs that have fewer than ten worlds say so.", "",
        "| rung | worlds | recall, campaigns of 100 accounts or more | recall, smaller campaigns | found in any tier |"
        " at review or act | recall at 1e-3 | purity | fragments | ordinary accounts called member |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for level in range(9):
        mine = [r for r in rows if r["scenario"] == f"ladder_L{level}"]
        if not mine:
            continue
        sums: dict[str, int] = defaultdict(int)
        purity, fragments = [], []
        for r in mine:
            s = r["score"]
            for c in s["campaigns"]:
                if c["kind"] != "campaign":
                    continue
                size = "big" if c["accounts"] >= 100 else "small"
                sums[f"{size}_hit"] += c["extractors_found"]
                sums[f"{size}_all"] += c["extractors"]
                sums["tier_hit"] += c["any_tier"]
                sums["tier_all"] += c["accounts"]
                sums["named"] += c["review_or_act"] > 0
                sums["campaigns"] += 1
            o = s["classes"]["ordinary"]
            sums["fp"] += o["member"]
            sums["ordinary"] += o["accounts"]
            purity += [s["purity"]] if s["purity"] is not None else []
            fragments += [s["fragments_mean"]] if s["fragments_mean"] is not None else []
        out.append(
            f"| L{level} | {len(mine)} | {wilson(sums['big_hit'], sums['big_all'])} | {wilson(sums['small_hit'], sums['small_all'])}"
            f" | {wilson(sums['tier_hit'], sums['tier_all'])} | {sums['named']} of {sums['campaigns']} | {at_rate(mine, 1e-3)}"
            f" | {spread(purity)} | {spread(fragments)}"
            f" | {sums['fp']} of {sums['ordinary']:,} (at most {upper(sums['fp'], sums['ordinary']):.1e}) |"
        )
    return out


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
        " organisation, exchanges of successors, the attackers' cost as a multiple of no defence, the operating point of the"
        " window-MMD paper. L8 is independent people: nothing in a log tells them from customers, and nothing here tries to.",
    ]  # fmt: skip


def found(rows: list[dict[str, Any]], level: str, low: int, high: int) -> tuple[int, int]:
    """Extractors that are member, and all, of a rung's campaigns within a range of sizes."""
    mine = [
        c for r in rows if r["scenario"] == f"ladder_{level}" for c in r["score"]["campaigns"]
        if c["kind"] == "campaign" and low <= c["accounts"] <= high
    ]  # fmt: skip
    return sum(c["extractors_found"] for c in mine), sum(c["extractors"] for c in mine)


def spread(values: list[float]) -> str:
    """Mean with the least and the most over worlds."""
    return f"{sum(values) / len(values):.3f} ({min(values):.3f} to {max(values):.3f})" if values else "-"


def compare(rows: list[dict[str, Any]]) -> list[str]:
    """Every detector on one world of every rung."""
    mine = [r for r in rows if r["suite"] == "compare"]
    if not mine:
        return []
    levels = sorted({r["scenario"] for r in mine})
    names = sorted({r["detector"]["id"] for r in mine}, key=lambda n: (not n.startswith("stillwatch"), n))
    head = [x.removeprefix("ladder_") for x in levels]
    out = [
        "", "## Beside what others use, and beside itself with parts taken away", "",
        f"One world of each rung (seed {seeds(mine)}, scale {mine[0]['scale']:g}). Share of extractors above the one honest account"
        " in a thousand that is most suspicious to the detector; ties go against it. `stillwatch/...` is ours with a part taken"
        " away. A dash: the cell failed or has not been run.", "",
        "| detector | " + " | ".join(head) + " | claims that are false | honest organisations at review or act | s |",
        "|---|" + "---|" * (len(head) + 3),
    ]  # fmt: skip
    for name in names:
        cells = {r["scenario"]: r for r in mine if r["detector"]["id"] == name and "score" in r}
        share = []
        for level in levels:
            found = [
                x for x in cells[level]["score"]["ranking"]["recall_at"] if x["rate"] == 1e-3 and x["measured"]
            ] if level in cells else []  # fmt: skip
            share.append(f"{found[0]['recall']['share']:.3f}" if found else "-")
        claims = [c["score"]["discovery"]["campaigns"] for c in cells.values() if c["score"]["discovery"]]
        wrong, claimed = sum(c["false"] for c in claims), sum(c["claimed"] for c in claims)
        orgs = sum(k["orgs_review_or_act"] for c in cells.values() for k in c["score"]["classes"].values())
        out.append(
            f"| {name} | {' | '.join(share)} | {f'{wrong} of {claimed}' if claimed else '-'} | {orgs}"
            f" | {sum(c.get('wall_s', 0.0) for c in cells.values()):.0f} |"
        )
    failed = sorted({f"{r['detector']['id']}: {r['error']}" for r in mine if "error" in r})
    return [*out, *(["", "Failed: " + "; ".join(failed) + "."] if failed else [])]


def delay(rows: list[dict[str, Any]]) -> list[str]:
    """How much is taken before a campaign is seen."""
    mine = [r for r in of(rows, "load") if r.get("delay")]
    if not mine:
        return []
    out = [
        "", "## Time to detect", "",
        "The log cut at 1 and 5 % of each campaign's exchanges: the first look at which one of its accounts is member. One"
        f" world a rung (seed {seeds(mine)}).", "",
        "| rung | campaigns | seen at 1 % | at 5 % | at the end or never |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for r in mine:
        shares = [c["member"]["share_at_most"] if c["member"] else 9.0 for c in r["delay"]["campaigns"]]
        seen = [sum(low < s <= high for s in shares) for low, high in ((0, 0.0101), (0.0101, 0.051))]
        out.append(
            f"| {r['scenario'].removeprefix('ladder_')} | {len(shares)} | "
            + " | ".join(map(str, seen))
            + f" | {len(shares) - sum(seen)} |"
        )
    return out


def extremes(rows: list[dict[str, Any]]) -> list[str]:
    """The two ends of load per account."""
    out = [
        "",
        "## Extremes of load",
        "",
        "One world a seed; the accounts of one campaign stand or fall together, so that the interval, which takes"
        " them one by one, is the narrowest that could be right.",
        "",
        "| seed | campaign | exchanges | member | any tier | groups |",
        "|---|---|---|---|---|---|",
    ]
    for r in of(rows, "load"):
        if r["scenario"] == "extremes":
            out += [
                f"| {r['seed']} | {c['variant']} (L{c['level']}) | {c['exchanges']:,}"
                f" | {wilson(c['extractors_found'], c['accounts'])} | {wilson(c['any_tier'], c['accounts'])}"
                f" | {c['fragments']} |"
                for c in r["score"]["campaigns"]
            ]
    return out


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
    return out + beside(rows)


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
        f" {upper_bound(wrong, total):.2e}).", "",
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


def speed(rows: list[dict[str, Any]], machine: str) -> list[str]:
    """Wall time and memory by size."""
    out = [
        "",
        "## Speed",
        "",
        machine,
        "",
        "| exchanges | accounts | wall s | exchanges/s | peak memory |",
        "|---|---|---|---|---|",
    ]
    for r in rows:
        n = r["counts"]["exchanges"]
        out.append(
            f"| {n:,} | {r['counts']['accounts']:,} | {r['wall_s']:.1f} | {n / r['wall_s']:,.0f}"
            f" | {r['peak_memory_bytes'] / 2**30:.2f} GiB |"
        )
    last = rows[-1]["timings"]
    out += [
        "",
        f"Where the time of the largest run goes ({rows[-1]['scenario']}):",
        "",
        "| phase | s |",
        "|---|---|",
    ]
    out += [f"| {k} | {v} |" for k, v in last.items() if k != "peak_memory_bytes"]
    return out


def main() -> None:
    """Write the page."""
    lines = [INTRO]
    study = DATA / "study.json"
    if study.exists():
        rows = json.loads(study.read_text("utf-8"))
        lines += (
            gates(rows)
            + ladder(rows)
            + compare(rows)
            + delay(rows)
            + extremes(rows)
            + lookalikes(rows)
            + null(rows)
        )
        lines += ["", "Command: `make study`."]
    for file, title, about in WEEKS:
        if (DATA / file).exists():
            first = DATA / file.replace(".json", "_first.json")
            lines += real(
                json.loads((DATA / file).read_text("utf-8")), title, about,
                json.loads(first.read_text("utf-8")) if first.exists() else None,
            )  # fmt: skip
    bench = DATA / "bench.json"
    if bench.exists():
        data = json.loads(bench.read_text("utf-8"))
        lines += speed(data["rows"], data["machine"])
        lines += ["", "Command: `make bench`.", ""]
        extra = Path("docs/_speed.md")
        if extra.exists():
            lines += [extra.read_text("utf-8")]
    PAGE.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
