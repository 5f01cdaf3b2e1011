"""The page of attacks names tests that exist, and none that was renamed away."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "sharing_threats.md"
NAMED = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


def _tests_of(path: Path) -> set[str]:
    """Names of the tests in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {n.name for n in tree.body if isinstance(n, kinds) and n.name.startswith("test_")}


def test_every_attack_has_its_test() -> None:
    """Each row ends with tests that are there."""
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")][2:]
    assert len(rows) >= 23
    for row in rows:
        named = NAMED.findall(row)
        assert named, row
        for file, test in named:
            assert test in _tests_of(TESTS / file), (file, test)
