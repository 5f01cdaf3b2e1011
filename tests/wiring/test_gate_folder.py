"""The end of a gate's log: what was decided about one account of late."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stillwatch.wiring.gate_folder import LOG, newest_decisions


def line(account: str, number: int, *, request: str = "") -> bytes:
    """A line as the log holds it, as far as it matters here."""
    held = {
        "decision": {"decision_id": f"D-{number}", "account_id": account},
        "request": {"account_id": request or account},
    }
    return json.dumps(held, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def ids(folder: Path, account: str, **more: int) -> tuple[list[str], bool]:
    """Decisions that are found, and whether the log goes back further."""
    found, older = newest_decisions(folder, account, **more)
    return [one["decision"]["decision_id"] for one in found], older


def test_the_newest_come_first_across_files(tmp_path: Path) -> None:
    """The file that is written to, then those that were put away; each account's own lines alone."""
    (tmp_path / "decisions-000001.jsonl").write_bytes(line("a", 1) + line("b", 2))
    (tmp_path / "decisions-000002.jsonl").write_bytes(line("a", 3))
    (tmp_path / LOG).write_bytes(line("b", 4) + line("a", 5) + line("aa", 6))
    assert ids(tmp_path, "a") == (["D-5", "D-3", "D-1"], False)
    assert ids(tmp_path, "a", most=2) == (["D-5", "D-3"], True)
    assert ids(tmp_path / "nowhere", "a") == ([], False)


def test_only_the_end_of_a_long_log_is_looked_at(tmp_path: Path) -> None:
    """That it goes back further is said; a line that is cut off there is left out."""
    (tmp_path / LOG).write_bytes(b"".join(line("a", n) for n in range(10)))
    one = len(line("a", 0))
    assert ids(tmp_path, "a", within=3 * one + 5) == (["D-9", "D-8", "D-7"], True)


@pytest.mark.parametrize("name", ['"},{"account_id":"b', "\u202e\n", "\x00", "ü\U0001f600", "a" * 600, '\\"'])
def test_names_that_attackers_chose_are_themselves(tmp_path: Path, name: str) -> None:
    """No name finds another's lines; half a line, and one that is no decision, are none."""
    import orjson

    whole = [
        orjson.dumps({"decision": {"decision_id": f"D-{n}", "account_id": who}})
        for n, who in enumerate((name, "b"))
    ]
    (tmp_path / LOG).write_bytes(
        b"\n".join([*whole, b'{"account_id":"b", broken', b'[{"account_id":"b"}]', b'{"decis'])
    )
    assert ids(tmp_path, name) == (["D-0"], False)
    assert ids(tmp_path, "b") == (["D-1"], False)
