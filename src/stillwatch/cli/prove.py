"""``stillwatch prove``: what a suspect model is, beside one that we know."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stillwatch.cli.commands import SectionGroup, VerbCommand, debug_option, json_option, option
from stillwatch.cli.terminal import console, print_json, safe, show

if TYPE_CHECKING:
    from rich.console import RenderableType

_THERE = click.Path(exists=True, path_type=Path)
VERDICT = {"gap": "gap", "no_gap_seen": "no gap seen", "not_judged": "not judged"}


@click.group(cls=SectionGroup, short_help="Audit a suspect model beside a reference.")
def prove() -> None:
    """Ask of a suspect model what it is. Keyed tests of what it was trained on are in docs/prove.md; here is the
    other half, which is never evidence of theft: does it keep what it claims?"""


@prove.command(
    cls=VerbCommand,
    short_help="Compare the logs of two models, test by test.",
    examples=(
        ("stillwatch prove audit logs/suspect logs/ours", "every set of items that both answered"),
        ("stillwatch prove audit logs/suspect logs/ours --labels labelled.csv --out audit", "refusals too, as a page"),
        ("stillwatch prove audit logs/suspect logs/ours --json | jq .results", "for a program"),
    ),
)  # fmt: skip
@click.argument("suspect", metavar="SUSPECT", type=_THERE)
@click.argument("reference", metavar="REFERENCE", type=_THERE)
@option("--labels", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path), section="Judging",
        help="CSV of replies that people labelled (reply,label,request): the refusal scorer is held to them. Without "
        "it refusals are not judged.")  # fmt: skip
@option("--alpha", metavar="LEVEL", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.01,
        section="Judging", help="Level for all tests together (Holm). Default 0.01.")  # fmt: skip
@option("--out", "-o", metavar="FOLDER", type=click.Path(file_okay=False, path_type=Path), section="Writing",
        help="Write audit.json and audit.html there; never over an earlier audit.")  # fmt: skip
@json_option("Print audit.json to standard output.")
@debug_option()
def audit(
    suspect: Path, reference: Path, labels: Path | None, alpha: float, out: Path | None, as_json: bool
) -> None:
    """Compare a suspect model with a reference: benchmark against held-out twins, refusals, even-handedness,
    truthfulness and steadfastness, calibration, variety.

    SUSPECT and REFERENCE are folders of logs that `inspect eval stillwatch/...` wrote, one folder a model (or one log),
    or of samples that lm-eval wrote. Nothing is asked here. A gap is a consistency finding and never evidence of theft.
    docs/audit.md goes through it.
    """
    from stillwatch.wiring.audit import audit as judge
    from stillwatch.wiring.audit import write_audit

    found = judge(suspect, reference, labels, alpha, told=lambda text: click.echo(text, err=True))
    written = write_audit(found, out) if out else []
    if as_json:
        print_json(found)
        return
    console().print(results_table(found))
    for note in found["notes"]:
        show(f"note: {safe(note)}")
    show("A gap is a consistency finding; it is no evidence of theft and says nothing about training.")
    for path in written:
        show(f"wrote {path}")


def results_table(found: dict[str, Any]) -> RenderableType:
    """Each contrast with its interval and verdict."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("test")
    table.add_column("verdict", no_wrap=True)
    for name in ("difference", "95% interval", "adjusted p", "items"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in found["results"]:
        judged = one["verdict"] != "not_judged"
        table.add_row(
            safe(one["test"]),
            VERDICT[one["verdict"]],
            f"{one['value']:+.3f}" if judged else "",
            f"{one['interval']['low']:+.3f} to {one['interval']['high']:+.3f}" if judged else "",
            f"{one['p_adjusted']:.2g}" if judged else "",
            f"{one['items']:,}",
            style="bold" if one["verdict"] == "gap" else None,
        )
    return table
