"""``stillwatch demo``: a whole loop, shown on a small scale."""

from __future__ import annotations

import os
from pathlib import Path

import click

from stillwatch.cli import offers
from stillwatch.cli.commands import SectionGroup, VerbCommand, general_options, json_option, option
from stillwatch.cli.edge import read_settings
from stillwatch.cli.terminal import print_json, progress, safe, show

FAILED = 1


@click.group(cls=SectionGroup, short_help="See a whole loop run on a small scale.")
def demo() -> None:
    """See a whole loop run: the real parts of stillwatch, with small models around them."""


@demo.command(
    cls=VerbCommand,
    short_help="A campaign is found, dyed, and named by the student that it taught.",
    examples=(
        ("stillwatch demo dye --out loop", "about two minutes on two quiet cores; open loop/dye.html"),
        ("stillwatch demo dye --out loop --scenario smoke --answers 500", "smaller and quicker"),
        ("stillwatch demo dye --out loop --on report", "with the campaigns of a scan that you have"),
    ),
)
@option("--out", "-o", required=True, metavar="FOLDER", type=click.Path(file_okay=False), section="Writing",
        help="New folder: traffic, report, gate, desk, log, what was served, dye.json and dye.html.")  # fmt: skip
@option("--seed", type=click.IntRange(min=1), default=7, show_default=True, section="Loop",
        help="Of traffic, keys, answers, students and tests: the same seed gives the same verdicts.")  # fmt: skip
@option("--scenario", default="demo_day", show_default=True, metavar="NAME", section="Loop",
        shell_complete=offers.scenarios, help="World of the lab in which campaigns are to be found.")  # fmt: skip
@option("--answers", type=click.IntRange(100, 20_000), default=1_000, show_default=True, metavar="N", section="Loop",
        help="What each campaign is served and each student is taught; few answers teach too little.")  # fmt: skip
@option("--on", "run", metavar="RUN", type=click.Path(exists=True, file_okay=False), section="Loop",
        help="Output folder of a scan that is there already; no world is made then.")  # fmt: skip
@json_option()
@general_options
def dye(
    out: str, seed: int, scenario: str, answers: int, run: str | None, as_json: bool, settings_path: str | None,
    quiet: bool,
) -> int:  # fmt: skip
    """Find campaigns, dye what they are served, train students, and ask every key ever issued who taught them.

    A student of each of the (at most two) largest campaigns; four that are innocent of them: taught by an honest
    customer's answers, by ours from before any key, by another laboratory's, by public text. The tests must name each
    campaign among 64 and nobody else. Exit status 1 when they do not.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices: more threads wait for each other
    from stillwatch.prove.pages import power_of_ten
    from stillwatch.wiring.dye_demo import Wish, demo_dye

    wish = Wish(Path(out), seed, scenario, answers, Path(run) if run else None)
    with progress(quiet=quiet) as told:
        found = demo_dye(wish, settings=read_settings(settings_path), progress=told)
    if as_json:
        print_json(found)
    elif not quiet:
        for one in found["students"]:
            named = ", ".join(one["campaigns"]) or "nobody"
            least = min(claim["log10_p_adjusted"] for claim in one["claims"])
            truth = "" if one["as_expected"] else "   NOT TRUE"
            show(f"{one['suspect']}, {safe(one['about'])}")
            show(f"  names {safe(named)}; smallest adjusted p {power_of_ten(least)}{truth}")
        show(f"\n{found['keys']} campaigns' keys tried; page: {safe(found['page'])}")
        show("result: every campaign named, everybody else cleared" if found["as_expected"]
             else "result: NOT as it should be; the page says what each test said")  # fmt: skip
    return 0 if found["as_expected"] else FAILED
