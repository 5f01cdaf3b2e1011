"""``stillwatch case``: the human file on a campaign."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from stillwatch.cli.at_desk import at_desk, numbered, plain, seat
from stillwatch.cli.commands import SectionGroup, VerbCommand, option
from stillwatch.cli.terminal import print_json, progress, safe, show

_CASE = click.argument("number", metavar="CASE", callback=numbered("K"))
_VERSION = option("--version", "version", section="Checking", type=int, metavar="N",
                  help="Refuse when the case has changed since you saw this version.")  # fmt: skip


@click.group(cls=SectionGroup, short_help="Cases: look, assign, note, close.")
def case() -> None:
    """Work on cases: one for each campaign or pool, kept from scan to scan.

    Needs a store (`stillwatch respond init`) and the extra `respond`.
    """


@case.command(
    "import",
    cls=VerbCommand,
    short_help="File a scan's output under cases.",
    examples=(("stillwatch case import report", "after every scan, in the order of time"),),
)
@click.argument("run_dir", metavar="RUN", type=click.Path(file_okay=False))
@at_desk
def import_(run_dir: str, as_name: str | None, as_json: bool, settings_path: str | None) -> None:
    """File every campaign and pool of RUN: cases go on, split, merge or come back, and new ones are opened.

    Filing the same run again changes nothing.
    """
    with seat(settings_path, as_name) as s, progress(quiet=as_json) as told:
        from stillwatch import wiring

        found = wiring.import_run(s.desk, s.person, Path(run_dir), progress=told)
    if as_json:
        print_json(plain(found))
        return
    if found.already:
        show(f"run {found.run_id[:12]} was filed before; nothing has changed")
    for f in found.filed:
        back = (
            f"; may be a return of {', '.join(f'K-{k}' for k in f.returned_from)}" if f.returned_from else ""
        )
        trip = f"; {f.tripwires} accounts on tripwires" if f.tripwires else ""
        show(f"K-{f.case_number}  {f.relation}: {f.campaign_id}, {f.account_count:,} accounts, {f.joined:,} joined, "
             f"{f.left:,} left{'; opened again' if f.reopened else ''}{back}{trip}")  # fmt: skip
    if found.refused:
        click.echo(f"note: {found.refused:,} accounts have ids that are too long and were left out", err=True)


@case.command(
    "list",
    cls=VerbCommand,
    short_help="List cases.",
    examples=(
        ("stillwatch case list", "what is open or being worked on"),
        ("stillwatch case list --state closed --order accounts", "closed ones, the largest first"),
        ("stillwatch case list --account acct-4711", "every case of an account"),
    ),
)
@option("--state", "states", multiple=True, type=click.Choice(["open", "working", "closed"]), section="Choosing",
        help="May be given more than once; else open and working.")  # fmt: skip
@option("--mine", is_flag=True, section="Choosing", help="Assigned to you.")
@option("--account", section="Choosing", metavar="ID", help="Cases that have this account, in any state.")
@option("--words", section="Choosing", metavar="TEXT", help="Part of the title.")
@option("--order", type=click.Choice(["changed", "opened", "accounts", "exchanges"]), default="changed",
        show_default=True, section="Choosing", help="What comes first.")  # fmt: skip
@option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=50,
    show_default=True,
    section="Choosing",
    help="Most lines.",
)
@option("--offset", type=click.IntRange(0), default=0, section="Choosing", help="Lines to pass over.")
@at_desk
def list_(
    states: tuple[str, ...], mine: bool, account: str | None, words: str | None, order: str, limit: int, offset: int,
    as_name: str | None, as_json: bool, settings_path: str | None,
) -> None:  # fmt: skip
    """List cases, the newest change first."""
    with seat(settings_path, as_name) as s:
        from stillwatch.records import CaseState
        from stillwatch.respond import cases, people

        wanted = cases.CaseFilter(
            states=tuple(map(CaseState, states or (() if account else ("open", "working")))),
            assignee=s.person.person_id if mine else None, words=words or "", account_id=account or "",
        )  # fmt: skip
        with s.desk.look(s.person) as work:
            page = cases.listing(work, wanted, order=order, offset=offset, limit=limit)  # type: ignore[arg-type]  # click lets no other order in
            names = {p.person_id: p.name for p in people.everybody(work.conn)}
    if as_json:
        print_json(plain(page))
        return
    from stillwatch.cli.respond_words import case_table

    show(case_table(page.rows, names))
    show(f"{len(page.rows)} of {page.total:,}")


@case.command(
    "show",
    cls=VerbCommand,
    short_help="Show a case: evidence, accounts, timeline.",
    examples=(
        ("stillwatch case show K-12", "head, lineage, timeline, the surest accounts"),
        ("stillwatch case show K-12 --csv accounts.csv", "every account, for a spreadsheet"),
    ),
)
@_CASE
@option("--accounts", "most", type=click.IntRange(0, 10_000), default=10, show_default=True, section="Choosing",
        help="Accounts to list.")  # fmt: skip
@option("--csv", "csv_path", section="Writing", metavar="FILE", type=click.Path(dir_okay=False),
        help="Write all accounts; cells cannot act as formulas. `-` is standard output.")  # fmt: skip
@at_desk
def show_(
    number: int,
    most: int,
    csv_path: str | None,
    as_name: str | None,
    as_json: bool,
    settings_path: str | None,
) -> None:
    """Show what is known about CASE, what has been done, and by whom."""
    with seat(settings_path, as_name) as s:
        from stillwatch.respond import cases, people

        with s.desk.look(s.person) as work:
            if csv_path:
                count = _csv(work, number, csv_path)
                click.echo(f"wrote {count:,} accounts to {safe(csv_path)}", err=True)
                return
            found = cases.get(work, number)
            page = cases.accounts(work, number, limit=most)
            line = cases.timeline(work, number, limit=1000)
            seen, links = cases.sightings(work, number), cases.links(work, number)
            evidence = cases.findings(work, number, found.run_id)
            names = {p.person_id: p.name for p in people.everybody(work.conn)}
    if as_json:
        print_json(plain({"case": found, "accounts": page, "timeline": line.rows, "sightings": seen, "links": links,
                          "findings": evidence}))  # fmt: skip
        return
    from stillwatch.cli.respond_words import case_lines, when

    show(case_lines(found, names))
    for f in evidence:
        show(
            f"  {f['family']}: {f['trait']}, {f['effect']:g} {f['unit']}; looks alike: {', '.join(f['looks_alike'])}"
        )
    for k in links:
        fallen = " (withdrawn)" if k.withdrawn_at else ""
        show(f"  K-{k.case_number} {k.relation} K-{k.other}: {', '.join(k.grounds)}{fallen}")
    show("")
    for a in page.rows:
        show(f"  {a.account_id}  {a.tier}, {a.membership_bits:.0f} bits, {a.exchange_count:,} exchanges"
             f"{'' if a.present else ', gone'}")  # fmt: skip
    show(f"  {len(page.rows)} of {page.total:,} accounts\n")
    for e in line.rows:
        show(f"  {when(e.at)}  {names.get(e.person_id or 0, 'stillwatch')}  {e.kind}  {e.text}"
             f"{f'  ({e.hours:g} hours)' if e.hours else ''}")  # fmt: skip


def _csv(work: object, number: int, path: str) -> int:
    from stillwatch.respond import cases, sheets
    from stillwatch.respond.work import Work

    assert isinstance(work, Work)  # noqa: S101
    header = ("account_id", "tier", "membership_bits", "extraction_share", "exchange_count", "first_seen", "last_seen",
              "present", "reasons")  # fmt: skip

    def rows() -> Iterator[tuple[object, ...]]:
        offset = 0
        while (page := cases.accounts(work, number, order="account", offset=offset, limit=5_000)).rows:
            for a in page.rows:
                yield (a.account_id, a.tier, a.membership_bits, a.extraction_share, a.exchange_count, a.first_seen,
                       a.last_seen, a.present, "; ".join(a.reasons))  # fmt: skip
            offset += len(page.rows)

    cases.get(work, number)
    if path == "-":
        return sheets.write(sys.stdout, header, rows())
    with Path(path).open("x", encoding="utf-8", newline="") as sink:
        return sheets.write(sink, header, rows())


@case.command(
    "open",
    cls=VerbCommand,
    short_help="Open a case by hand.",
    examples=(
        ('stillwatch case open "Relay seen by support" --account a-1 --account a-2', "without a scan"),
    ),
)
@click.argument("title")
@option(
    "--account",
    "accounts",
    multiple=True,
    section="Subject",
    metavar="ID",
    help="May be given more than once.",
)
@at_desk
def open_(
    title: str, accounts: tuple[str, ...], as_name: str | None, as_json: bool, settings_path: str | None
) -> None:
    """Open a case that no scan has found."""
    with seat(settings_path, as_name) as s:
        from stillwatch.respond import cases

        with s.desk.work(s.person) as work:
            found = cases.open_by_hand(work, title, accounts)
    print_json(plain(found)) if as_json else show(f"opened {found.id}")


@case.command(
    cls=VerbCommand,
    short_help="Give a case to somebody.",
    examples=(
        ("stillwatch case assign K-12 ana", "to ana"),
        ("stillwatch case assign K-12 nobody", "back to the pile"),
    ),
)
@_CASE
@click.argument("to", metavar="NAME")
@_VERSION
@at_desk
def assign(
    number: int, to: str, version: int | None, as_name: str | None, as_json: bool, settings_path: str | None
) -> None:
    """Give CASE to NAME, or to `nobody`."""
    with seat(settings_path, as_name) as s:
        from stillwatch.respond import cases, people

        with s.desk.work(s.person) as work:
            whom = None if to == "nobody" else people.by_name(work.conn, to).person_id
            found = cases.assign(work, number, whom, version=version or cases.get(work, number).version)
    print_json(plain(found)) if as_json else show(f"{found.id} is {found.state}; version {found.version}")


@case.command(
    cls=VerbCommand,
    short_help="Add a note, and the hours it took.",
    examples=(
        ('stillwatch case note K-12 "asked the customer" --hours 0.5', "hours count as loss in court"),
    ),
)
@_CASE
@click.argument("text")
@option("--hours", type=float, default=0.0, section="Writing", metavar="H", help="Investigator hours.")
@at_desk
def note(
    number: int, text: str, hours: float, as_name: str | None, as_json: bool, settings_path: str | None
) -> None:
    """Add TEXT to the timeline of CASE."""
    with seat(settings_path, as_name) as s:
        from stillwatch.respond import cases

        with s.desk.work(s.person) as work:
            found = cases.note(work, number, text, hours=hours)
    print_json(plain(found)) if as_json else show(f"noted on K-{number}")


@case.command(
    cls=VerbCommand,
    short_help="Close a case with a verdict, or reopen it.",
    examples=(
        (
            'stillwatch case close K-12 true_positive "card fraud ring, confirmed by the bank"',
            "with the reason",
        ),
        ('stillwatch case close K-12 --reopen "the bank was wrong"', "open it again"),
    ),
)
@_CASE
@click.argument("verdict", required=False,
                type=click.Choice(["true_positive", "benign_positive", "false_positive", "undetermined"]))  # fmt: skip
@click.argument("reason", required=False)
@option("--reopen", section="Writing", metavar="REASON", help="Open it again.")
@_VERSION
@at_desk
def close(
    number: int, verdict: str | None, reason: str | None, reopen: str | None, version: int | None, as_name: str | None,
    as_json: bool, settings_path: str | None,
) -> None:  # fmt: skip
    """Close CASE with a verdict and a REASON.

    A false positive makes its accounts honest ones, withdraws what rested on them, and is refused while one of them is
    under a measure.
    """
    if (reopen is None) == (verdict is None or reason is None):
        raise click.UsageError("give a verdict and a reason, or --reopen")
    with seat(settings_path, as_name) as s:
        from stillwatch.records import Verdict
        from stillwatch.respond import cases

        with s.desk.work(s.person) as work:
            seen = version or cases.get(work, number).version
            if reopen is not None:
                found = cases.reopen(work, number, reopen, version=seen)
            else:
                found = cases.close(work, number, Verdict(verdict or ""), reason or "", version=seen)
    print_json(plain(found)) if as_json else show(f"{found.id} is {found.state}")


@case.command(
    cls=VerbCommand,
    short_help="List accounts that people found innocent.",
    examples=(("stillwatch case innocent > honest.jsonl", "JSON lines, to fit baselines on"),),
)
@at_desk
def innocent(as_name: str | None, as_json: bool, settings_path: str | None) -> None:
    """Write every account that was found innocent, with case, appeal, time and reason, as JSON lines.

    Lineage, tripwires and plans pass over them already.
    """
    import json

    with seat(settings_path, as_name) as s:
        from stillwatch.respond import correcting

        with s.desk.look(s.person) as work:
            rows = correcting.honest_accounts(work)
    if as_json:
        print_json(plain(rows))
        return
    for row in rows:
        click.echo(json.dumps(plain(row), ensure_ascii=True, sort_keys=True))
