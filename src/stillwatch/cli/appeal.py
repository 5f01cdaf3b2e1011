"""``stillwatch appeal``: what affected customers say, decided by somebody who had no part."""

from __future__ import annotations

from pathlib import Path

import click

from stillwatch.cli.at_desk import at_desk, numbered, plain, seat
from stillwatch.cli.commands import SectionGroup, VerbCommand, option
from stillwatch.cli.terminal import print_json, progress, safe, show

_APPEAL = click.argument("number", metavar="APPEAL", callback=numbered("A"))


@click.group(cls=SectionGroup, short_help="Appeals: list, read, decide.")
def appeal() -> None:
    """Read and decide appeals. Customers file them by the link in their notice."""


@appeal.command(
    "list",
    cls=VerbCommand,
    short_help="List appeals and the overturn rate.",
    examples=(("stillwatch appeal list", "what waits for a decision, the oldest first"),
              ("stillwatch appeal list --state decided", "what was decided")),
)  # fmt: skip
@option("--state", type=click.Choice(["offered", "filed", "decided", "lapsed"]), default="filed", show_default=True,
        section="Choosing", help="Which.")  # fmt: skip
@option("--overdue", is_flag=True, section="Choosing", help="Only those that should have been decided.")
@option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=50,
    show_default=True,
    section="Choosing",
    help="Most lines.",
)
@at_desk
def list_(
    state: str, overdue: bool, limit: int, as_name: str | None, as_json: bool, settings_path: str | None
) -> None:
    """List appeals, those that are due first in front, and say how many actions did not stand."""
    with seat(settings_path, as_name) as s:
        from stillwatch.records import AppealState
        from stillwatch.respond import appeals, correcting

        with s.desk.work(s.person) as work:
            appeals.lapse(work)
            page = appeals.listing(work, states=(AppealState(state),), overdue=overdue, limit=limit)
            rate = correcting.overturned(work)
    if as_json:
        print_json(plain({"appeals": page, "overturned": rate}))
        return
    from stillwatch.cli.respond_words import appeal_table

    show(appeal_table(page.rows))
    show(f"{len(page.rows)} of {page.total:,}")
    if rate["decided"]:
        show(f"of {rate['decided']:,} decided, {rate['overturned']:,} did not stand: {rate['rate']:.1%} "
             f"({rate['low']:.1%} to {rate['high']:.1%}, 95 %)")  # fmt: skip


@appeal.command(
    "show",
    cls=VerbCommand,
    short_help="Read an appeal; every reading is on record.",
    examples=(("stillwatch appeal show A-7 --save documents/", "with what was handed in"),),
)
@_APPEAL
@option("--save", section="Writing", metavar="FOLDER", type=click.Path(file_okay=False),
        help="Write the documents here, under names of ours.")  # fmt: skip
@at_desk
def show_(
    number: int, save: str | None, as_name: str | None, as_json: bool, settings_path: str | None
) -> None:
    """Show what the customer was told, what they say, and what they handed in."""
    with seat(settings_path, as_name) as s:
        from stillwatch.respond import appeals

        with s.desk.work(s.person) as work:
            found = appeals.get(work, number)
            papers = appeals.documents(work.conn, number)
            contents = [appeals.content(work, d.document_id) for d in papers] if save else []
    if save:
        folder = Path(save)
        folder.mkdir(parents=True, exist_ok=True)
        for document, content in contents:
            path = folder / f"{found.id}-{document.document_id}-{document.name}"
            path.write_bytes(content)
            click.echo(f"wrote {safe(path)}", err=True)
    if as_json:
        print_json(plain({"appeal": found, "documents": papers}))
        return
    from stillwatch.cli.respond_words import when

    show(f"{found.id}  {found.account_id}: {found.measure} by P-{found.plan_number} (K-{found.case_number})")
    show(f"  {found.state}; filed {when(found.filed_at)}, due {when(found.due_at)}; version {found.version}")
    show(f"  told: {found.sentence} Families of evidence: {', '.join(found.families) or 'none'}.")
    for d in papers:
        show(f"  document {d.document_id}: {d.name}, {d.kind}, {d.media_type}, {d.size_bytes:,} bytes")
    show(f"\n{found.statement or '(nothing was said yet)'}")
    if found.outcome:
        show(f"\n{found.outcome} {when(found.decided_at)}: {found.answer}")


@appeal.command(
    cls=VerbCommand,
    short_help="Decide an appeal, and carry the decision out.",
    examples=(
        (
            'stillwatch appeal decide A-7 overturned "We were wrong: your contract covers this use."',
            "taken back at once",
        ),
        (
            'stillwatch appeal decide A-7 upheld "The keys were shared with forty other accounts."',
            "the action stands",
        ),
    ),
)
@_APPEAL
@click.argument("outcome", type=click.Choice(["upheld", "overturned", "eased"]))
@click.argument("answer")
@option("--version", "version", section="Checking", type=int, metavar="N",
        help="Refuse when it has changed since you read this version.")  # fmt: skip
@at_desk
def decide(
    number: int, outcome: str, answer: str, version: int | None, as_name: str | None, as_json: bool,
    settings_path: str | None,
) -> None:  # fmt: skip
    """Decide APPEAL; ANSWER goes to the customer. Whoever made, approved or ran the plan may not.

    `overturned`: the action was wrong. `eased`: it is taken back, what was seen is not disputed.
    """
    with seat(settings_path, as_name) as s, progress(quiet=as_json) as told:
        from stillwatch import wiring
        from stillwatch.records import Outcome
        from stillwatch.respond import appeals, outbox

        with s.desk.work(s.person) as work:
            seen = version or appeals.get(work, number).version
            found = appeals.decide(work, number, Outcome(outcome), answer, version=seen)
            plans = outbox.taking_back(work, found.account_id)
        ended = [wiring.run_plan(s.desk, s.person, n, settings=s.settings, progress=told) for n in plans]
    if as_json:
        steps = {one["plan"].id: one["steps"] for one in ended}
        print_json(plain({"appeal": found, "steps": steps.pop(f"P-{found.plan_number}"), "also": steps}))
    else:
        said = "; ".join(f"{one['plan'].id} is {one['plan'].state}" for one in ended)
        show(f"{found.id} {found.outcome}; {said}")
