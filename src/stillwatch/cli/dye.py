"""``stillwatch dye``: marking keys for campaigns, so that a later student can be traced to the one that taught it."""

from __future__ import annotations

import json
import secrets
import shlex
from pathlib import Path

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
from stillwatch.cli.key import KEY_BYTES, write_private
from stillwatch.cli.terminal import print_json, safe, show
from stillwatch.errors import ConfigError

_FILE = click.Path(exists=True, dir_okay=False)


@click.group(
    cls=SectionGroup, short_help="Issue marking keys to campaigns, and keep what was served under them."
)
def dye() -> None:
    """Issue marking keys to campaigns, configure serving engines, and keep a ledger of what was served.

    Every key comes from one master and is committed in the evidence log before it is handed out: later, the log
    shows that the key was this campaign's before the suspect model existed. Section `dye` of the settings names
    folder, master and epoch; docs/dye.md goes through it.
    """


@dye.command(
    cls=VerbCommand,
    short_help="Make the master of all marking keys.",
    examples=(("stillwatch dye master --out dye.master", "once; keep a copy where the engines are not"),),
)
@option("--out", "-o", metavar="FILE", type=click.Path(dir_okay=False), section="Writing",
        help="File to write, readable by you alone; never overwritten. Else standard output.")  # fmt: skip
@debug_option()
def master(out: str | None) -> None:
    """Make a new master of 256 bits, in hexadecimal.

    Whoever has it can forge every mark; without it no key that was ever issued can be tested again.
    """
    text = secrets.token_hex(KEY_BYTES) + "\n"
    if out is None:
        click.echo(text, nl=False)
        return
    write_private(Path(out), text)
    click.echo(f"wrote {safe(out)}; guard it, and keep a copy", err=True)


@dye.command(
    cls=VerbCommand,
    short_help="Issue keys, each committed in the log first.",
    examples=(
        (
            "stillwatch dye issue campaign:C-1 --scheme sglang-gumbel --width 2",
            "the campaign that a scan calls C-1",
        ),
        ("stillwatch dye issue everyone --scheme sglang-gumbel", "a wide window for all other traffic"),
        (
            "stillwatch dye issue campaign:C-1 --account acct-7 --scheme vllm-sbw-left",
            "one account of it alone",
        ),
    ),
)
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@option("--scheme", required=True, metavar="SCHEME", section="Key",
        help="Engine and algorithm; `stillwatch dye schemes` lists them.")  # fmt: skip
@option("--width", type=click.IntRange(1, 64), metavar="TOKENS", section="Key",
        help="Window that decides each mark. 1 or 2 for campaigns, 4 for all traffic; else the scheme's.")  # fmt: skip
@option("--epoch", metavar="NAME", section="Key", help="Period of rotation; else dye.epoch of the settings.")
@option("--account", metavar="ID", section="Key", help="A key for one account alone.")
@json_option()
@settings_option()
@debug_option()
def issue(
    names: tuple[str, ...], scheme: str, width: int | None, epoch: str | None, account: str | None, as_json: bool,
    settings_path: str | None,
) -> None:  # fmt: skip
    """Issue a marking key to each NAME, as policy calls it: `campaign:ID`, or a name of yours.

    Asked twice for the same name in the same epoch, it tells the key that is there. No key is printed.
    """
    from stillwatch import wiring

    rows = wiring.issue_dyes(
        read_settings(settings_path), names, scheme=scheme, width=width, epoch=epoch, account=account
    )
    if as_json:
        print_json(rows)
        return
    for row in rows:
        show(f"{safe(row['key_id'])}: {row['scheme']}, window {row['width']}, leaf {row['leaf']} of the log")


@dye.command(
    "list",
    cls=VerbCommand,
    short_help="Show every key ever issued, by name.",
    examples=(("stillwatch dye list --json", "for a program: names, commitments, what was served"),),
)
@json_option()
@settings_option()
@debug_option()
def list_(as_json: bool, settings_path: str | None) -> None:
    """Show every key that was ever issued, by name, and how much was served under it. No key is printed."""
    from stillwatch import wiring

    rows = wiring.list_dyes(read_settings(settings_path))
    if as_json:
        print_json(rows)
        return
    if not rows:
        show("no key was issued yet: stillwatch dye issue")
    for row in rows:
        served = (
            f"{row['answers']:,} answers, {row['tokens']:,} tokens"
            if row["answers"]
            else "nothing written down"
        )
        show(
            f"{safe(row['key_id'])}: {row['scheme']}, window {row['width']}, issued {row['issued_at']}; {served}"
        )


@dye.command(
    cls=VerbCommand,
    short_help="Show the schemes: engine, algorithm, which test reads it.",
    examples=(("stillwatch dye schemes", "what --scheme takes"),),
)
@debug_option()
def schemes() -> None:
    """Show what `--scheme` takes, one line a scheme."""
    from stillwatch.protect.dye import SCHEMES

    for scheme in SCHEMES.values():
        key = "a key with each request" if scheme.per_request else "one key for an engine"
        read = f"read as {scheme.mark}" if scheme.mark else "no test reads it yet"
        note = f"; {scheme.note}" if scheme.note else ""
        show(f"{scheme.id}: {scheme.engine}, {key}, window {scheme.width}, {read}{note}")


@dye.command(
    cls=VerbCommand,
    short_help="Write the configuration of the engine that serves under a key.",
    examples=(
        ("stillwatch dye config 2026-11/campaign:C-1 --out watermark.json", "then start the engine with it"),
    ),
)
@click.argument("key_id", metavar="KEY")
@option("--out", "-o", metavar="FILE", type=click.Path(dir_okay=False), section="Writing", required=True,
        help="File to write, readable by you alone; it holds the key.")  # fmt: skip
@settings_option()
@debug_option()
def config(key_id: str, out: str, settings_path: str | None) -> None:
    """Write the engine's configuration for an issued KEY, and say how the engine is started with it."""
    from stillwatch import wiring

    about, made = wiring.dye_config(read_settings(settings_path), key_id)
    write_private(Path(out), _line(made))
    file = safe(out)
    command = about["start"].replace("{config!r}", repr(file)).replace("{config}", shlex.quote(file))
    show(f"{about['engine']}: {command}")
    if about["note"]:
        show(f"note: {about['note']}")
    if not about["per_request"]:
        show("this engine serves this key alone: route to it by the header x-stillwatch-mark")


def _line(made: dict[str, object]) -> str:
    """One line of JSON."""
    return json.dumps(made) + "\n"


@dye.command(
    cls=VerbCommand,
    short_help="Hold every key against its commitment and the log.",
    examples=(("stillwatch dye check", "before a test of a suspect, and after a restore"),),
)
@settings_option()
@debug_option()
def check(settings_path: str | None) -> None:
    """Derive every key again, hold it against its commitment, and the commitment against the log."""
    from stillwatch import wiring

    count = wiring.check_dyes(read_settings(settings_path))
    if not count:
        raise ConfigError("no key was issued yet", hint="stillwatch dye issue campaign:ID --scheme SCHEME")
    show(f"{count:,} keys: each is the one that was committed, and each commitment is in the log")


@dye.command(
    cls=VerbCommand,
    short_help="Write down what was served under a key: a salted index, no text.",
    examples=(("stillwatch dye served 2026-11/campaign:C-1 tokens.jsonl", "one answer a line: [1, 2, 3]"),),
)
@click.argument("key_id", metavar="KEY")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=_FILE)
@json_option()
@settings_option()
@debug_option()
def served(key_id: str, files: tuple[str, ...], as_json: bool, settings_path: str | None) -> None:
    """Add answers to the ledger of a KEY: FILEs of JSON lines, each the token ids of one answer.

    Kept are salted digests of token windows and counts. Adding a file twice counts its answers twice.
    """
    from stillwatch import wiring

    answers = [tokens for name in files for tokens in wiring.read_tokens(Path(name))]
    row = wiring.record_served(read_settings(settings_path), key_id, answers)
    if as_json:
        print_json(row)
        return
    show(
        f"{safe(key_id)}: {row['answers']:,} answers, {row['tokens']:,} tokens, {row['windows']:,} distinct windows"
    )
