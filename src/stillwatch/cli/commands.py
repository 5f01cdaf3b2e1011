"""Commands with sectioned help, examples, and hints for slips of the finger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from stillwatch.cli import offers

Examples = Sequence[tuple[str, str]]
"""(command line, what it does) pairs."""


class SectionOption(click.Option):
    """An option that knows under which heading of ``--help`` it belongs."""

    def __init__(self, *args: Any, section: str = "Options", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.section = section

    def get_help_extra(self, ctx: click.Context) -> Any:
        extra = super().get_help_extra(ctx)
        extra.pop("range", None)
        return extra


class VerbCommand(click.Command):
    """A verb whose help groups its options and ends with examples."""

    def __init__(self, *args: Any, examples: Examples = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                heading = param.section if isinstance(param, SectionOption) else "Options"
                sections.setdefault(heading, []).append(record)
        sections = {**{k: v for k, v in sections.items() if k != "Options"}, **_only(sections, "Options")}
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        write_examples(self.examples, formatter)


class SectionGroup(click.Group):
    """A group that lists its commands under headings, in reading order."""

    def __init__(
        self,
        *args: Any,
        sections: Sequence[tuple[str, Sequence[click.Command]]] = (),
        examples: Examples = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.sections = sections
        self.examples = examples
        for _, members in sections:
            for member in members:
                self.add_command(member)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections = self.sections or [("Commands", tuple(self.commands.values()))]
        width = max((len(name) for name in self.commands), default=0)
        for heading, members in sections:
            with formatter.section(heading):
                limit = formatter.width - 6 - width
                formatter.write_dl(
                    [((m.name or "").ljust(width), m.get_short_help_str(limit)) for m in members]
                )

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        write_examples(self.examples, formatter)


def _only(sections: dict[str, Any], key: str) -> dict[str, Any]:
    return {key: sections[key]} if key in sections else {}


def write_examples(examples: Examples, formatter: click.HelpFormatter) -> None:
    """Each example on a line of its own, never wrapped: it is there to be copied."""
    if not examples:
        return
    with formatter.section("Examples"):
        indent = " " * formatter.current_indent
        for line, meaning in examples:
            formatter.write(f"{indent}# {meaning}\n{indent}{line}\n")


def option(*names: str, section: str = "Options", **kwargs: Any) -> Callable[[Any], Any]:
    """``click.option`` under a heading of ``--help``."""
    return click.option(*names, cls=SectionOption, section=section, **kwargs)


MOMENT = click.DateTime(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"])
"""A day or a time, in UTC."""
_READ = "Reading"
_GENERAL = "General"
_FILE = click.Path(dir_okay=False)


def reading_options(command: Any) -> Any:
    """What every verb that reads logs takes."""
    format_help = "Log format, when it is not recognised; `stillwatch formats` lists them."
    mapping_help = "TOML file that maps your own field names to the contract's."
    key_help = "File with the digest key (`stillwatch key new`); wins over the settings."
    command = option("--key-file", section=_READ, metavar="FILE", type=_FILE, help=key_help)(command)
    command = option("--mapping", section=_READ, metavar="FILE", type=_FILE, help=mapping_help)(command)
    return option(
        "--format", "-f", section=_READ, metavar="NAME", shell_complete=offers.formats, help=format_help
    )(command)


def general_options(command: Any) -> Any:
    """What every verb that works for a while takes."""
    quiet_help = "No progress and no summary; errors only."
    command = debug_option()(command)
    command = option("--quiet", "-q", section=_GENERAL, is_flag=True, help=quiet_help)(command)
    return settings_option()(command)


def settings_option() -> Callable[[Any], Any]:
    """``--settings``; without it a file of the usual name is read when there is one."""
    return option(
        "--settings",
        "settings_path",
        section=_GENERAL,
        metavar="FILE",
        type=_FILE,
        help="Settings file; else ./stillwatch.toml if there is one.",
    )


def debug_option() -> Callable[[Any], Any]:
    """``--debug``; the root command looks for it when something fails."""
    return option(
        "--debug",
        section=_GENERAL,
        is_flag=True,
        expose_value=False,
        help="Show the traceback of an internal failure.",
    )


def json_option(help_text: str = "Print JSON to standard output.") -> Callable[[Any], Any]:
    """``--json`` for a program that reads the answer."""
    return option("--json", "as_json", section="Writing", is_flag=True, help=help_text)
