"""Shared by the verbs of people's work: the desk, who sits at it, and what a name such as K-12 stands for."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from stillwatch.cli.commands import debug_option, json_option, option, settings_option
from stillwatch.cli.edge import read_settings
from stillwatch.cli.terminal import safe
from stillwatch.errors import ConfigError, StillwatchError

if TYPE_CHECKING:
    from stillwatch.records import Person
    from stillwatch.settings import Settings
    from stillwatch.wiring.desk import Desk


@dataclass(frozen=True)
class Seat:
    """Somebody at the desk."""

    desk: Desk
    person: Person
    settings: Settings


@contextmanager
def desk_of(settings_path: str | None, store: str | None = None) -> Iterator[tuple[Desk, Settings]]:
    """The desk on this store, else on the one that the settings name."""
    from stillwatch.wiring.desk import Desk

    settings = read_settings(settings_path)
    with Desk.open(store or settings.respond.store, password_env=settings.respond.store_password_env) as desk:
        yield desk, settings


@contextmanager
def seat(settings_path: str | None, name: str | None, store: str | None = None) -> Iterator[Seat]:
    """The desk with somebody at it; when they rise, the log of evidence seals what was done, if one is kept."""
    with desk_of(settings_path, store) as (desk, settings):
        person = desk.ready().person(name or getpass.getuser())
        try:
            yield Seat(desk, person, settings)
        finally:
            _seal(desk, settings)


def _seal(desk: Desk, settings: Settings) -> None:
    """What was done stays done when the log cannot be written now: that is said, and the next verb seals it."""
    from stillwatch.wiring.evidence_audit import seal_audit

    try:
        seal_audit(desk, settings)
    except (StillwatchError, OSError) as error:
        why = error if isinstance(error, StillwatchError) else type(error).__name__
        click.echo(f"note: the log of evidence has not sealed this yet: {safe(str(why))}", err=True)
        hint = error.hint if isinstance(error, StillwatchError) else ""
        click.echo(
            f"hint: {safe(hint)}; the next command seals it" if hint else "the next command seals it",
            err=True,
        )


def at_desk(command: Any) -> Any:
    """What every verb of people's work takes."""
    command = debug_option()(command)
    command = settings_option()(command)
    command = json_option()(command)
    return option(
        "--as",
        "as_name",
        section="General",
        metavar="NAME",
        envvar="STILLWATCH_PERSON",
        help="Who you are in the store; else STILLWATCH_PERSON, else your name on this machine.",
    )(command)


def numbered(letter: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Reads ``K-12`` or ``12``."""

    def read(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
        if value is None:
            return None
        from stillwatch.records import number_of

        found = number_of(value, letter)
        if found is None:
            raise click.BadParameter(f"a name such as {letter}-12 is needed")
        return found

    return read


def moment(text: str) -> datetime:
    """A date, or a time with its zone; a date is its first moment in UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"{text[:40]!r} is no time", hint="2026-12-31, or 2026-12-31T12:00:00Z") from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def plain(value: Any) -> Any:
    """Records as JSON takes them."""
    from dataclasses import fields, is_dataclass

    if is_dataclass(value) and not isinstance(value, type):
        made = {f.name: plain(getattr(value, f.name)) for f in fields(value)}
        return {"id": value.id, **made} if hasattr(value, "id") else made
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | frozenset):
        return [plain(v) for v in (sorted(value) if isinstance(value, frozenset) else value)]
    return value.isoformat() if isinstance(value, datetime) else value
