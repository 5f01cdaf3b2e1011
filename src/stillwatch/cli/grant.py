"""``stillwatch grant``: the registry of permitted distillation."""

from __future__ import annotations

import json
from pathlib import Path

import click

from stillwatch.cli.at_desk import at_desk, moment, plain, seat
from stillwatch.cli.commands import SectionGroup, VerbCommand, option
from stillwatch.cli.terminal import print_json, safe, show
from stillwatch.errors import ConfigError


@click.group(cls=SectionGroup, short_help="Grants: add, list, revoke, export.")
def grant() -> None:
    """Keep the registry of permitted distillation, evaluation, research, synthetic-data and reseller use.

    `stillwatch scan --grants` and `stillwatch policy publish --grants` read what `export` writes.
    """


@grant.command(
    cls=VerbCommand,
    short_help="Record a permission.",
    examples=(
        (
            "stillwatch grant add --org uni-1 --purpose research --until 2027-01-01",
            "every model, without a limit",
        ),
        (
            "stillwatch grant add --account a-1 --purpose distillation --model m-large --max-exchanges 100000"
            " --until 2026-12-31",
            "one model, so many exchanges",
        ),
    ),
)
@option("--account", section="Who", metavar="ID", help="Account.")
@option("--org", section="Who", metavar="ID", help="Organisation: all its accounts.")
@option("--purpose", required=True, section="What", help="What for.",
        type=click.Choice(["distillation", "evaluation", "research", "synthetic_data", "reseller"]))  # fmt: skip
@option("--model", "models", multiple=True, section="What", metavar="NAME", help="Else every model.")
@option("--max-exchanges", type=int, section="What", metavar="N", help="Else without limit.")
@option("--max-output-tokens", type=int, section="What", metavar="N", help="Else without limit.")
@option("--from", "valid_from", section="What", metavar="TIME", help="First moment; else now.")
@option(
    "--until",
    "valid_until",
    required=True,
    section="What",
    metavar="TIME",
    help="First moment without permission.",
)
@option("--note", default="", section="What", metavar="TEXT", help="Contract number and the like.")
@at_desk
def add(
    account: str | None, org: str | None, purpose: str, models: tuple[str, ...], max_exchanges: int | None,
    max_output_tokens: int | None, valid_from: str | None, valid_until: str, note: str, as_name: str | None,
    as_json: bool, settings_path: str | None,
) -> None:  # fmt: skip
    """Record that an account or an organisation may distil."""
    until, start = moment(valid_until), moment(valid_from) if valid_from else None
    with seat(settings_path, as_name) as s:
        from stillwatch.respond import granting

        with s.desk.work(s.person) as work:
            found = granting.add(
                work, account_id=account, org_id=org, purpose=purpose, models=models, valid_from=start or work.now,
                valid_until=until, max_exchanges=max_exchanges, max_output_tokens=max_output_tokens, note=note,
            )  # fmt: skip
    print_json(plain(found)) if as_json else show(f"added {found.grant_id}")


@grant.command(
    "list",
    cls=VerbCommand,
    short_help="List grants.",
    examples=(("stillwatch grant list --in-force", "those that hold now, those that end first in front"),),
)
@option("--account", default="", section="Choosing", metavar="ID", help="Of this account.")
@option("--org", default="", section="Choosing", metavar="ID", help="Of this organisation.")
@option("--in-force", is_flag=True, section="Choosing", help="Those that hold now.")
@at_desk
def list_(
    account: str, org: str, in_force: bool, as_name: str | None, as_json: bool, settings_path: str | None
) -> None:
    """List grants, those that end first in front."""
    with seat(settings_path, as_name) as s:
        from stillwatch.respond import granting

        with s.desk.look(s.person) as work:
            page = granting.listing(work, account_id=account, org_id=org, in_force=in_force, limit=1_000)
    if as_json:
        print_json(plain(page))
        return
    from stillwatch.cli.respond_words import when

    for g in page.rows:
        ended = f", revoked {when(g.revoked_at)}" if g.revoked_at else ""
        show(f"{g.grant_id}  {g.account_id or g.org_id}: {g.purpose}, {', '.join(g.models) or 'every model'}, "
             f"{when(g.valid_from)} to {when(g.valid_until)}{ended}; version {g.version}")  # fmt: skip
    show(f"{len(page.rows)} of {page.total:,}")


@grant.command(
    cls=VerbCommand,
    short_help="End a grant now.",
    examples=(
        (
            'stillwatch grant revoke GR-5f0c1d2e3a "the contract ended"',
            "what was served before stays covered",
        ),
    ),
)
@click.argument("grant_id", metavar="GRANT")
@click.argument("reason")
@at_desk
def revoke(grant_id: str, reason: str, as_name: str | None, as_json: bool, settings_path: str | None) -> None:
    """End GRANT now; it stays in the registry."""
    with seat(settings_path, as_name) as s:
        from stillwatch.respond import granting

        with s.desk.work(s.person) as work:
            found = granting.revoke(work, grant_id, reason, version=granting.get(work, grant_id).version)
    print_json(plain(found)) if as_json else show(f"revoked {found.grant_id}")


@grant.command(
    cls=VerbCommand,
    short_help="Write the registry for scans and gates.",
    examples=(
        ("stillwatch grant export grants.jsonl", "then `stillwatch scan logs/ --grants grants.jsonl ...`"),
    ),
)
@click.argument("out", metavar="FILE", type=click.Path(dir_okay=False))
@at_desk
def export(out: str, as_name: str | None, as_json: bool, settings_path: str | None) -> None:
    """Write every grant as JSON lines into FILE, which is replaced whole."""
    with seat(settings_path, as_name) as s:
        from stillwatch.respond import granting

        with s.desk.look(s.person) as work:
            rows = granting.export(work)
    path = Path(out)
    fresh = path.with_name(path.name + ".new")
    try:
        fresh.write_text("".join(json.dumps(plain(row), ensure_ascii=True, sort_keys=True) + "\n" for row in rows),
                         encoding="ascii")  # fmt: skip
        fresh.replace(path)
    except OSError as error:
        raise ConfigError(f"{out}: {(error.strerror or 'cannot be written').lower()}") from error
    if as_json:
        print_json({"file": out, "grants": len(rows)})
    else:
        click.echo(f"wrote {len(rows):,} grants to {safe(out)}", err=True)
