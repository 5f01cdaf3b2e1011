"""The study's section of docs/prove.md, from docs/data/student_study.json; ``python -m scripts.students.page``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from scipy.stats import beta

from scripts.students.draw import curves_svg
from stillwatch.prove.audit.resample import share_interval

DATA, PAGE = Path("docs/data/student_study.json"), Path("docs/prove.md")
PICTURE = Path("docs/assets/students.svg")
BEGIN, END = "<!-- begin: scripts.students.page -->", "<!-- end: scripts.students.page -->"
TESTS = ("soft", "hard", "probes", "writing")
LIMITS = """
**Read it as what it is.** The teacher sees two tokens, so under a window of 2 a key decides its every answer: dyed text
repeats itself, students of it alone are poor models (see their loss), and marks are learnt more easily than from a large
model. The order of tests and treatments is what may carry over, and that the innocent stay innocent.

**Not measured.** Nothing here is a large model: no SmolLM2, no LoRA, one tokeniser, one key a student, students of some
hundred thousand weights. No language model paraphrases: rewriting stands in for it, and has no meaning to keep. Sizes of
effects will differ at scale; the order of the tests may. No number of audits that can be run here shows a rate near
10^-6: that level rests on the exactness of the tails, which the table of random keys checks.
"""

Row = dict[str, Any]


def main() -> None:
    """Rewrite the section, and its drawing."""
    found = json.loads(DATA.read_text("utf-8"))
    PICTURE.write_text(curves_svg(found["share"]), encoding="utf-8")
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{render(found)}\n{END}{after}", encoding="utf-8")


def render(found: Row) -> str:
    """The section, without its marks."""
    about = found["about"]
    seeds = ", ".join(map(str, about["seeds"]))
    minutes = round(sum(found["cpu_s"].values()) / 60)
    parts = [
        f"Students are networks of one hidden layer over four tokens, trained from a shared base on "
        f"{about['answers']:,} answers of 48 tokens. Mark `{about['scheme']}`; {about['issued_keys']} keys tried at once, level "
        f"10^-6 after Holm. Seeds {seeds}, none of which was looked at while the school was made. Cells give standard deviations "
        "at the true key, mean (least to most) over the seeds, and how many of the students had their campaign named.",
        "![Standard deviations by share of dyed answers](assets/students.svg)",
        *by_share(found["share"]),
        *innocent(found["innocent"], about),
        *more(found["innocent"], found.get("innocent_more", []), about),
        *nulls(found["nulls"]),
        *along(found["along"]),
        *by_treatment(found["treatment"]),
        *by_attack(found.get("attacks", []), about),
        *by_reading(found["reading"]),
        *by_replies(found["replies"]),
        f"Command: `make study-prove`; {minutes} minutes of one core.",
        LIMITS.strip(),
    ]
    return "\n\n".join(parts)


def by_share(rows: list[Row]) -> list[str]:
    """What share of dyed data the tests see."""
    lines = []
    for width in (2, 4):
        for share in sorted({r["share"] for r in rows}):
            mine = [r for r in rows if (r["width"], r["share"]) == (width, share)]
            lines.append((f"window {width}, {share:.0%}", *(cell(mine, test) for test in TESTS)))
    wrong = sum(bool(r["named"]) and (not r["share"] or r["named"] != ["key-0"]) for r in rows)
    return [
        "**By share of dyed answers**, read along new texts under the key in question. The rest of a student's data "
        "are unmarked answers of the same teacher.",
        table(("dyed", *TESTS), lines),
        f"A wrong key was named in {wrong} of {len(rows)} tests.",
    ]


def innocent(rows: list[Row], about: Row) -> list[str]:
    """Whom the tests wrong."""
    keyed, tests = sum(r["keyed"] for r in rows), sorted(rows[0]["p"])
    bound = share_interval(keyed, len(rows))
    kinds = ", ".join(dict.fromkeys(r["kind"] for r in rows))
    invalid = sum(bool(r["invalid"]) for r in rows)
    worlds = about["innocent_worlds"]
    lines = [
        (f"`{test}`", *(rate([r["p"][test] < level for r in rows]) for level in (0.001, 0.01, 0.05)))
        for test in tests
    ]
    return [
        f"**Innocent students: {keyed} of {len(rows):,} whole audits said *trained on our outputs*** (95 % interval "
        f"{bound.low:.2%} to {bound.high:.2%}, Clopper-Pearson). An audit is five tests under "
        f"{about['issued_keys_innocent']} issued keys of its own, corrected together, without control models, which "
        "can only take a verdict away. Half of the students count and half are networks; all share public text, networks "
        f"a base; half are audited for window 2 and half for 4. Taught, in equal parts: {kinds}. Worlds {worlds[0]} to "
        f"{worlds[-1]}. {invalid} audits had a test that called itself invalid. At levels that so many can check:",
        table(("test, corrected over its keys", "p below 0.1 %", "below 1 %", "below 5 %"), lines),
        "Audits of one world rank the same fifty served replies among the same siblings, so the row of the siblings rests "
        "on ten draws of replies rather than on a thousand, and its interval is too narrow.",
    ]


def more(first: list[Row], rows: list[Row], about: Row) -> list[str]:
    """The second population, and both together."""
    if not rows:
        return []
    keyed, both = sum(r["keyed"] for r in rows), [*first, *rows]
    hits = sum(r["keyed"] for r in both)
    bound, at_most = share_interval(hits, len(both)), float(beta.ppf(0.95, hits + 1, len(both) - hits))
    worlds = sorted({r["seed"] for r in rows})
    lines = [
        (f"`{test}`", *(rate([r["p"][test] < level for r in rows]) for level in (0.001, 0.01, 0.05)))
        for test in sorted(rows[0]["p"])
    ]
    left = len(about["innocent_more_worlds"]) - len(worlds)
    missing = f" ({left} of the planned worlds are missing)" if left else ""
    return [
        f"**{len(rows):,} more, of worlds {worlds[0]} to {worlds[-1]}{missing}**, each of which ranks served replies and "
        f"siblings of its own: {keyed} said *trained on our outputs*. Both populations together: "
        f"{hits} of {len(both):,} (95 % interval {bound.low:.3%} to {bound.high:.3%}, Clopper-Pearson; one-sided, with 95 % "
        f"confidence below {at_most:.4%}).",
        table(("test, corrected over its keys", "p below 0.1 %", "below 1 %", "below 5 %"), lines),
    ]


def nulls(rows: list[Row]) -> list[str]:
    """Random keys on innocent materials."""

    def spread(mine: list[Row], name: str) -> str:
        return f"{min(r[name] for r in mine):.3g} to {max(r[name] for r in mine):.3g}"

    lines = []
    for test in TESTS:
        mine = [r for r in rows if r["test"] == test]
        below, of = sum(r["below_1_percent"] for r in mine), sum(r["keys"] for r in mine)
        bound = share_interval(below, of)
        share = f"{below / of:.2%} ({bound.low:.2%} to {bound.high:.2%})"
        lines.append((test, share, spread(mine, "sd"), spread(mine, "ks_p")))
    return [
        f"**Random keys**: {rows[0]['keys']:,} on the material of one network of each of these kinds, window 2, seed "
        f"{rows[0]['seed']}. Least to most over the kinds.",
        table(("test", "p below 1 %", "standard deviation", "uniform? (Kolmogorov-Smirnov p)"), lines),
    ]


def along(rows: list[Row]) -> list[str]:
    """Innocents along texts under the key that is tried."""
    lines = []
    for test in TESTS:
        mine = [r for r in rows if r["test"] == test]
        below, of = sum(r["below_1_percent"] for r in mine), sum(r["keys"] for r in mine)
        bound = share_interval(below, of)
        mean = sum(r["mean"] * r["keys"] for r in mine) / of
        lines.append((test, f"{below / of:.2%} ({bound.low:.2%} to {bound.high:.2%}; n = {of:,})", f"{mean:.2f}",
                      f"{min(r['sd'] for r in mine):.2f} to {max(r['sd'] for r in mine):.2f}",
                      f"{min(r['ks_p'] for r in mine):.3g} to {max(r['ks_p'] for r in mine):.3g}"))  # fmt: skip
    kinds = " and ".join(dict.fromkeys(r["kind"] for r in rows))
    return [
        "**Innocents read along texts under the very key that is tried**, as the guilty are above: "
        f"{rows[0]['keys']} keys a student, each with new texts of its own; networks taught by 1,000 of {kinds}, window 2.",
        table(
            ("test", "p below 1 %", "mean", "standard deviation", "uniform? (Kolmogorov-Smirnov p)"), lines
        ),
    ]


def by_treatment(rows: list[Row]) -> list[str]:
    """What is done to data or student."""
    tests, lines = ("soft", "hard", "writing"), []
    for name in dict.fromkeys(r["treatment"] for r in rows):
        mine = [r for r in rows if r["treatment"] == name]
        loss = sum(r["loss"] for r in mine) / len(mine)
        lines.append((name, *(cell(mine, test) for test in tests), f"{loss:.2f}"))
    return [
        "**What is done to the data, or to the student afterwards**; window 2, all answers dyed, unless the row says "
        "otherwise. Loss is in nats a token on new unmarked answers of ours.",
        table(("treatment", *tests, "loss"), lines),
    ]


def by_attack(rows: list[Row], about: Row) -> list[str]:
    """What attacks leave of the tests, and what they cost."""
    if not rows:
        return []
    parts = [
        "**Attacks on the mark**, by someone who has the answers, a base, another laboratory's model and a thesaurus, and "
        f"knows how wide the window is, but not the key. Seeds {', '.join(map(str, about['attack_seeds']))}; attacks and "
        "strengths were settled on seed 1. *Rewritten*: a synonym in place of the token, chosen by the other laboratory's "
        "model along what was rewritten so far. *Stolen rules* (Pan et al., ACL 2025): after each window, what the student says "
        "more often than its base did; *neutralised* answers are decoded against them, and whoever holds the weights reads "
        "beneath that: the row *no attack*. *Twin*: rules by a student of unmarked answers of ours instead of the base. "
        "Siblings: log10 of p from 50 unmarked replies among what was learnt, weakest to strongest, level -6.",
    ]
    for width, share in dict.fromkeys((r["width"], r["share"]) for r in rows):
        mine = [r for r in rows if (r["width"], r["share"]) == (width, share)]
        lines = []
        for where, name in dict.fromkeys((r["where"], r["attack"]) for r in mine):
            these = [r for r in mine if r["attack"] == name]
            loss = sum(r["loss"] for r in these) / len(these)
            lines.append((name, where, f"{loss:.2f}", *(cell(these, test) for test in TESTS), ranks(these)))
        parts.append(
            table((f"window {width}, {share:.0%} dyed", "works on", "loss", *TESTS, "siblings"), lines)
        )
    return parts


def ranks(rows: list[Row]) -> str:
    """The sibling test over seeds."""
    found = [r["log10_p"] for r in rows if r["test"] == "siblings"]
    return f"{max(found):.1f} to {min(found):.1f}" if found else "-"


def by_reading(rows: list[Row]) -> list[str]:
    """How much is read, and along what."""
    words = {"dyed": "new, under the key", "plain": "new, unmarked", "own": "the suspect's own"}
    lines, along = [], []
    for share in sorted({r["share"] for r in rows}):
        mine = [r for r in rows if r["share"] == share]
        for size in sorted({r["texts"] for r in mine}):
            these = [r for r in mine if (r["along"], r["texts"]) == ("dyed", size)]
            lines.append(
                (f"{share:.0%}, {size} texts", *(cell(these, t) for t in ("soft", "probes", "writing")))
            )
        for kind, told in words.items():
            these = [r for r in mine if (r["along"], r["texts"]) == (kind, 100)]
            along.append((f"{share:.0%}, {told}", cell(these, "soft")))
    return [
        "**How much is read**; window 2. A text gives 46 positions, 23 probes, or 40 written tokens.",
        table(("dyed", "soft", "probes", "writing"), lines),
        "**Along which texts** (100 of them).",
        table(("dyed", "soft"), along),
    ]


def by_replies(rows: list[Row]) -> list[str]:
    """The sibling test."""
    sizes = sorted({r["replies"] for r in rows})

    def p(name: str, replies: int) -> str:
        mine = [r["log10_p"] for r in rows if (r["student"], r["replies"]) == (name, replies)]
        return f"{max(mine):.1f} to {min(mine):.1f}"

    names = dict.fromkeys(r["student"] for r in rows)
    return [
        "**Siblings**, no mark anywhere: log10 of p by replies in the log, weakest to strongest over the seeds; six "
        "siblings a prompt, level -6.",
        table(
            ("student", *(f"{n} replies" for n in sizes)),
            ((name, *(p(name, n) for n in sizes)) for name in names),
        ),
    ]


def cell(rows: list[Row], test: str) -> str:
    """Standard deviations over seeds, and how often the campaign was named."""
    mine = [r for r in rows if r["test"] == test]
    if not mine:
        return "-"
    values = [r["z"] for r in mine]
    named = sum(r["named"] == ["key-0"] for r in mine)
    return f"{sum(values) / len(values):.1f} ({min(values):.1f} to {max(values):.1f}); {named} of {len(mine)}"


def rate(hits: list[bool]) -> str:
    """A share with its exact interval."""
    bound = share_interval(sum(hits), len(hits))
    return f"{sum(hits) / len(hits):.2%} ({bound.low:.2%} to {bound.high:.2%})"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    told = list(head)
    lines = [told, ["---"] * len(told), *(list(row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
