"""``stillwatch posture``: which controls hold here, with evidence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stillwatch.cli.commands import VerbCommand, general_options, json_option, option
from stillwatch.cli.edge import read_settings
from stillwatch.cli.terminal import print_json, progress, safe, show
from stillwatch.errors import ConfigError

if TYPE_CHECKING:
    from stillwatch.practice.posture import Judged

SOMETHING = 10
_FOLDER = click.Path(file_okay=False, exists=True)


@click.command(
    cls=VerbCommand,
    short_help="Say which controls hold here, with evidence.",
    examples=(
        (
            "stillwatch posture --run report --gate gate/",
            "settings, a run, a gate, the store of cases, the log",
        ),
        ("stillwatch posture --run report --gate gate/ --strict --json > posture.json", "for CI, as OSCAL"),
        ("stillwatch posture --policy policy.toml --only acc-2 --only fair-1", "two controls alone"),
    ),
)
@option(
    "--run",
    "run_dir",
    section="Reading",
    metavar="RUN",
    type=_FOLDER,
    help="Output folder of the newest scan.",
)
@option(
    "--gate", section="Reading", metavar="FOLDER", type=_FOLDER, help="Folder of a gate; else gateway.folder."
)
@option("--policy", section="Reading", metavar="POLICY", type=click.Path(dir_okay=False),
        help="Policy in force; else gateway.policy, else the one of the newest decision.")  # fmt: skip
@option("--share", "shares", multiple=True, section="Reading", metavar="DRAFT", type=_FOLDER,
        help="What was shared: a folder of `share draft`; may be given more than once.")  # fmt: skip
@option("--no-cases", is_flag=True, section="Reading", help="Do not look into the store of cases.")
@option(
    "--only",
    multiple=True,
    section="Judging",
    metavar="ID",
    help="This control; may be given more than once.",
)
@option("--max-age", type=click.FloatRange(min=0.0), default=7.0, show_default=True, section="Judging",
        metavar="DAYS", help="How old the newest exchange and the newest decision may be.")  # fmt: skip
@option("--strict", is_flag=True, section="Judging", help="What could not be seen counts as failing.")
@json_option("Print OSCAL assessment results to standard output.")
@general_options
def posture(
    run_dir: str | None, gate: str | None, policy: str | None, shares: tuple[str, ...], no_cases: bool,
    only: tuple[str, ...], max_age: float, strict: bool, as_json: bool, settings_path: str | None, quiet: bool,
) -> int:  # fmt: skip
    """Say which controls of the catalogue hold in this deployment, which do not and what to do, and which could not be
    seen. A control holds only with evidence: the facts that were looked at, their files and digests.

    Reads settings, policy, decision log, run, store of cases, evidence log and drafts; changes nothing, and asks
    nobody but a database that settings name.

    Exit status: 0 nothing fails; 10 something does (with --strict: or could not be seen); 2 unusable command line
    or settings.
    """
    from stillwatch import wiring

    settings = read_settings(settings_path)
    folder = gate or (settings.gateway.folder if Path(settings.gateway.folder).is_dir() else None)
    with progress(quiet=quiet or as_json) as told:
        places = wiring.Places(
            settings_file=Path(settings_path) if settings_path else None, policy=Path(policy) if policy else None,
            gate=Path(folder) if folder else None, run=Path(run_dir) if run_dir else None, cases=not no_cases,
            shares=tuple(map(Path, shares)),
        )  # fmt: skip
        judged = wiring.judge_posture(
            places, settings=settings, only=only, max_age_days=max_age, progress=told
        )
    if not judged:
        raise ConfigError("no control was looked at", hint="`stillwatch control list` shows them")
    if as_json:
        print_json(wiring.posture_results(judged))
    elif not quiet:
        show(page(judged))
    bad = {"fails", "unseen"} if strict else {"fails"}
    return SOMETHING if any(one.state.value in bad for one in judged) else 0


def page(judged: Sequence[Judged]) -> str:
    """A posture to read: what fails first, then what could not be seen, then what holds."""
    lines: list[str] = []
    titles = {"fails": "does not hold", "unseen": "could not be seen", "holds": "holds"}
    for state, title in titles.items():
        group = [one for one in judged if one.state.value == state]
        if group:
            lines += [f"{title}: {len(group)}", ""]
        for one in group:
            lines += [f"  {one.control.id:<7} {one.control.title}", f"          {safe(one.why)}"]
            lead = "if it is not there" if state == "unseen" else "do"
            lines += [f"          {lead}: {one.do}"] if one.do else []
            lines += [f"          {_fact(fact)}" for fact in one.evidence]
            lines.append("")
    lines.append("Nothing here says that a control works against somebody who knows it.")
    return "\n".join(lines)


def _fact(fact: object) -> str:
    key, value, file, digest, at = (getattr(fact, n) for n in ("key", "value", "file", "sha256", "at"))
    seen = " ".join(filter(None, (f"sha256 {digest[:12]}" if digest else "", at)))
    return safe(f"{key} = {value}  ({file}{', ' if seen else ''}{seen})")
