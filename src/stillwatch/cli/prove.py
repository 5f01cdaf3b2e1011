"""``stillwatch prove``: what a suspect model is, beside one that we know."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stillwatch.cli.commands import (
    SectionGroup,
    VerbCommand,
    debug_option,
    json_option,
    option,
    settings_option,
)
from stillwatch.cli.edge import read_settings
from stillwatch.cli.terminal import console, print_json, progress, safe, show
from stillwatch.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import RenderableType

_THERE = click.Path(exists=True, path_type=Path)
VERDICT = {"gap": "gap", "no_gap_seen": "no gap seen", "not_judged": "not judged"}


@click.group(cls=SectionGroup, short_help="Was a suspect model trained on our outputs; is it what it claims?")
def prove() -> None:
    """Two questions about a suspect model, kept apart. `suspect`: was it trained on our outputs, and on which
    campaign's (docs/prove.md)? `audit`: does it keep what it claims (docs/audit.md)? The second is never evidence for
    the first."""


@prove.command(
    cls=VerbCommand,
    short_help="Was a model trained on our outputs? By a plan that is fixed first.",
    examples=(
        (
            "stillwatch prove suspect plan.toml --out audit-7 --cost",
            "what it would cost and could see; asks nothing",
        ),
        (
            "stillwatch prove suspect plan.toml --out audit-7",
            "fix and log the plan, ask, judge; again to resume",
        ),
        (
            "stillwatch prove suspect plan.toml --out audit-7 --replay",
            "judge the transcripts again; asks nobody",
        ),
    ),
)
@click.argument("plan", metavar="PLAN", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@option("--out", "-o", metavar="FOLDER", type=click.Path(file_okay=False, path_type=Path), required=True,
        section="Writing", help="Folder of this audit: plan, transcripts, dossier. One folder a plan.")  # fmt: skip
@option("--cost", is_flag=True, section="Asking", help="Show what asking would cost at most, and stop.")
@option("--replay", is_flag=True, section="Asking", help="Ask nobody: judge the transcripts that are there.")
@option("--partial", is_flag=True, section="Judging",
        help="Judge although some prompts are open, which ends the asking; the dossier says how many.")  # fmt: skip
@option("--no-log", is_flag=True, section="Asking",
        help="Do not log the plan: nobody else can check that it was fixed first; the dossier says so.")  # fmt: skip
@option("--yes", "-y", is_flag=True, section="Asking", help="Do not ask before calls are made.")
@settings_option()
@json_option("Print dossier.json to standard output.")
@debug_option()
def suspect(
    plan: Path, out: Path, cost: bool, replay: bool, partial: bool, no_log: bool, yes: bool,
    settings_path: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Ask a suspect and control models, behind OpenAI-compatible endpoints or from their weights (a folder of Hugging
    Face, a GGUF file), and test every key ever issued on what they say, or on what they hold likeliest along texts of
    ours.

    PLAN is a TOML file (docs/prove.md shows one). Its digest goes into the evidence log before the first question.
    Transcripts are written as answers come: the same command goes on where it stopped, within the plan's budget. The
    dossier is a page, a JSON file, and a signature where a key of the role acquirer is kept. --replay needs neither
    endpoints nor weights. Section `dye` of the settings names where marking keys are.
    """
    from stillwatch.wiring import suspect as work

    settings = read_settings(settings_path)
    opened = work.open_plan(plan, settings, again=out if replay else None)
    if cost or not replay:
        price = work.cost(opened)
        if as_json and cost:
            print_json(price)
        else:
            _show_cost(price, err=as_json or not cost)
        if cost:
            return
    if not replay:
        if not yes and not (out / "plan.json").exists():
            click.confirm("Fix this plan and ask?", abort=True, err=True)
        work.commit(opened, out, settings, logged=not no_log)
        with progress(quiet=False) as told:
            left = work.ask(opened, out, told)
        if any(left.values()) and not partial:
            names = ", ".join(f"{safe(name)} {n:,}" for name, n in left.items() if n)
            raise ConfigError(
                f"some prompts are open: {names}",
                hint="run the same command to ask on, or judge what there is, once and for good, with --partial",
            )
    found = work.judge(opened, out, partial=partial)
    written = work.write_dossier(found, out, settings)
    if as_json:
        print_json(found)
        return
    show(safe(found["sentence"]))
    for campaign in found["campaigns"]:
        show(f"key that fired: {safe(campaign)}")
    for note in (*found["notes"], *found["claim"]["notes"]):
        show(f"note: {safe(note)}")
    show("What else explains it, and what this budget could have seen, is on the page.")
    for path in written:
        show(f"wrote {path}")


def _show_cost(price: dict[str, Any], err: bool) -> None:
    """What asking would cost at most."""
    share = price["smallest_share_seen"]
    seen = f"{100 * share:.1f}% of its training data" if share <= 1 else "nothing, even at 100%: ask more"
    kept = [f"kept       at most {n:,} MB of likeliest tokens" for n in [price.get("mb_kept_at_most")] if n]
    for line in (
        f"plan       {safe(price['plan'])} ({price['plan_sha256'][:16]})",
        f"keys       {price['keys']:,} to be tried",
        f"calls      {price['calls']:,} to {price['models']} models, budget {price['budget_calls']:,}; "
        f"at least {price['minutes_at_least']:g} minutes",
        f"tokens     {price['tokens_in']:,} in, at most {price['tokens_out_at_most']:,} out, by our tokeniser",
        f"price      at most {price['usd_at_most']:,.2f} USD",
        *kept,
        f"power      sees, with probability {price['power']}, a model of which our marked text was {seen}",
        f"           (effect at a share of one: {price['effect']}, {safe(price['effect_source'])})",
    ):
        click.echo(line, err=err)


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


@prove.command(
    cls=VerbCommand,
    short_help="Write held-out twins of a published benchmark.",
    examples=(
        ("stillwatch prove twins gsm8k.jsonl --out twins", "the same stories with other numbers"),
        ("stillwatch prove twins HumanEval.jsonl.gz --out twins --each 2", "functions under other names"),
    ),
)
@click.argument("items", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@option("--out", "-o", metavar="FOLDER", type=click.Path(file_okay=False, path_type=Path), required=True,
        section="Writing", help="Write TASK.jsonl, TASK_twin1.jsonl, ... there; never over files.")  # fmt: skip
@option("--each", metavar="N", type=click.IntRange(1, 8), default=2, section="Drawing",
        help="Twins of every item. Default 2.")  # fmt: skip
@option("--seed", metavar="N", type=click.IntRange(0), default=1, section="Drawing",
        help="Of every draw. Whoever knows it and the benchmark knows the twins. Default 1.")  # fmt: skip
@debug_option()
def twins(items: Path, out: Path, each: int, seed: int) -> None:
    """Write twins of published benchmark items that nobody has published: word problems with other numbers, options
    in another order, expressions with other leaves, functions under other names.

    For a harness that asks and judges by itself, such as lm-eval, and for code, whose answers must be run.
    `inspect eval stillwatch/benchmark_twins` needs no files: it draws its own. Nothing is run and nobody is asked.
    """
    from stillwatch.wiring.twins import write_twins

    written, have, without = write_twins(items, out, each, seed)
    show(
        f"{have:,} items have {each} twin{'s' * (each > 1)} each; {without:,} have none here and were left out"
    )
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
