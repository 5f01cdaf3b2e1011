"""The watch verb: wrong flags are answered, visits and status are told in harmless lines."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import Result

from stillwatch.cli.watch import Span, told_status, told_visit, visit_row
from stillwatch.wiring.watch_look import Looked
from stillwatch.wiring.watch_reading import Visited
from stillwatch.wiring.watching import Visit
from tests.cli.stub import a_result

AT = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--out", "r"), "name the logs to watch"),
        (("logs",), "missing option '--out'"),
        (("-", "--out", "r"), "standard input cannot be watched"),
        (
            ("logs", "--out", "r", "--every", "often"),
            "'often' is no length of time: write 90s, 15m, 6h or 30d",
        ),
        (("logs", "--out", "r", "--every", "0m"), "is no length of time"),
        (("logs", "--out", "r", "--keep", "36h"), "whole days"),
        (("logs", "--out", "r", "--looks", "0"), "'--looks'"),
        (("logs", "--out", "r", "--look", "3"), "no such option"),
        (("logs", "--out", "r", "--master", "local"), "add --engine spark"),
        (("s3://b/logs", "--out", "r", "--engine", "spark"), "object stores cannot be watched on Spark"),
        (("a.jsonl", "--out", "r", "--engine", "spark"), "is no folder: on Spark a watch reads folders"),
        (("logs", "--out", "r", "--memory-limit", "lots"), "--memory-limit: 'lots' is no size"),
        (("--status", "--out", "r"), "r.state is not the state of a watch"),
    ],
)
def test_wrong_flags_are_answered(run: Callable[..., Result], args: tuple[str, ...], said: str) -> None:
    """In one line, with status 2."""
    result = run("watch", *args)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("15m", 900), ("6h", 21_600), ("30d", 2_592_000)])
def test_lengths_of_time(text: str, seconds: int) -> None:
    """A number and a unit."""
    assert Span().convert(text, None, None) == seconds


def _visit(looked: Looked | None) -> Visit:
    return Visit(AT, Visited(2, 900, 1234, 3, 1, 0), 5, looked, AT.replace(hour=16))


def test_a_visit_is_one_line() -> None:
    """What was read, what was left aside, and either the look or when the next one is."""
    aside = "1 refused, 3 too old, 5 left what is kept"
    told = f"2026-03-10 12:00:00 UTC: 1,234 new exchanges ({aside}); next look after 16:00"
    assert told_visit(_visit(None)) == told
    result = a_result(counts={"campaigns": 1, "pools": 2}, watch={"look": 7})
    line = told_visit(_visit(Looked(result, (), ("G-1",), ("G-2",))))
    assert line.endswith("; look 7: 1 campaign, 2 pools (new: G-1; left: G-2)")
    assert visit_row(_visit(None))["look"] is None
    assert visit_row(_visit(Looked(result, (), (), ())))["look"]["counts"] == {"campaigns": 1, "pools": 2}


def test_a_status_is_plain_and_harmless() -> None:
    """Names of logs come from outside: none of them moves the cursor."""
    look = {"number": 7, "begun": "2026-03-10T12:00:00", "claim": 0.5, "published": None, "facts": {}}
    counts = dict.fromkeys(("rows", "bytes", "files", "logs", "refused", "late", "skipped"), 1)
    status: dict[str, Any] = {
        "holder": {"pid": 9, "host": "alpha\x1b[2J", "since": 1}, "about": {"looks": "3"},
        "counts": counts | {"first_day": "2026-03-09", "last_day": "2026-03-10", "last_read": None}, "looks": [look],
        "next_look": "2026-03-10T16:00:00", "groups": [{"first": "G-1", "since": "s", "claimed": None, "accounts": 4}],
        "useless": [{"name": "x\x1b]0;y\x07.log", "why": "not a log"}],
    }  # fmt: skip
    text = "\n".join(told_status(status))
    assert "\x1b" not in text
    assert "running as process 9" in text
    assert "begun and not finished" in text
    assert "group G-1: 4 accounts, since s, not firmly claimed" in text
    assert "of no use: x\\x1b]0;y\\x07.log: not a log" in text
