"""The root command: puts the verbs together and turns every ending into a line and an exit status.

Nothing heavy is imported here, so that ``--help`` answers at once; a verb imports what it needs when it
runs. Exit status: 0 nothing at review or above, 10 something, 2 unusable input or settings, 1 internal
failure, 130 interrupted.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import MutableMapping, Sequence
from typing import Any, NoReturn

import click

from stillwatch.cli import (
    appeal,
    baseline,
    case,
    completion,
    console,
    decision,
    demo,
    dye,
    evidence,
    explain,
    formats,
    gate,
    gate_envoy,
    grant,
    ingest,
    interrupts,
    key,
    lab,
    plan,
    playbook,
    policy,
    profile,
    prove,
    receive,
    respond,
    scan,
    settings,
    share,
    store,
    traits,
    version,
    watch,
)
from stillwatch.cli.commands import SectionGroup
from stillwatch.cli.terminal import safe
from stillwatch.errors import StillwatchError, where_it_failed

OK, FAILED, UNUSABLE, SOMETHING, INTERRUPTED = 0, 1, 2, 10, 130

FAILURE_HINT = "run again with --debug for the traceback; it may quote input, so read it before you share it"

SECTIONS: tuple[tuple[str, tuple[click.Command, ...]], ...] = (
    (
        "Detect",
        (
            scan.scan,
            watch.watch,
            explain.explain,
            profile.profile,
            ingest.ingest,
            receive.receive,
            store.store,
        ),
    ),
    ("Protect", (gate.gate, gate_envoy.gate_envoy, policy.policy, decision.decision, dye.dye)),
    ("Respond", (console.console, case.case, plan.plan, appeal.appeal, grant.grant, respond.respond)),
    ("Share", (share.share,)),
    ("Best practice", (playbook.playbook,)),
    ("Prove", (prove.prove, evidence.evidence)),
    ("Prepare", (key.key, baseline.baseline, settings.settings)),
    ("Look up", (traits.traits, formats.formats)),
    ("Try out", (demo.demo, lab.lab)),
    ("About", (version.version, completion.completion)),
)
"""The sections of ``stillwatch --help``, in reading order."""


class Root(SectionGroup):
    """A group that never shows a traceback unless asked, and never exits without saying why."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> NoReturn:
        arguments = list(sys.argv[1:] if args is None else args)
        sys.exit(self._status(arguments, prog_name, complete_var, extra))

    def _status(
        self,
        args: list[str],
        prog_name: str | None,
        complete_var: str | None,
        extra: MutableMapping[str, Any],
    ) -> int:
        name = prog_name or "stillwatch"
        try:
            with interrupts.noted():
                outcome = super().main(args, name, complete_var, standalone_mode=False, **extra)
        except (click.exceptions.Abort, KeyboardInterrupt):
            click.echo(interrupts.farewell(), err=True)
            return INTERRUPTED
        except click.ClickException as error:
            return _usage(error, self._path(args))
        except StillwatchError as error:
            complain(str(error), error.hint)
            return error.exit_status
        except Exception as error:
            if interrupts.asked():
                click.echo(interrupts.farewell(), err=True)  # a library made an error of it
                return INTERRUPTED
            if "--debug" in args:
                traceback.print_exc()
            else:
                complain(f"internal failure: {where_it_failed(error)}", FAILURE_HINT)
            return FAILED
        return outcome if isinstance(outcome, int) else OK

    def _path(self, args: Sequence[str]) -> str:
        """The verbs at the front of the arguments: click does not say where every slip happened."""
        path: list[str] = ["stillwatch"]
        level: click.Command = self
        for word in args:
            verb = level.commands.get(word) if isinstance(level, click.Group) else None
            if verb is None:
                break
            path.append(word)
            level = verb
        return " ".join(path)


def complain(message: str, hint: str = "") -> None:
    """`error:` and `hint:` on standard error; whatever an input put into them is made harmless."""
    click.echo(f"error: {safe(message)}", err=True)
    if hint:
        click.echo(f"hint: {safe(hint)}", err=True)


def _usage(error: click.ClickException, path: str) -> int:
    """A wrong verb, option or argument."""
    possible = getattr(error, "possibilities", None) or []
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return UNUSABLE
    if hasattr(error, "possibilities"):
        error.possibilities = None
    message = error.format_message()
    if possible:
        hint = f"did you mean {possible[0]}?"
    else:
        hint = f"`{path} --help` shows what it takes"
    complain(message[:1].lower() + message[1:].removesuffix("."), hint)
    return UNUSABLE


@click.group(
    cls=Root,
    sections=SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    examples=(
        ("stillwatch key new --out stillwatch.key", "once: the key under which all digests are made"),
        (
            "stillwatch scan logs/ --accounts accounts.parquet --key-file stillwatch.key --out report",
            "scan a folder of logs; open report/report.html",
        ),
        ("stillwatch explain report C-1", "why one campaign was reported"),
    ),
)
@click.version_option(None, "-V", "--version", package_name="stillwatch", message="stillwatch %(version)s")
def main() -> None:
    """Find unauthorised model-distillation campaigns in the logs of an LLM API.

    stillwatch judges groups of accounts, never one request or one person. It tells what it saw, how
    unusual that is, which innocent explanations remain, and what it could not see.
    """
