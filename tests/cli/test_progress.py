"""What a long run says: a line now and then in a pipe; share, rate and time left on a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from stillwatch.cli.terminal import Bars, Lines, pace


class Wall:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_pipe_gets_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    """A step gets its line and, where its end is known, one more every ten seconds."""
    wall = Wall()
    lines = Lines(wall)
    lines.step("reading 100 B", 100.0)
    for second in range(1, 26):
        wall.now = 100.0 + second
        lines.advance(2.0)
    lines.step("hubs")
    wall.now += 60
    lines.advance(1.0)
    assert capsys.readouterr().err.splitlines() == [
        "reading 100 B",
        "reading 100 B: 20%, 2/s, 0:40 left",
        "reading 100 B: 40%, 2/s, 0:30 left",
        "hubs",
    ]


def test_a_hostile_name_stays_one_harmless_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A step's name that an attacker chose can neither break the line nor move the cursor."""
    wall = Wall()
    lines = Lines(wall)
    lines.step("x\x1b[2J\ny", 10.0)
    wall.now += 11
    lines.advance(5.0)
    told = capsys.readouterr().err
    assert "\x1b" not in told
    assert len(told.splitlines()) == 2


def test_a_terminal_shows_the_pace() -> None:
    """The bar of a step whose end is known carries share, rate and time left."""
    screen = io.StringIO()
    with Bars(Console(file=screen, force_terminal=True, width=160)) as bars:
        bars.step("reading 4.0 kB", 4000.0)
        bars.advance(1000.0)
        bars._bars.refresh()
    assert "25%" in screen.getvalue()
    assert "left" in screen.getvalue()


@pytest.mark.parametrize(("done", "total"), [(0.0, 1.0), (5.0, 1.0), (1e-9, 1e12)])
def test_any_pace_can_be_said(done: float, total: float) -> None:
    """Nothing done, more than all done, and hardly anything done are no errors."""
    assert "left" in pace(done, total, 0.0)
