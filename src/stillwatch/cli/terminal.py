"""What reaches the terminal: harmless text, progress, JSON.

Logs hold text that attackers wrote. Whatever comes from them passes through :func:`safe` before it is
printed, so that it can neither move the cursor, set a title, nor reorder a line.

Examples
--------
>>> safe("acct" + chr(27) + "[2J")
'acct\\\\x1b[2J'
"""

from __future__ import annotations

import json
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Protocol

import click

from stillwatch.cli import interrupts

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Controls, invisible formats (bidirectional overrides among them), surrogates, line separators."""


def safe(value: object, *, keep: str = "") -> str:
    """Text with every control and invisible character shown as an escape; those in `keep` stay."""
    return "".join(
        char
        if char in keep or unicodedata.category(char) not in _UNSAFE
        else char.encode("unicode_escape").decode("ascii")
        for char in str(value)
    )


def print_json(value: Any) -> None:
    """JSON in ASCII on standard output; non-ASCII and controls are escaped by JSON itself."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=True, default=str, allow_nan=False))


def tell(found: Any, as_json: bool, *lines: str) -> None:
    """What was found or done: as JSON, or in these lines."""
    if as_json:
        print_json(found)
        return
    for line in lines:
        show(line)


def is_tty(stream: IO[str]) -> bool:
    """Whether a person reads the stream. A closed or replaced stream is not a terminal."""
    return bool(getattr(stream, "isatty", lambda: False)())


def console(*, err: bool = False) -> Console:
    """A console that honours NO_COLOR, and in a pipe neither wraps nor colours."""
    from rich.console import Console

    stream = sys.stderr if err else sys.stdout
    width = None if is_tty(stream) else 120
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False, soft_wrap=False)


def show(renderable: RenderableType) -> None:
    """Print text or a rich renderable from a room, with its text made harmless."""
    if isinstance(renderable, str):
        click.echo(safe(renderable, keep="\n\t").rstrip("\n"))
        return
    console().print(_Harmless(renderable))


class _Harmless:
    """A renderable whose text segments cannot carry control characters; its own styling stays."""

    def __init__(self, inner: RenderableType) -> None:
        self.inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Any]:
        from rich.segment import Segment

        for segment in console.render(self.inner, options):
            yield Segment(safe(segment.text, keep="\n"), segment.style)


class Progress(Protocol):
    """What ``wiring`` tells while it works; the same three words as its own protocol."""

    def step(self, name: str, total: float | None = None) -> None: ...
    def advance(self, amount: float) -> None: ...
    def note(self, text: str) -> None: ...


@contextmanager
def progress(*, quiet: bool) -> Iterator[Progress]:
    """Bars on a terminal, plain lines in a pipe, nothing when quiet. Always on standard error."""
    if quiet:
        yield Silent()
    elif is_tty(sys.stderr):
        with Bars(console(err=True)) as bars:
            yield bars
    else:
        yield Lines()
    interrupts.settle()


class Silent:
    """Says nothing."""

    def step(self, name: str, total: float | None = None) -> None:
        interrupts.check()

    def advance(self, amount: float) -> None:
        interrupts.check()

    def note(self, text: str) -> None:
        interrupts.check()


class Lines:
    """One line per phase and per note; of a long phase with a known end, a line now and then."""

    EVERY_S = 10.0

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._name, self._done = "", 0.0
        self._total: float | None = None
        self._begun = self._said = clock()

    def step(self, name: str, total: float | None = None) -> None:
        interrupts.check()
        self._name, self._total, self._done = safe(name), total, 0.0
        self._begun = self._said = self._clock()
        click.echo(self._name, err=True)

    def advance(self, amount: float) -> None:
        interrupts.check()
        self._done += amount
        now = self._clock()
        if self._total and self._done and now - self._said >= self.EVERY_S:
            self._said = now
            click.echo(f"{self._name}: {pace(self._done, self._total, now - self._begun)}", err=True)

    def note(self, text: str) -> None:
        click.echo(f"note: {safe(text)}", err=True)


def pace(done: float, total: float, seconds: float) -> str:
    """How far, how fast and how long yet, at the rate so far.

    >>> pace(25e6, 100e6, 10.0), pace(3, 20, 90.0), pace(20, 20, 1.0)
    ('25%, 2.5 M/s, 0:30 left', '15%, 0.033/s, 8:30 left', '100%, 20/s, 0:00 left')
    """
    rate = done / max(seconds, 1e-9)
    left = round(max(total - done, 0.0) / rate) if rate else 0
    clock = (
        f"{left // 60}:{left % 60:02}"
        if left < 3600
        else f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02}"
    )
    return f"{min(done / total, 1.0):.0%}, {_rate(rate)}/s, {clock} left"


def _rate(number: float) -> str:
    """Two figures that say something, with k, M or G."""
    for unit in ("", " k", " M", " G"):
        if number < 1000 or unit == " G":
            break
        number /= 1000
    return f"{number:.2g}{unit}" if number < 10 else f"{number:.0f}{unit}"


class Bars:
    """One bar per phase; a finished phase keeps its line and its time."""

    def __init__(self, console: Console) -> None:
        from rich.progress import (
            BarColumn,
            ProgressColumn,
            SpinnerColumn,
            Task,
            TextColumn,
            TimeElapsedColumn,
        )
        from rich.progress import Progress as RichProgress
        from rich.text import Text

        class Pace(ProgressColumn):
            """Share, rate and time left of a phase whose end is known."""

            def render(self, task: Task) -> Text:
                if not task.total or not task.completed or task.finished:
                    return Text("")
                return Text(pace(task.completed, task.total, task.elapsed or 0.0))

        self._bars: RichProgress = RichProgress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            TimeElapsedColumn(),
            Pace(),
            console=console,
        )
        self._task: TaskID | None = None
        self._total: float | None = None

    def __enter__(self) -> Bars:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._finish()
        self._bars.stop()

    def step(self, name: str, total: float | None = None) -> None:
        interrupts.check()
        self._finish()
        self._total = total
        self._task = self._bars.add_task(safe(name), total=total)

    def advance(self, amount: float) -> None:
        interrupts.check()
        if self._task is not None:
            self._bars.advance(self._task, amount)

    def note(self, text: str) -> None:
        self._bars.console.print(f"note: {safe(text)}")

    def _finish(self) -> None:
        if self._task is not None:
            total = self._total if self._total is not None else 1
            self._bars.update(self._task, total=total, completed=total)
