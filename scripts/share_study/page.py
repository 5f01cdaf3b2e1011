"""Figures of ``make study-share`` in words, between the marks of docs/join.md; a test holds the page to the data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts.benchmarks.words import of_another_program
from stillwatch.lab.scoring.rates import clopper_pearson, wilson

PAGE = Path("docs/join.md")
BEGIN, END = "<!-- begin: scripts.share_study -->", "<!-- end: scripts.share_study -->"
WAYS = (("alone", "alone"), ("lenient", "alone, with accounts under watch"), ("hashed", "plain hashed addresses"),
        ("join", "the join"))  # fmt: skip
READ = """*dictionary*: knows the range of the addresses and none of the prompts. *probing*: knows all prompts and
half of the blocks, puts into each cluster one known part less than a pair needs, and deals what is left of its budget
over the ten clusters that it can fill so; a pair narrows a block down to some 160. *targeted*: knows as much and
suspects twenty blocks, half of them right; it can put one suspicion into each of its ten clusters: what it is told is
certain. So a member that already knows much of a victim can confirm single suspicions, a twentieth of the
victim's evidence in two kinds spent on each, and honey tags seldom see so few. Noticed is a contribution that was set
aside and named."""
Row = dict[str, Any]


def write(result: Row) -> None:
    """Put the figures into the page."""
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{render(result)}\n{END}{after}", encoding="utf-8")


def render(result: Row) -> str:
    """What stands between the marks."""
    cells = result["cells"]
    parts = [_found(cells), _false(cells), _attacked(result["attacks"])]
    states = {str(c.get("stamp", "")).partition("-")[0] for c in cells}
    for code in sorted(states):
        parts.insert(0, of_another_program(code or None, "study-share"))
    return "\n".join(line for part in parts for line in ["", *part]) + "\n"


def _found(cells: Sequence[Row]) -> list[str]:
    seeds = sorted({c["seed"] for c in cells})
    lines = [
        f"One network of 200 accounts among some 2,100 honest ones of three days; seed {', '.join(map(str, seeds))}. "
        "Recall of the network's accounts over all laboratories together, and precision; 95 % (Wilson), accounts taken "
        "one by one, though those of one world stand or fall together.", "",
        "| rung | laboratories | worlds | way | recall | precision |", "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for level, labs in sorted({(c["level"], c["labs"]) for c in cells}):
        mine = [c for c in cells if (c["level"], c["labs"]) == (level, labs)]
        total = sum(c["network"] for c in mine)
        for key, name in WAYS:
            right, flagged = (sum(c[key][k] for c in mine) for k in ("right", "flagged"))
            lines.append(
                f"| {level} | {labs} | {len(mine)} | {name} | {_share(right, total)} | {_share(right, flagged)} |"
            )
    if all("lifted" in c for c in cells):
        lifted = sum(c["lifted"] for c in cells)
        lines += ["", f"Groups that a partner lifted over the laboratory's own threshold: {lifted}."]
    return lines


def _false(cells: Sequence[Row]) -> list[str]:
    pairs, wrong, parts, met = (
        sum(c["pairs"].get(k, 0) for c in cells)
        for k in ("unrelated", "unrelated_joined", "network", "network_joined")
    )
    low, high = clopper_pearson(wrong, pairs)
    return [
        f"False joins: {wrong} of {pairs:,} pairs of unrelated clusters of two laboratories (95 % Clopper-Pearson "
        f"{_small(low)} to {_small(high)}, pairs taken one by one, though one pair can recur in several cells of a "
        "seed); the aim is none in 10,000. Unrelated are two whose majorities are of different networks or "
        "organisations, also when some accounts of the one belong to the other; among them are groups put together "
        "from honest organisations and from random accounts. Pairs "
        f"of clusters of one network: {met} of {parts} joined."
    ]  # fmt: skip


def _attacked(rows: Sequence[Row]) -> list[str]:
    lines = [
        "Attacks on a cluster with 128 address blocks and 200 prompts, with real key holders, budgets and joiner:", "",
        "| attack | honey tags | weeks | guesses | right among them | learned for certain | pairs told | noticed |",
        "|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for name, honey in sorted({(r["attack"], r["honey"]) for r in rows}):
        mine = [r for r in rows if (r["attack"], r["honey"]) == (name, honey)]
        sums = (
            sum(r[k] for r in mine)
            for k in ("guesses", "right_guesses", "learned", "pairs_told", "set_aside")
        )
        guesses, right, learned, told, noticed = sums
        lines.append(
            f"| {name} | {honey} of {mine[0]['space']:,} blocks | {len(mine)} | {guesses:,} | {right} | {learned} "
            f"| {told} | {noticed} |"
        )
    refused = all(r["refused_beyond"] for r in rows)
    return [
        *lines,
        "",
        f"Beyond the budget {'every' if refused else '**not every**'} question was refused.",
        "",
        READ,
    ]


def _share(hits: int, total: int) -> str:
    if not total:
        return "-"
    low, high = wilson(hits, total)
    return f"{hits / total:.0%} ({low:.0%} to {high:.0%})"


def _small(value: float) -> str:
    return f"{value * 1e4:.2g} in 10,000"


__all__ = ["render", "write"]
