"""``stillwatch policy``: check, explain, try out, publish, and switch off the rules of live decisions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stillwatch.cli import offers
from stillwatch.cli.commands import (
    SectionGroup,
    VerbCommand,
    debug_option,
    general_options,
    json_option,
    option,
    settings_option,
)
from stillwatch.cli.edge import read_settings
from stillwatch.cli.terminal import print_json, progress, safe, show

_FOLDER = click.Path(file_okay=False)
_POLICY = click.argument("policy_path", required=False, metavar="[POLICY]", type=click.Path(dir_okay=False))


def _context(command: Any) -> Any:
    """What is known about accounts besides the run."""
    grants_help = "Permissions to distil (TOML or JSONL)."
    accounts_help = "Account table: verification, plan, programme; may be given more than once."
    file: dict[str, Any] = {"section": "Context", "metavar": "FILE", "shell_complete": offers.paths}
    command = option("--grants", help=grants_help, **file)(command)
    return option("--accounts", multiple=True, help=accounts_help, **file)(command)


def _target(command: Any) -> Any:
    """Where gates take what is published from."""
    store_help = "Give it to the server that protect.store names; every replica takes it from there."
    command = option("--to-store", section="Writing", is_flag=True, help=store_help)(command)
    return option("--into", section="Writing", metavar="FOLDER", type=_FOLDER, help="Folder of the gate.")(
        command
    )


def _not_logged(found: dict[str, Any]) -> None:
    """What gates were given is in force; that the log does not know of it is said."""
    if found["not_logged"]:
        click.echo(
            f"warning: it is in force, and not in the log of evidence: {safe(found['not_logged'])}", err=True
        )


@click.group(cls=SectionGroup, short_help="Check, try out and publish the policy of live decisions.")
def policy() -> None:
    """Check, explain, try out and publish the policy by which a gateway decides on live requests.

    Where POLICY is not given, the policy that ships with stillwatch is meant: it records and does nothing else.
    """


@policy.command(
    "show",
    cls=VerbCommand,
    short_help="Print the policy that ships, to start from.",
    examples=(("stillwatch policy show > policy.toml", "a policy of your own to change"),),
)
@debug_option()
def show_shipped() -> None:
    """Print the policy that ships with stillwatch, with comments."""
    from stillwatch import wiring

    click.echo(safe(wiring.show_policy(), keep="\n"), nl=False)


@policy.command(
    cls=VerbCommand,
    short_help="Say whether a policy loads, and what it says.",
    examples=(
        ("stillwatch policy check policy.toml", "before a gate reads it"),
        ("stillwatch policy check policy.toml --json | jq -r .digest", "what is stamped on its decisions"),
    ),
)
@_POLICY
@json_option()
@debug_option()
def check(policy_path: str | None, as_json: bool) -> None:
    """Say whether a policy loads, list its rules in order, and print its notices.

    Exit status: 0 it loads; 2 it does not, and the file, line and rule are named.
    """
    from stillwatch import wiring

    found = wiring.check_policy(policy_path)
    if as_json:
        print_json(found)
        return
    from stillwatch.cli.policy_words import checked

    for text in found["notices"]:
        click.echo(f"notice: {safe(text)}", err=True)
    show(checked(found))


@policy.command(
    cls=VerbCommand,
    short_help="Say what an account would be answered, and why.",
    examples=(
        (
            "stillwatch policy explain policy.toml --account acct-4711 --on report",
            "from the output of a scan",
        ),
        (
            "stillwatch policy explain policy.toml --account acct-4711 --gate gate/ --model m-large",
            "from what a running gate has, for one model",
        ),
    ),
)
@_POLICY
@option("--account", required=True, section="Subject", metavar="ID", help="Account to explain.")
@option("--model", section="Subject", metavar="NAME", default="", help="Model of the imagined request.")
@option(
    "--operation", section="Subject", metavar="NAME", default="chat", show_default=True, help="Its operation."
)
@option(
    "--verification",
    section="Subject",
    metavar="LEVEL",
    help="The account's verification, when no table says.",
)
@option("--on", "run_dir", section="Context", metavar="RUN", type=_FOLDER, help="Output folder of a scan.")
@option("--gate", "gate_dir", section="Context", metavar="FOLDER", type=_FOLDER, help="Folder of a gate.")
@_context
@json_option()
@settings_option()
@debug_option()
def explain(
    policy_path: str | None, account: str, model: str, operation: str, verification: str | None,
    run_dir: str | None, gate_dir: str | None, accounts: tuple[str, ...], grants: str | None, as_json: bool,
    settings_path: str | None,
) -> None:  # fmt: skip
    """Say what one plain request of an account would be answered now, which rules fit, and what others miss.

    Live signals need live traffic: they are silent here.
    """
    from stillwatch import wiring

    found = wiring.explain_policy(
        policy_path, account, run=Path(run_dir) if run_dir else None, folder=Path(gate_dir) if gate_dir else None,
        accounts=accounts, grants=grants, model=model, operation=operation, verification=verification,
        settings=read_settings(settings_path),
    )  # fmt: skip
    if as_json:
        print_json(found)
        return
    from stillwatch.cli.policy_words import explained

    show(explained(found))


@policy.command(
    cls=VerbCommand,
    short_help="Replay recorded exchanges: who would have been touched?",
    examples=(
        (
            "stillwatch policy simulate policy.toml --on report --exchanges logs/ --accounts accounts.parquet",
            "as if enforced, beside the policy that ships",
        ),
        (
            "stillwatch policy simulate new.toml --on report --exchanges logs/ --in-force policy.toml",
            "beside the policy in force",
        ),
    ),
)
@_POLICY
@option("--on", "run_dir", required=True, section="Context", metavar="RUN", type=_FOLDER,
        help="Output folder of a scan.")  # fmt: skip
@option("--exchanges", multiple=True, section="Context", metavar="INPUT", shell_complete=offers.paths,
        help="Logs to replay; without them every account sends one plain request.")  # fmt: skip
@option("--format", "-f", section="Context", metavar="NAME", shell_complete=offers.formats,
        help="Log format, when it is not recognised.")  # fmt: skip
@_context
@option("--in-force", section="Comparing", metavar="POLICY", type=click.Path(dir_okay=False),
        help="Policy to hold it against; else the one that ships.")  # fmt: skip
@option("--as-written", section="Comparing", is_flag=True,
        help="Keep the candidate's shadow and canary modes; else it is taken as enforced.")  # fmt: skip
@json_option()
@general_options
def simulate(
    policy_path: str | None, run_dir: str, exchanges: tuple[str, ...], format: str | None,
    accounts: tuple[str, ...], grants: str | None, in_force: str | None, as_written: bool, as_json: bool,
    settings_path: str | None, quiet: bool,
) -> None:  # fmt: skip
    """Replay recorded exchanges through a policy and through the one in force, and say whom each touches.

    Prints accounts by action, by rule and by segment, and how many of the touched are innocent as far as the
    run lets one say. Nothing is written and nobody is touched.
    """
    from stillwatch import wiring

    with progress(quiet=quiet or as_json) as told:
        found = wiring.simulate_policy(
            policy_path, Path(run_dir), exchanges=exchanges, accounts=accounts, grants=grants, in_force=in_force,
            as_written=as_written, format=format, settings=read_settings(settings_path), progress=told,
        )  # fmt: skip
    if as_json:
        print_json(found)
    elif not quiet:
        from stillwatch.cli.policy_words import simulated

        for text in found["candidate"]["notices"]:
            click.echo(f"notice: {safe(text)}", err=True)
        for part in simulated(found):
            show(part)


@policy.command(
    cls=VerbCommand,
    short_help="Give a scan's result to running gates.",
    examples=(
        (
            "stillwatch policy publish report --into gate/ --accounts accounts.parquet --grants grants.toml",
            "takes effect within a second",
        ),
    ),
)
@click.argument("run_dir", metavar="RUN", type=_FOLDER)
@_target
@_context
@json_option()
@settings_option()
@debug_option()
def publish(
    run_dir: str, into: str | None, to_store: bool, accounts: tuple[str, ...], grants: str | None, as_json: bool,
    settings_path: str | None,
) -> None:  # fmt: skip
    """Compile the output folder of a scan into a risk table and put it where gates take it from.

    RUN is what `stillwatch scan --out` wrote. Gates that are running swap to it within a second.
    """
    from stillwatch import wiring

    found = wiring.publish_risk(
        Path(run_dir), into=Path(into) if into else None, to_store=to_store, accounts=accounts, grants=grants,
        settings=read_settings(settings_path),
    )  # fmt: skip
    if as_json:
        print_json(found)
        return
    show(
        f"wrote {' and '.join(found['where'])}: {found['accounts']:,} accounts, {found['in_groups']:,} of them in "
        f"{found['groups']:,} groups; {found['grants']:,} grants; {found['bytes']:,} bytes"
    )
    if found["refused"]:
        click.echo(f"note: {found['refused']:,} rows of the other tables could not be used", err=True)
    _not_logged(found)


@policy.command(
    cls=VerbCommand,
    short_help="Take a rule out of force at once, or put it back.",
    examples=(
        ("stillwatch policy kill campaign-act --into gate/", "within a second, without a restart"),
        ("stillwatch policy kill campaign-act --into gate/ --undo", "in force again"),
    ),
)
@click.argument("rule", metavar="RULE")
@_target
@option("--policy", "policy_path", section="Checking", metavar="POLICY", type=click.Path(dir_okay=False),
        help="Refuse a rule that this policy does not have.")  # fmt: skip
@option("--undo", is_flag=True, section="Writing", help="Put the rule back in force.")
@json_option()
@settings_option()
@debug_option()
def kill(
    rule: str, into: str | None, to_store: bool, policy_path: str | None, undo: bool, as_json: bool,
    settings_path: str | None,
) -> None:  # fmt: skip
    """Take a rule out of force at every gate on a folder, or put it back. Takes effect within a second."""
    from stillwatch import wiring

    found = wiring.switch_rule(
        rule, into=Path(into) if into else None, to_store=to_store, off=not undo, policy=policy_path,
        settings=read_settings(settings_path),
    )  # fmt: skip
    if as_json:
        print_json(found)
    else:
        show(f"switched off: {', '.join(found['off']) or 'none'}")
        _not_logged(found)
