"""The page that says what the standard asks names tests that exist, and none that was renamed away."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs" / "taxii.md"


def _tests_of(path: Path) -> set[str]:
    """Names of the tests in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {n.name for n in tree.body if isinstance(n, ast.FunctionDef) and n.name.startswith("test_")}


def test_every_line_of_the_checklist_has_its_test() -> None:
    """Each row ends with a test that is there; no row is without one."""
    section = PAGE.read_text(encoding="utf-8").partition("\n## The standard, line by line\n")[2]
    rows = [line for line in section.splitlines() if line.startswith("|")][2:]
    assert len(rows) > 30
    for row in rows:
        found = re.search(r"`(test_\w+\.py)::(test_\w+)` \|$", row)
        assert found, row
        assert found[2] in _tests_of(HERE / found[1]), row
