"""``stillwatch share report``: what an authority asks for, filled from a run or a case, every line with its source."""

from __future__ import annotations

from pathlib import Path

import click

from stillwatch.cli.commands import VerbCommand, debug_option, json_option, option, settings_option
from stillwatch.cli.edge import read_settings
from stillwatch.cli.evidence import case_number, case_of
from stillwatch.cli.terminal import print_json, safe, show

_FILE = click.Path(exists=True, dir_okay=False)


@click.command(
    "report",
    cls=VerbCommand,
    short_help="Fill a report for government.",
    examples=(
        (
            "stillwatch share report report --for assessment --facts gov.toml --out to-commerce",
            "H.R. 8283, section 4",
        ),
        ("stillwatch share report K-12 --for letter --facts gov.toml --out letter", "from a case"),
    ),
)
@click.argument("what", metavar="RUN|CASE", type=click.Path())
@option("--for", "form", required=True, type=click.Choice(("assessment", "entity-list", "letter")),
        section="What, and for whom", help="The fields of H.R. 8283 section 4; a fact sheet for the Entity List, which "
        "needs a person's attribution; a letter to a committee, without what is confidential.")  # fmt: skip
@option("--facts", required=True, metavar="FILE", type=_FILE, section="What, and for whom",
        help="Who reports to whom, and what people state, each with its source (TOML).")  # fmt: skip
@option("--campaign", "campaigns", multiple=True, metavar="ID", section="What, and for whom",
        help="Group of a run; unless named, all campaigns that no grant covers and nobody has cleared.")  # fmt: skip
@option("--case", "case_path", metavar="FILE", type=_FILE, section="What, and for whom",
        help="What people know: verdict, notices, attribution (TOML; as for `evidence build`).")  # fmt: skip
@option("--prices", metavar="FILE", type=_FILE, section="What, and for whom",
        help="Your prices, for figures of exposure (TOML).")  # fmt: skip
@option("--run", "beside", metavar="RUN", type=click.Path(exists=True, file_okay=False), section="A case",
        help="Folder of the case's newest scan, so that lines name its files and digests.")  # fmt: skip
@option("--as", "as_name", metavar="NAME", section="A case", help="Who you are, in the store of cases.")
@option("--db", metavar="URL", section="A case", help="Database of the store of cases.")
@option("--out", "-o", required=True, metavar="FOLDER", type=click.Path(file_okay=False), section="Writing",
        help="Folder for report.json, .md, .html and .pdf; must not exist.")  # fmt: skip
@json_option()
@settings_option()
@debug_option()
def report(
    what: str, form: str, facts: str, campaigns: tuple[str, ...], case_path: str | None, prices: str | None,
    beside: str | None, as_name: str | None, db: str | None, out: str, as_json: bool, settings_path: str | None,
) -> None:  # fmt: skip
    """Fill a report for government from the output folder of a scan, or from a case such as K-12.

    Each line carries its source: file, digest and query, or the document that a person names. Who is behind it is said
    only where a person wrote an attribution. Texts pass the outbound gate's rules. Nothing is sent: read it, have
    counsel read it, and seal it with `stillwatch evidence build --profile government --exhibit FOLDER/report.json`.
    """
    from stillwatch import wiring

    number = None if Path(what).is_dir() else case_number(what)
    if number is None and (db or beside or as_name):
        raise click.UsageError("--db, --run and --as belong to a case", click.get_current_context())
    if number is not None and campaigns:
        raise click.UsageError("a case is about one group: leave --campaign out", click.get_current_context())
    run = what if number is None else beside
    with case_of(number, settings_path, as_name, db, False) as stored:
        made = wiring.government_report(
            Path(run) if run else None, Path(out), form=form, told=Path(facts), stored=stored, campaigns=campaigns,
            case=Path(case_path) if case_path else None, prices=Path(prices) if prices else None,
            settings=read_settings(settings_path),
        )  # fmt: skip
    if as_json:
        print_json(made)
        return
    show(f"{safe(made['report'])}: {made['lines']} lines, {made['confidential']} of them owner-confidential")
    if made["left_out"]:
        show(f"{made['left_out']} confidential lines are left out")
    for name, why in made["not_reported"].items():
        show(f"not reported: {safe(name)}: {safe(why)}")
    for title in made["unknown"]:
        show(f"not known: {title}")
    if made["note"]:
        click.echo(f"note: {made['note']}", err=True)
    show("read it, and have counsel read it, before it goes anywhere")
