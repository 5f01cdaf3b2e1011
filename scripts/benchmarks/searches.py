"""Sections about what attackers who adapt can do: the evasion frontier and the cost of framing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stillwatch.lab.suite import choose, load_suite
from stillwatch.wiring.lab import LabRunner

Row = dict[str, Any]
PLOT = Path("docs/assets/frontier.svg")


def frontier(report: Row) -> list[str]:
    """Settings that stayed under detection on worlds the search had not seen."""
    worlds = report["report_worlds"]
    out = [
        "", "## The evasion frontier", "",
        f"A search over {report['trials']} settings of the attacker's dials (`{report['scenario']}`, world"
        f" {_list(report['search_worlds'])}), the first {report['random_trials']} at random, the others guided, for the cheapest"
        f" way to take exchanges from accounts that get no hint of `review` or `act`. {report['random_under']} of the random"
        f" settings stayed under there ({_share(report['random_under_interval'])}). The best were tried again in worlds"
        f" {worlds[0]} to {worlds[-1]}; only that is shown. Bills are spread over {report['horizon_days']:.0f} days. A search is"
        " finite: attackers can do at least this.", "",
    ]  # fmt: skip
    if PLOT.exists():
        out += [f"![Evasion frontier](assets/{PLOT.name})", ""]
    if not report["frontier"]:
        return [
            *out,
            f"No setting of {report['trials']} held on fresh worlds; this is no proof that none exists.",
        ]
    out += [
        "| exchanges a day unseen | $ each | under in fresh worlds | accounts | exchanges per account | what it does |",
        "|---|---|---|---|---|---|",
    ]
    for p in report["frontier"]:
        s = p["settings"]
        low, high = p["cost_per_exchange_range"]
        out.append(
            f"| {p['taken_per_day']:,.0f} | {p['cost_per_exchange_usd']:.2f} ({low:.2f} to {high:.2f})"
            f" | {p['worlds_under']} of {p['worlds']} ({_share(p['share_under_interval'])})"
            f" | {s.get('accounts', 0):.0f} | {s.get('exchanges_per_account', 0):.0f} | {_dials(s)} |"
        )
    return [*out, "", *_reading(report)]


def _reading(report: Row) -> list[str]:
    largest = max(p["taken_per_day"] for p in report["frontier"])
    return [
        f"Read it so: in these worlds (three days, 2,000 ordinary accounts, a campaign of at most 600) an attacker who adapts"
        f" takes up to {largest:,.0f} exchanges a day unseen at the price stated. Industrial scale means doing so with thousands"
        " of accounts for weeks, which leaves more to see than three days of some hundreds.",
        "",
        LEFT,
    ]


LEFT = (
    "**What the cheapest settings have in common** is no fail-over, an address block for every one or two accounts, cards of their own"
    " for four in five, accounts opened over a long time, and seven or eight templates; prompts are not even reworded. What is left"
    " is shared templates with an extraction shape, and templates alone link nobody here, because the users of one product share them"
    " as well (decision 0005): on a development seed the scan of such a world forms no group at all. This is the widest gap that is"
    " known. Next: rank the stream of each widely shared template by its shape among the template streams of honest products,"
    " with disjoint work as second evidence, and put what stands clear of all of them to a person, as content without a controller."
)


def framing(report: Row) -> list[str]:
    """What it costs to have an honest account reviewed, or acted on."""
    out = [
        "", "## The cost of framing", "",
        f"A search over {report['trials']} attacks that imitate three honest accounts (`{report['scenario']}`, world"
        f" {_list(report['search_worlds'])}), tried again in worlds {report['report_worlds'][0]} to {report['report_worlds'][-1]}.",
        "", "| level | settings that framed a victim in the search | cheapest that did so again | victims framed | worlds |",
        "|---|---|---|---|---|",
    ]  # fmt: skip
    for level, found in report["levels"].items():
        best = found["cheapest"]
        tried = (
            f"{found['found']} of {found['tried']} (of random ones {_share(found['random_found_interval'])})"
        )
        if best is None:
            why = "not found" if not found["found"] else "none held on fresh worlds"
            out.append(
                f"| `{level}` | {tried} | {why}; the dearest tried cost ${found['dearest_tried_usd']:,.0f} | - | - |"
            )
            continue
        out.append(
            f"| `{level}` | {tried} | ${best['cost_usd']:,.0f} | {best['victims_framed']} of {best['victims']}"
            f" ({_share(best['share_framed_interval'])}) | {best['worlds_with_a_victim_framed']} of {best['worlds']}"
            f" ({_share(best['worlds_interval'])}) |"
        )
    return [*out, "", "Not found within a budget is no proof. What cannot be imitated at any price is listed in"
            " [attackers of the lab](lab_attackers.md)."]  # fmt: skip


def _dials(settings: Row) -> str:
    """Dials that an attacker turned, by how far."""
    plain = {"accounts", "exchanges_per_account"}
    moved = [f"{k.replace('_', ' ')} {v:.2g}" for k, v in sorted(settings.items()) if k not in plain and v]
    return ", ".join(moved) or "nothing"


def _share(interval: Any) -> str:
    return f"{interval[0]:.0%} to {interval[1]:.0%}"


def _list(seeds: list[int]) -> str:
    return " and ".join(map(str, seeds))


def searched(report: Row) -> str:
    """The command, with the budget that was spent."""
    random = report["random_trials"]
    spent = f"--random {random} --guided {report['trials'] - random} --confirm {len(report['report_worlds'])}"
    told = f"Command: `python -m scripts.searches {spent}`; `make searches` tries more."
    present = choose(load_suite("honest"), LabRunner())[0].digest
    if report["detector_digest"] == present:
        return told
    return (
        f"{told} **This search was made against an earlier state of the program**, with the detector's digest"
        f" `{report['detector_digest']}`; nobody has searched against the present one."
    )
