"""The section of docs/prove.md on real networks, from docs/data/torch_study.json; ``python -m scripts.torchlab.page``.

A study that was stopped is still a table: it shows the cells that there are, and says how many are missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.students.page import table
from scripts.torchlab.plan import SCALES, SEEDS, SHOWN, cells
from stillwatch.prove.audit.resample import share_interval

DATA, PAGE = Path("docs/data/torch_study.json"), Path("docs/prove.md")
BEGIN, END = "<!-- begin: scripts.torchlab.page -->", "<!-- end: scripts.torchlab.page -->"
COLUMNS = (
    ("soft", "new"), ("soft", "served"), ("hard", "new"), ("hard", "served"), ("probes", "new"), ("probes", "served"),
    ("writing", "new"),
)  # fmt: skip
AIMS = (
    ("soft, standard deviations at 5%, window 2", "13", "window 2, 5%", "soft", "z"),
    ("soft, the same, four times as much read", "13", "window 2, 5%, four times as much read", "soft", "z"),
    ("hard, log10 p at 5%, window 2", "-1.4", "window 2, 5%", "hard", "log10_p"),
    ("soft, standard deviations at 100%, window 4", "detected", "window 4, 100%", "soft", "z"),
    ("probes, log10 p at 25%, window 2", "-6", "window 2, 25%", "probes", "log10_p"),
    ("siblings, log10 p from 50 replies, 2 passes", "-6", "our answers, unmarked", "siblings", "log10_p"),
    ("siblings, the same, 6 passes", "-6", "our answers, unmarked, 6 passes", "siblings", "log10_p"),
)
"""What was aimed at before anything was measured: words, aim, cell, test, figure."""
Row = dict[str, Any]


def main() -> None:
    """Rewrite the section."""
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    found = json.loads(DATA.read_text("utf-8")) if DATA.exists() else {"cells": []}
    PAGE.write_text(f"{before}{BEGIN}\n{render(found)}\n{END}{after}", encoding="utf-8")


def render(found: Row) -> str:
    """The section, without its marks."""
    scale = SCALES[SHOWN]
    made = [row for row in found["cells"] if row["scale"] == SHOWN]
    names = [cell.name for cell in cells()]
    teacher, student = ("{} wide, {} layers".format(*shape) for shape in (scale.teacher, scale.student))
    about = (
        f"Teachers (Llamas, {teacher}) and the base that all students start from ({student}; other text) are trained from "
        f"scratch on docstrings of Python's library, NumPy and SciPy, read where they lie; a byte-pair tokeniser of "
        f"{scale.vocabulary:,} tokens. A student learns {scale.answers:,} answers of {scale.length - scale.prompt} tokens in "
        f"{scale.epochs} passes; what is not marked of it is unmarked answers of the same teacher. {scale.read} texts are read "
        f"along, {scale.probes:,} one-token calls are made, 64 keys tried at once, level 10^-6 after Holm; the reference of "
        "the soft test is our own model. *New* texts were never served, *served* ones were, under the key; the tokens of "
        "neither are ever scored."
    )
    command = "`make study-torch` goes on where it stopped"
    if not made:
        return f"{about}\n\n**Not measured yet**: {len(names)} students of {len(SEEDS)} worlds are planned; {command}."
    parts = [about, *_aims(made), *_students(made, names), *_innocents(made), *_siblings(made, names)]
    minutes = round(sum(row["cpu_s"] for row in made) / 60)
    missing = len(names) * len(SEEDS) - len(made)
    seeds = ", ".join(str(seed) for seed in sorted({row["seed"] for row in made}))
    parts.append(
        f"Seeds {seeds}; {len(made)} students, {missing} of the planned ones missing; {minutes} minutes of one core. "
        f"{command}."
    )
    return "\n\n".join(parts)


def _aims(made: list[Row]) -> Iterator[str]:
    """What was aimed at, beside what came out, one figure a world."""
    lines = []
    for words, aim, name, test, field in AIMS:
        mine = [t for row in made if row["cell"] == name for t in row["tests"] if t["test"] == test]
        told = (
            f"{along}: {', '.join(f'{t[field]:.1f}' for t in mine if t['along'] == along)}"
            for along in ("new", "served") if any(t["along"] == along for t in mine)
        )  # fmt: skip
        lines.append((words, aim, "; ".join(told) or "not measured yet"))
    yield "What was aimed at before anything was measured, and what came out, one figure a world:"
    yield table(("figure", "aim", "found"), lines)


def _students(made: list[Row], names: list[str]) -> Iterator[str]:
    """What every test says of every guilty student."""
    lines = []
    for name in names:
        mine = [row for row in made if row["cell"] == name and row["guilty"]]
        if mine:
            loss = sum(row["loss"] for row in mine) / len(mine)
            lines.append((name, *(cell(mine, *column) for column in COLUMNS), f"{loss:.2f}"))
    if lines:
        yield (
            "Cells give standard deviations at the true key, mean (least to most) over the worlds where there are several, "
            "and how many of the students had their campaign named, and no other. Loss: nats a token on new answers of ours."
        )
        yield table(("student", *(f"{test}, {along}" for test, along in COLUMNS), "loss"), lines)


def _innocents(made: list[Row]) -> Iterator[str]:
    """Whom the tests wrong, and the nulls beside them."""
    keyed = [test for row in made if not row["guilty"] for test in row["tests"] if "z" in test]
    if not keyed:
        return
    students = len([row for row in made if not row["guilty"]])
    wrong = sum(bool(test["named"]) for test in keyed)
    bound = share_interval(wrong, len(keyed))
    sds = [test["null_sd"] for test in keyed if test["null_sd"] is not None]
    invalid = sum(test["verdict"] == "invalid" for row in made for test in row["tests"])
    yield (
        f"**Innocents** (our answers unmarked, another laboratory's, those under a key that was never issued, public text, "
        f"the base alone): {students} students, {len(keyed)} tests, {wrong} of which named a campaign (95 % interval "
        f"{bound.low:.2%} to {bound.high:.2%}; tests of one world share texts and keys, so it is too narrow). Standard "
        f"deviation of 400 random keys on their materials: {min(sds):.2f} to {max(sds):.2f}. {invalid} tests of all "
        "students called themselves invalid."
    )
    wrongly = sum(any(n != "key-0" for n in t.get("named", ())) for r in made for t in r["tests"])
    yield f"A wrong key was named in {wrongly} tests of all students."


def _siblings(made: list[Row], names: list[str]) -> Iterator[str]:
    """The sibling test."""
    lines = []
    for name in names:
        p = [t["log10_p"] for r in made if r["cell"] == name for t in r["tests"] if t["test"] == "siblings"]
        if p:
            lines.append((name, "; ".join(f"{one:.1f}" for one in p)))
    if lines:
        yield (
            "**Siblings**: log10 of p from 50 unmarked replies that were served, one figure a world; level -6. They stand "
            "in the data of students that are dyed by less than all; for the others they are a placebo."
        )
        yield table(("student", "log10 p"), lines)


def cell(rows: list[Row], test: str, along: str) -> str:
    """Standard deviations over worlds, and how often the right campaign alone was named."""
    mine = [t for row in rows for t in row["tests"] if (t["test"], t["along"]) == (test, along)]
    if not mine:
        return "-"
    values = [t["z"] for t in mine]
    named = sum(t["named"] == ["key-0"] for t in mine)
    spread = f" ({min(values):.1f} to {max(values):.1f})" if len(values) > 1 else ""
    return f"{sum(values) / len(values):.1f}{spread}; {named} of {len(mine)}"


if __name__ == "__main__":
    main()
