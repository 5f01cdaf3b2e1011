"""Writes docs/benchmarks.md from the data in docs/data; sections are in ``scripts/benchmarks``."""

from __future__ import annotations

import json
from pathlib import Path

from scripts.benchmarks import engines, live, plots
from scripts.benchmarks.attackers import ablations, baselines, delay, extremes, ladder, observed, price
from scripts.benchmarks.gates import gates
from scripts.benchmarks.honest import lookalikes, null
from scripts.benchmarks.live_gates import live_gates
from scripts.benchmarks.searches import framing, frontier, searched
from scripts.benchmarks.speed import speed
from scripts.benchmarks.stability import left_out, mixtures, poison, successors
from scripts.benchmarks.weeks import WEEKS, real
from scripts.benchmarks.words import states

DATA = Path("docs/data")
ASSETS = Path("docs/assets")
PAGE = Path("docs/benchmarks.md")
SECTIONS = (
    gates, ladder, price, baselines, ablations, mixtures, observed, delay, successors, extremes, lookalikes, poison,
    left_out, null,
)  # fmt: skip
INTRO = """# Benchmarks

Figures of the scan on simulated worlds with held-out seeds, and its speed. Made by `make study` and
`make bench`; the data lie beside this page in `data/`. Development seeds (11 to 22) are never reported on.

**Read them as what they are.** The worlds come from `stillwatch lab`: their honest population follows
published per-tenant statistics, their attackers follow public reports, and both were written by people who
also wrote the detector. They show that the statistics hold and how fast they run; accuracy in the field is
for the field to show. A scan of real text with real activity statistics is in `tests/real/`.

*member* = tier `member` of a pool or campaign. Intervals are 95 % (Wilson for shares, Clopper-Pearson
upper bounds for rates near zero). Accounts of one campaign stand or fall together, so intervals that take accounts
one by one are the narrowest that could be right. Purity and fragments are means over worlds with the least and the
most; speed is a single run.
"""


def main() -> None:
    """Write the page."""
    lines = [INTRO]
    study = DATA / "study.json"
    if study.exists():
        rows = json.loads(study.read_text("utf-8"))
        lines += states(rows)
        for section in SECTIONS:
            lines += section(rows)
            if section is ladder:
                lines += plots.write(rows, ASSETS)
        lines += [
            "",
            "Command: `make study`. It goes on where it stopped and keeps what the programs behind a figure have not"
            " changed. From nothing it takes some 100 minutes on two idle cores, added up from the CPU time of its"
            " parts (78 s for a ladder world with every detector); our cells alone took 77 minutes beside other work.",
        ]
    for name, said in (("frontier.json", frontier), ("framing.json", framing)):
        if (DATA / name).exists():
            report = json.loads((DATA / name).read_text("utf-8"))
            lines += [*said(report), "", searched(report)]
    for file, title, about in WEEKS:
        if (DATA / file).exists():
            history = DATA / file.replace(".json", "_history.json")
            told = json.loads(history.read_text("utf-8")) if history.exists() else []
            lines += real(json.loads((DATA / file).read_text("utf-8")), title, about, told)
    bench = DATA / "bench.json"
    if bench.exists():
        lines += speed(json.loads(bench.read_text("utf-8")))
        lines += ["", "Command: `make bench`.", ""]
        extra = Path("docs/_speed.md")
        if extra.exists():
            lines += [extra.read_text("utf-8")]
    for heading, judged, files in (
        (live.TITLE, live_gates, live.FILES), (engines.TITLE, None, engines.FILES),
    ):  # fmt: skip
        found = {
            file: json.loads((DATA / file).read_text("utf-8")) for file, _ in files if (DATA / file).exists()
        }
        if found:
            lines += [*heading, *(judged(found) if judged else [])]
            lines += [line for file, said in files if file in found for line in said(found[file])]
    PAGE.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
