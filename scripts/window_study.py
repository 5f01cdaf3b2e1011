"""``make study-windows``: what scans of short and of long windows of one world see, into docs/watch.md.

The world is the one of ``make bench-watch`` and lies in its ``--work``. A window is so many of its files of 500,000
exchanges, from one on (``first:count``); reports are kept there and used again as long as the program is the same.
Counted are the accounts of each campaign that the window has, those of them that the scan puts into any group, and
those that come to a review or further; and the same of everybody else. Figures are of one world: no rates. Its truth
is opened for a report, which the world's ledger records; a detector that is changed for what is seen here has to be
reported on other worlds.
``--page`` alone puts them into the page, where a test holds them to docs/data/windows.json.
"""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from scripts.benchmarks.words import of_another_program, upper
from scripts.lab_run import FINE, a_key, context_options, generate, stillwatch
from stillwatch.lab.discipline import open_truth
from stillwatch.lab.suite.code import code_digest

OUT, PAGE = Path("docs/data/windows.json"), Path("docs/watch.md")
BEGIN, END = "<!-- begin: scripts.window_study -->", "<!-- end: scripts.window_study -->"
WINDOWS = ("0:2", "20:2", "40:2", "30:6", "0:10", "0:25", "0:47")
LOOKED_AT = ("review", "act")


def main() -> None:
    """Scan what was not scanned yet, and write the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, default=Path(".cache/bench-watch"))
    parser.add_argument("--scenario", default="observed_hydra_24k")
    parser.add_argument("--seed", type=int, default=102)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--windows", nargs="+", default=WINDOWS, metavar="FIRST:COUNT")
    parser.add_argument("--page", action="store_true", help="only put what was measured into docs/watch.md")
    given = parser.parse_args()
    if not given.page:
        world = given.work / f"{given.scenario}-{given.seed}-{given.scale:g}"
        if not (world / "world.json").exists():
            generate(given.scenario, given.seed, given.scale, world)
        rows = [of_window(world, given.work, window) for window in given.windows]
        about = {
            "code": code_digest("own"),
            "scenario": given.scenario,
            "seed": given.seed,
            "scale": given.scale,
        }
        OUT.write_text(json.dumps(about | {"rows": rows}, indent=1) + "\n", encoding="utf-8")
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    shown = render(json.loads(OUT.read_text("utf-8")))
    PAGE.write_text(f"{before}{BEGIN}\n{shown}\n{END}{after}", encoding="utf-8")


def of_window(world: Path, work: Path, window: str) -> dict[str, Any]:
    """Scan one window, unless that was done, and count."""
    first, count = map(int, window.split(":"))
    files = sorted((world / "exchanges").glob("*.parquet"))[first : first + count]
    if len(files) < count:
        raise SystemExit(f"{window}: the world has no so many files")
    report = work / "windows" / code_digest("own") / f"{first}-{count}"
    if not (report / "summary.json").exists():
        stillwatch(
            "scan", *files, *context_options(world), "--key-file", a_key(work), "--out", report, "--overwrite", "-q",
            fine=FINE,
        )  # fmt: skip
    summary = json.loads((report / "summary.json").read_text("utf-8"))
    start, end = (datetime.fromisoformat(summary["time_range"][edge]) for edge in ("start", "end"))
    told = pq.read_table(report / "accounts.parquet").to_pylist()
    at = datetime.now(UTC).isoformat(timespec="seconds")
    truth = open_truth(world, purpose="report", by="window_study", at=at).truth
    return {
        "window": window, "exchanges": summary["counts"]["exchanges"],
        "days": round((end - start).total_seconds() / 86_400, 1),
        "groups": counted(told, dict(zip(truth.ids, truth.campaign, strict=True))),
    }  # fmt: skip


def counted(told: list[dict[str, Any]], campaign_of: dict[str, str | None]) -> dict[str, dict[str, int]]:
    """Accounts, members of any group, and those to be looked at; by campaign, and ``honest`` of the others."""
    out: dict[str, dict[str, int]] = {}
    for row in told:
        own = out.setdefault(
            campaign_of[row["account_id"]] or "honest", {"accounts": 0, "members": 0, "looked_at": 0}
        )
        own["accounts"] += 1
        own["members"] += row["campaign_id"] is not None
        own["looked_at"] += row["disposition_hint"] in LOOKED_AT
    return dict(sorted(out.items()))


def render(result: dict[str, Any]) -> str:
    """What stands between the marks."""
    rows = result["rows"]
    campaigns = sorted({name for row in rows for name in row["groups"] if name != "honest"})
    out = [
        f"`{result['scenario']}` at scale {result['scale']:g}, seed {result['seed']}, one scan a window: accounts that"
        " a scan puts into a group, of those in the window (in brackets: those that come to a review or further)."
        " Bounds are one-sided, 95 %, and take accounts one by one, though those of one organisation come together.",
        *of_another_program(result.get("code"), "study-windows"),
        "",
        "| days | exchanges | "
        + " | ".join(f"campaign {i}" for i, _ in enumerate(campaigns, 1))
        + " | honest, in a group"
        " | honest, to be looked at |",
        "|---" * (4 + len(campaigns)) + "|",
    ]
    none = {"accounts": 0, "members": 0, "looked_at": 0}
    for row in rows:
        first = int(row["window"].partition(":")[0])
        cells = []
        for name in campaigns:
            own = row["groups"].get(name, none)
            cells.append(f"{own['members']:,} of {own['accounts']:,} ({own['looked_at']:,})")
        honest = row["groups"].get("honest", none)
        when = f"{row['days']:g}" + (", later ones" if first else "")
        out.append(
            f"| {when} | {row['exchanges']:,} | {' | '.join(cells)} | {honest['members']:,}"
            f" | {honest['looked_at']:,} of {honest['accounts']:,} (at most"
            f" {upper(honest['looked_at'], honest['accounts']):.1e}) |"
        )
    return "\n".join(out)


if __name__ == "__main__":
    main()
