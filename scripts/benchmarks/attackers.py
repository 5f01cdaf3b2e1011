"""Sections about campaigns: the ladder, other detectors, how early, the ends of load."""

from __future__ import annotations

from collections import defaultdict
from statistics import median, quantiles
from typing import Any

from scripts.benchmarks.words import at_rate, counts_at, of, seeds, short, spread, upper, wilson
from stillwatch.lab.cost_prices import PRICES


def ladder(rows: list[dict[str, Any]]) -> list[str]:
    """Recall, purity and fragments by rung, and the false positive rate of ordinary accounts."""
    rows = of(rows, "ladder")
    if not rows:
        return []
    out = [
        "", "## Attacker ladder", "",
        f"Worlds of every rung with seeds {seeds(rows)}, scale {rows[0]['scale']:g}: campaigns of 6 to 350 accounts among about"
        " 7,000 ordinary ones and every class of look-alike.", "",
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


def price(rows: list[dict[str, Any]]) -> list[str]:
    """What evasion costs: the bill per extraction exchange, by rung."""
    mine = of(rows, "ladder")
    by: dict[int, list[float]] = defaultdict(list)
    for r in mine:
        for c in r["score"]["campaigns"]:
            if c["kind"] == "campaign" and c.get("cost_per_exchange_usd") is not None:
                by[c["level"]].append(c["cost_per_exchange_usd"])
    if not by:
        return []
    assumed = sum(p.assumed for p in PRICES.values())
    out = [
        "", "## What evasion costs", "",
        "Bill per extraction exchange in US dollars (prices with sources in `lab/prices.toml`,"
        f" {assumed} of {len(PRICES)} assumed), median over the"
        " campaigns of a rung, quartiles in brackets. A careless campaign, L0, stands for no defence.", "",
        "| rung | campaigns | $ per exchange | times L0 |", "|---|---|---|---|",
    ]  # fmt: skip
    plain = median(by[0]) if by.get(0) else None
    for level, bills in sorted(by.items()):
        low, middle, high = quantiles(bills, n=4)
        times = f"{middle / plain:.1f}" if plain else "-"
        out.append(f"| L{level} | {len(bills)} | {middle:.3f} ({low:.3f} to {high:.3f}) | {times} |")
    return out


def baselines(rows: list[dict[str, Any]]) -> list[str]:
    """Every detector on every world of the ladder."""
    mine = [r for r in rows if r["suite"] == "ladder"]
    if len({r["detector"]["id"] for r in mine}) < 2:
        return []
    return [
        "", "## Beside what others use", "",
        f"The same worlds (seeds {seeds(mine)}). {RANKED} Wilson intervals in brackets."
        " The lab's grammars give some two hundred ordinary accounts of a world (247 at most on ladder_L0, seed 12) the same opening"
        " words, perhaps more than real people have in common; `shared_template` ranks most campaigns behind those.", "",
        *table(mine, interval=True), *called_honest([r for r in mine if r["detector"]["id"] == "stillwatch"]),
    ]  # fmt: skip


def ablations(rows: list[dict[str, Any]]) -> list[str]:
    """Ours with parts taken away, on a few worlds of every rung."""
    mine = [r for r in rows if r["suite"] == "compare"]
    if not mine:
        return []
    return [
        "", "## Beside itself with parts taken away", "",
        f"Worlds of each rung with seed {seeds(mine)}, scale {mine[0]['scale']:g}. {RANKED}", "",
        *table(mine, interval=False), *called_honest([r for r in mine if r["detector"]["id"] == "stillwatch"]),
    ]  # fmt: skip


def called_honest(mine: list[dict[str, Any]]) -> list[str]:
    """Honest classes with an organisation inside a claimed campaign: rungs, and that a seed has one population."""
    hit: dict[str, list[str]] = defaultdict(list)
    for r in mine:
        for name, c in r.get("score", {}).get("classes", {}).items():
            if c.get("orgs_claimed") and name != "campaign":
                hit[name].append(r["scenario"].removeprefix("ladder_"))
    if not hit:
        return []
    told = "; ".join(f"{name} on {', '.join(rungs)}" for name, rungs in sorted(hit.items()))
    return [
        "", f"Honest organisations inside a group that the whole method calls a campaign: {told}. The honest population of a seed is the same on every rung: one group"
        " that is wrongly called one counts once for each.",
    ]  # fmt: skip


RANKED = (
    "Share of extractors above the one honest account in a thousand that is most suspicious to the detector; ties go against it."
    " A dash: the cell failed or has not been run."
)


def table(mine: list[dict[str, Any]], *, interval: bool) -> list[str]:
    """Detectors by rung: recall at one in a thousand, claims, organisations wronged, seconds."""
    levels = sorted({r["scenario"] for r in mine})
    names = sorted({r["detector"]["id"] for r in mine}, key=lambda n: (not n.startswith("stillwatch"), n))
    head = " | ".join(x.removeprefix("ladder_") for x in levels)
    out = [
        f"| detector | worlds | {head} | claims that are false | honest organisations at review or act | s a world |",
        "|---|" + "---|" * (len(levels) + 4),
    ]
    for name in names:
        cells = [r for r in mine if r["detector"]["id"] == name and "score" in r]
        by = [counts_at([r for r in cells if r["scenario"] == level], 1e-3) for level in levels]
        share = [
            short(hit, total) if interval else f"{hit / total:.3f}" if total else "-" for hit, total in by
        ]
        claims = [c["score"]["discovery"]["campaigns"] for c in cells if c["score"]["discovery"]]
        wrong, claimed = sum(c["false"] for c in claims), sum(c["claimed"] for c in claims)
        orgs = sum(k["orgs_review_or_act"] for c in cells for k in c["score"]["classes"].values())
        seconds = sum(c.get("wall_s", 0.0) for c in cells) / max(len(cells), 1)
        out.append(
            f"| {name} | {len(cells)} | {' | '.join(share)} | {f'{wrong:,} of {claimed:,}' if claimed else '-'} | {orgs:,}"
            f" | {seconds:.0f} |"
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


def observed(rows: list[dict[str, Any]]) -> list[str]:
    """Campaigns as they were reported, and the sealed week."""
    mine = of(rows, "observed") + of(rows, "sealed")
    if not mine:
        return []
    out = [
        "", "## Campaigns as they were reported", "",
        f"One world each (seeds {seeds(mine)}; scales in brackets), and the sealed week, opened once with this seed, for this table (with seed 491 for the table before it)."
        " Seen: the first look, at 1 or 5 % of the campaign's exchanges or at the end, at which one of its accounts is member.", "",
        "| world | campaign | accounts | exchanges | member | called campaign | at review or act | groups | seen |",
        "|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for r in mine:
        when = {c["campaign_id"]: c["member"] for c in r.get("delay", {}).get("campaigns", [])}
        name = r["scenario"].removeprefix("observed_") + (f" ({r['scale']:g})" if r["scale"] != 1 else "")
        for c in r["score"]["campaigns"]:
            seen = when.get(c["campaign_id"])
            at = f"{seen['share_at_most']:.0%}" if seen else "end" if c["extractors_found"] else "never"
            out.append(
                f"| {name} | {c['variant']} L{c['level']}, {c['kind']} | {c['accounts']:,} | {c['exchanges']:,}"
                f" | {wilson(c['extractors_found'], c['extractors'])} | {'yes' if c['called'] else 'no'}"
                f" | {c['review_or_act']:,} | {c['fragments']} | {at if r.get('delay') else '-'} |"
            )
    return [*out, *wronged(mine), "", MISSED]


MISSED = (
    "Seed 481 of these worlds was measured before, and the proxy network missed there: half of its world's accounts and nearly all"
    " of its events between accounts were the network's own, and passed for what is usual. Events are since compared with chance"
    " among the pairs that touch a hub as well (decision 0004, worked out on development seed 12), and the worlds above have a seed that nobody"
    " had looked at. What is found as a pool and not called a campaign sends mostly for customers: its shape is theirs."
)


def wronged(rows: list[dict[str, Any]]) -> list[str]:
    """Honest organisations at review or act in these worlds."""
    classes = [(name, k) for r in rows for name, k in r["score"]["classes"].items()]
    orgs, total = (sum(k[x] for _, k in classes) for x in ("orgs", "orgs_review_or_act"))
    names = sorted({name for name, k in classes if k["orgs_review_or_act"]})
    named = f" ({', '.join(names)})" if names else ""
    return ["", f"Honest organisations at review or act in these worlds: {total} of {orgs:,}{named}."]


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
