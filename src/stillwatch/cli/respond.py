"""``stillwatch respond``: the store on which people work, and the people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stillwatch.cli.at_desk import at_desk, desk_of, plain, seat
from stillwatch.cli.commands import (
    SectionGroup,
    VerbCommand,
    debug_option,
    json_option,
    option,
    settings_option,
)
from stillwatch.cli.terminal import print_json, safe, show

_FILE = click.Path(dir_okay=False)


@click.group(cls=SectionGroup, short_help="The store of cases: set up, people, backup, check.")
def respond() -> None:
    """Set up and look after the store of cases, plans, appeals and grants.

    By default a file of this folder, `stillwatch.db`; `respond.store` in the settings names another, or PostgreSQL.
    Whoever can read the store can act as anybody in it: guard it, and let others in through the console.
    """


def _bare(command: Any) -> Any:
    return json_option()(settings_option()(debug_option()(command)))


@respond.command(
    cls=VerbCommand,
    short_help="Set up a store with its first admin.",
    examples=(
        (
            "stillwatch respond init --admin adam",
            "then `stillwatch respond person ana --role analyst --as adam`",
        ),
    ),
)
@option("--admin", required=True, section="People", metavar="NAME", help="Name of the first person.")
@_bare
def init(admin: str, as_json: bool, settings_path: str | None) -> None:
    """Make the tables, and the first person: an admin, who adds the others."""
    with desk_of(settings_path) as (desk, _):
        from stillwatch import wiring

        found = wiring.set_up(desk, admin)
    print_json(found) if as_json else show(f"set up; {found['admin']} is its admin")


@respond.command(cls=VerbCommand, short_help="Bring the store up to date with this version.",
                 examples=(("stillwatch respond migrate", "after an update; take a backup before"),))  # fmt: skip
@_bare
def migrate(as_json: bool, settings_path: str | None) -> None:
    """Give the tables the form that this version works with. Doing it twice changes nothing."""
    with desk_of(settings_path) as (desk, _):
        from stillwatch import wiring

        found = wiring.bring_up_to_date(desk)
    print_json(found) if as_json else show(f"form {found['was'] or 'none'} -> {found['is']}")


@respond.command(
    cls=VerbCommand,
    short_help="Add somebody, change roles, or let somebody out.",
    examples=(
        ("stillwatch respond person ana --role analyst", "a new analyst"),
        ("stillwatch respond person ana --role analyst --role approver", "with these roles and no others"),
        ("stillwatch respond person ana --out", "may do nothing any more, and every session ends"),
        ("stillwatch respond person", "who is there"),
    ),
)
@click.argument("name", required=False)
@option("--role", "roles", multiple=True, section="People", help="May be given more than once.",
        type=click.Choice(["viewer", "analyst", "approver", "admin", "auditor"]))  # fmt: skip
@option("--out", "gone", is_flag=True, section="People", help="Let them out.")
@at_desk
def person(
    name: str | None,
    roles: tuple[str, ...],
    gone: bool,
    as_name: str | None,
    as_json: bool,
    settings_path: str | None,
) -> None:
    """Add NAME or change their roles; without NAME list everybody."""
    with seat(settings_path, as_name) as s:
        from stillwatch import wiring
        from stillwatch.records import Permission
        from stillwatch.respond import people

        if name is None:
            with s.desk.look(s.person) as work:
                work.need(Permission.CASE_READ)
                everybody = people.everybody(work.conn)
            if as_json:
                print_json(plain(everybody))
                return
            for p in everybody:
                show(f"{p.name}  {', '.join(sorted(p.roles)) or 'no role'}{'' if p.active else ' (out)'}")
            return
        if not roles and not gone:
            raise click.UsageError("name a role, or --out")
        found = wiring.put_person(s.desk, s.person, name, roles, active=not gone)
    if as_json:
        print_json(plain(found))
    else:
        show(f"{found.name}: {', '.join(sorted(found.roles)) or 'no role'}{'' if found.active else ' (out)'}")


@respond.command(cls=VerbCommand, short_help="Copy the whole store into one file.",
                 examples=(("stillwatch respond backup 2026-12-01.zip", "guard it as you do the store"),))  # fmt: skip
@click.argument("out", metavar="FILE", type=_FILE)
@at_desk
def backup(out: str, as_name: str | None, as_json: bool, settings_path: str | None) -> None:
    """Write a copy of everything, from one moment, into FILE; people may go on working."""
    with seat(settings_path, as_name) as s:
        from stillwatch import wiring

        found = wiring.back_up(s.desk, s.person, Path(out))
    if as_json:
        print_json(found)
    else:
        show(f"wrote {safe(out)}: {found['rows']:,} rows, {found['bytes']:,} bytes")


@respond.command(
    cls=VerbCommand,
    short_help="Fill an empty store from a copy.",
    examples=(("stillwatch respond restore 2026-12-01.zip --settings new.toml", "SQLite to PostgreSQL too"),),
)
@click.argument("source", metavar="FILE", type=_FILE)
@_bare
def restore(source: str, as_json: bool, settings_path: str | None) -> None:
    """Fill an empty store from FILE, whole or not at all; digests and the audit record are checked."""
    with desk_of(settings_path) as (desk, _):
        from stillwatch import wiring

        found = wiring.restore(desk, Path(source))
    print_json(found) if as_json else show(f"restored {found['rows']:,} rows")


@respond.command(
    cls=VerbCommand,
    short_help="Walk the audit record; print its head.",
    examples=(
        ("stillwatch respond check", "write the head down where the store's owner cannot change it"),
        ("stillwatch respond check --head 5f0c...", "the record still holds what it held then"),
    ),
)
@option(
    "--head",
    section="Checking",
    metavar="DIGEST",
    help="A head that was written down; it must lie on the chain.",
)
@_bare
def check(head: str | None, as_json: bool, settings_path: str | None) -> None:
    """Check that no line of the audit record was changed, removed or added, nor any that the log of evidence has
    sealed. Exit status 2 when it was."""
    with desk_of(settings_path) as (desk, settings):
        from stillwatch import wiring

        found = wiring.check_store(desk, head=head, settings=settings)
    if as_json:
        print_json(found)
        return
    show(f"{found['audit_lines']:,} audit lines hold; head {found['head']}")
    sealed = found["sealed"]
    if sealed is not None:
        show(f"the log has sealed {sealed['lines']:,} of them, to head {sealed['head'] or 'none'}")
