"""``stillwatch plan``: act on a whole campaign, with others' approval, and take it back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from stillwatch.cli.at_desk import Seat, at_desk, numbered, plain, seat
from stillwatch.cli.commands import SectionGroup, VerbCommand, option
from stillwatch.cli.terminal import print_json, progress, show
from stillwatch.errors import SourceError

_PLAN = click.argument("number", metavar="PLAN", callback=numbered("P"))


@click.group(cls=SectionGroup, short_help="Takedown plans: make, approve, run, undo.")
def plan() -> None:
    """Act on a whole campaign: plan it, have it approved by others, carry it out, take it back."""


@plan.command(
    cls=VerbCommand,
    short_help="Plan a measure against the accounts of a case.",
    examples=(
        ("stillwatch plan make K-12 block", "a dry run: what would be done, and to whom"),
        (
            "stillwatch plan make K-12 block --by webhook --stages 0.01,0.1,1 --stage-wait 3600",
            "the surest accounts first, an hour between stages",
        ),
        (
            "stillwatch plan make K-12 block --by litellm --credentials keys.jsonl",
            'lines such as {"account_id": "a-1", "credential": "HASH"}',
        ),
    ),
)
@click.argument("case_number", metavar="CASE", callback=numbered("K"))
@click.argument("measure", type=click.Choice(["block", "verify", "throttle", "summarise", "observe"]))
@option("--by", "executor", type=click.Choice(["dry-run", "webhook", "litellm"]), default="dry-run", show_default=True,
        section="Doing", help="Who carries it out.")  # fmt: skip
@option("--account", "accounts", multiple=True, section="Doing", metavar="ID",
        help="Only these members; may be given more than once.")  # fmt: skip
@option("--stages", default="1", show_default=True, section="Doing", metavar="SHARES",
        help="Shares of accounts, rising to 1.")  # fmt: skip
@option(
    "--stage-wait", type=float, default=0.0, section="Doing", metavar="SECONDS", help="Time between stages."
)
@option("--credentials", section="Doing", metavar="FILE", type=click.Path(dir_okay=False),
        help="JSON lines of account_id and credential: keys to revoke, by digest.")  # fmt: skip
@option("--reason", default="", section="Telling", metavar="CODE",
        help="Reason code of the notice; else campaign_member or pool_member, as the case is.")  # fmt: skip
@option("--say", default="", section="Telling", metavar="TEXT", help="Sentence in place of the reason's own.")
@option("--without-notices", is_flag=True, section="Telling", help="You tell the customers in another way.")
@at_desk
def make(
    case_number: int, measure: str, executor: str, accounts: tuple[str, ...], stages: str, stage_wait: float,
    credentials: str | None, reason: str, say: str, without_notices: bool, as_name: str | None, as_json: bool,
    settings_path: str | None,
) -> None:  # fmt: skip
    """Plan MEASURE against the firm members of CASE. Nothing is done until others have approved and somebody runs it.

    Accounts with a grant, accounts found innocent and those that have left are left out, and counted.
    """
    try:
        shares = tuple(float(part) for part in stages.split(","))
    except ValueError as error:
        raise click.BadParameter("shares such as 0.01,0.1,1 are needed", param_hint="--stages") from error
    keys = _credentials(Path(credentials)) if credentials else None
    with seat(settings_path, as_name) as s:
        from stillwatch import wiring
        from stillwatch.records import Measure
        from stillwatch.respond.planning import Wanted

        wanted = Wanted(
            Measure(measure), executor, reason, say, shares, stage_wait, not without_notices, accounts, keys
        )
        found = wiring.make_plan(s.desk, s.person, case_number, wanted, settings=s.settings)
        _show(s, found.number, as_json)


def _credentials(path: Path) -> dict[str, list[str]]:
    out: dict[str, list[str]] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(
            str(path), "cannot be read", hint="JSON lines of account_id and credential"
        ) from error
    for place, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            account, key = row["account_id"], row["credential"]
        except (ValueError, KeyError, TypeError) as error:
            raise SourceError(f"{path}:{place}", "not a line of account_id and credential",
                              hint='{"account_id": "a-1", "credential": "HASH"}') from error  # fmt: skip
        if not (isinstance(account, str) and isinstance(key, str) and 0 < len(key) <= 512):
            raise SourceError(
                f"{path}:{place}", "account_id and credential must be text", hint="at most 512 characters"
            )
        out.setdefault(account, []).append(key)
    return out


@plan.command(
    "show",
    cls=VerbCommand,
    short_help="Show a plan, or list them.",
    examples=(
        ("stillwatch plan show", "all plans"),
        ("stillwatch plan show P-3", "one, with its digest, its progress and whom it is about"),
        ("stillwatch plan show P-3 --from 1001 --most 1000", "a further part of what it does to whom"),
    ),
)
@click.argument("number", metavar="[PLAN]", required=False, callback=numbered("P"))
@option("--from", "first", type=click.IntRange(1), default=1, show_default=True, section="Showing", metavar="N",
        help="First step of the list of accounts.")  # fmt: skip
@option("--most", type=click.IntRange(1, 10_000), default=20, show_default=True, section="Showing", metavar="N",
        help="Steps of that list.")  # fmt: skip
@at_desk
def show_(
    number: int | None, first: int, most: int, as_name: str | None, as_json: bool, settings_path: str | None
) -> None:  # fmt: skip
    """Show one plan: what it may cost the innocent, approvals, how far it is and whom it is about; or list all."""
    with seat(settings_path, as_name) as s:
        if number is not None:
            _show(s, number, as_json, first, most)
            return
        from stillwatch.respond import planning

        with s.desk.look(s.person) as work:
            page = planning.listing(work, limit=200)
    if as_json:
        print_json(plain(page))
        return
    from stillwatch.cli.respond_words import plan_table

    show(plan_table(page.rows))


def _show(s: Seat, number: int, as_json: bool, first: int = 1, most: int = 20) -> None:
    from stillwatch.respond import people, planning

    with s.desk.look(s.person) as work:
        found = planning.read(work, number)
        agreed, steps = planning.approvals(work, number), planning.progress(work, number)
        whom = planning.plan_accounts(work, number, offset=first - 1, limit=most)
        names = {p.person_id: p.name for p in people.everybody(work.conn)}
    if as_json:
        print_json(plain({"plan": found, "approvals": agreed, "steps": steps, "accounts": whom}))
        return
    from stillwatch.cli.respond_words import plan_lines

    show(plan_lines(found, agreed, steps, names, whom))


@plan.command(
    cls=VerbCommand,
    short_help="Agree to a plan, refuse it, or withdraw it.",
    examples=(
        ("stillwatch plan approve P-3 --digest 5f0c1d2e", "agree to exactly what you saw"),
        ('stillwatch plan approve P-3 --digest 5f0c1d2e --refuse "too many strangers"', "it is dropped"),
    ),
)
@_PLAN
@option("--digest", section="Checking", metavar="DIGITS", help="First 8 digits or more of the plan's digest.")
@option("--refuse", section="Deciding", metavar="REASON", help="Refuse it: it is dropped.")
@option("--withdraw", is_flag=True, section="Deciding", help="Withdraw a plan that has not been run.")
@option("--note", default="", section="Deciding", metavar="TEXT", help="Kept with your approval.")
@at_desk
def approve(
    number: int, digest: str | None, refuse: str | None, withdraw: bool, note: str, as_name: str | None, as_json: bool,
    settings_path: str | None,
) -> None:  # fmt: skip
    """Agree to PLAN. Nobody agrees to a plan of their own; large plans need two people."""
    if not withdraw and digest is None:
        raise click.UsageError("--digest is needed: it says which plan you saw")
    with seat(settings_path, as_name) as s:
        from stillwatch.respond import planning

        with s.desk.work(s.person) as work:
            version = planning.read(work, number).version
            if withdraw:
                planning.drop(work, number, version=version)
            else:
                planning.approve(work, number, agreed=refuse is None, digest=digest or "", note=refuse or note,
                                 version=version)  # fmt: skip
        _show(s, number, as_json)


@plan.command(
    "run",
    cls=VerbCommand,
    short_help="Carry a plan out, or go on with it.",
    examples=(
        ("stillwatch plan run P-3", "again after any ending: nothing is done twice"),
        ("stillwatch plan run P-3 --failed", "try what failed once more"),
    ),
)
@_PLAN
@option("--failed", is_flag=True, section="Doing", help="Try again what was refused or given up.")
@option("--quiet", "-q", is_flag=True, section="General", help="No progress.")
@at_desk
def run_(
    number: int, failed: bool, quiet: bool, as_name: str | None, as_json: bool, settings_path: str | None
) -> None:
    """Carry out what PLAN has left to do. Safe to repeat, whatever ended the last run.

    Exit status: 0 finished; 10 some steps failed; 0 with a time when a later stage is due.
    """
    with seat(settings_path, as_name) as s, progress(quiet=quiet or as_json) as told:
        from stillwatch import wiring

        found = wiring.run_plan(
            s.desk, s.person, number, settings=s.settings, progress=told, again_failed=failed
        )
    _done(found, as_json)


@plan.command(
    cls=VerbCommand,
    short_help="Take back what a plan did.",
    examples=(
        ('stillwatch plan undo P-3 "the card belongs to a university"', "everything, at once"),
        ('stillwatch plan undo P-3 "ours" --account a-17', "one account"),
    ),
)
@_PLAN
@click.argument("reason")
@option("--account", "accounts", multiple=True, section="Doing", metavar="ID", help="Only these; else all.")
@option("--quiet", "-q", is_flag=True, section="General", help="No progress.")
@at_desk
def undo(
    number: int, reason: str, accounts: tuple[str, ...], quiet: bool, as_name: str | None, as_json: bool,
    settings_path: str | None,
) -> None:  # fmt: skip
    """Take back everything that PLAN did, in the order it was done, and withdraw its tripwires.

    When it is interrupted, `stillwatch plan run PLAN` goes on with it.
    """
    with seat(settings_path, as_name) as s, progress(quiet=quiet or as_json) as told:
        from stillwatch import wiring

        found = wiring.undo_plan(
            s.desk, s.person, number, reason, accounts=accounts, settings=s.settings, progress=told
        )
    _done(found, as_json)


def _done(found: dict[str, Any], as_json: bool) -> None:
    failed = sum(by.get("failed", 0) for by in found["steps"].values())
    if as_json:
        print_json(plain(found))
    else:
        from stillwatch.cli.respond_words import when

        show(f"{found['plan'].id} is {found['plan'].state}")
        for kind, by in found["steps"].items():
            show(f"  {kind}: " + ", ".join(f"{n:,} {state}" for state, n in sorted(by.items())))
        if found["due"] is not None:
            show(f"more is due at {when(found['due'])} UTC: run it again then")
    if failed:
        click.get_current_context().exit(10)
