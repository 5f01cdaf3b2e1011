"""The digest by which figures are kept: every file that a scan loads is part of it, or is named here with a reason."""

from __future__ import annotations

import ast
from pathlib import Path

from stillwatch.lab.suite.code import PARTS, ROOT

SCAN = "stillwatch.wiring.scanning"
BESIDE = {
    "__init__.py": "the version alone",
    "records/__init__.py": "names only; the nouns of a scan are covered",
    "records/case.py": "a noun of another room",
    "records/claim.py": "a noun of another room",
    "records/decision.py": "a noun of another room",
    "records/people.py": "a noun of another room",
    "records/plan.py": "a noun of another room",
    "records/request.py": "a noun of another room",
    "settings/": "what is set is in the detector's own digest",
    "store/__init__.py": "names only",
    "store/folders.py": "how a folder is made durable; a scan asks a place for its files alone",
    "store/forgetting.py": "a scan reads one name of it, to say that a deletion was interrupted",
    "store/frames.py": "the journal of a receiver",
    "store/segments.py": "the journal of a receiver",
    "store/spark.py": "figures are made on the embedded engine",
    "wiring/cluster.py": "figures are made on the embedded engine",
    "wiring/profile.py": "clock and memory",
    "wiring/progress.py": "what is said meanwhile",
    "wiring/refusals.py": "how refusals are kept until they are written",
}
"""Files, or beginnings of their names, that a scan loads and a figure does not depend on."""


def loaded(start: str) -> set[str]:
    """Files of ours that a module names in its imports, at its top or inside a function, and theirs in turn."""
    names, files = [start], set()
    while names:
        path = _file(names.pop())
        if path is None or path in files:
            continue
        files.add(path)
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return {path.relative_to(ROOT).as_posix() for path in files}


def _file(module: str) -> Path | None:
    whole = ROOT.parent.joinpath(*module.split("."))
    return next((p for p in (whole.with_suffix(".py"), whole / "__init__.py") if p.is_file()), None)


def test_every_file_of_a_scan_is_part_of_its_digest() -> None:
    """A change of any file that shapes what a scan says makes the kept figures run again."""
    inside, outside = PARTS["own"]
    assert not outside
    found = loaded(SCAN)
    assert {"wiring/sources.py", "detect/hubs.py", "store/spark.py"} <= found
    left = {name for name in found if not name.startswith(inside)}
    assert sorted(name for name in left if not name.startswith(tuple(BESIDE))) == []
    assert [name for name in BESIDE if not any(f.startswith(name) for f in found)] == []
    assert [name for name in BESIDE if name.startswith(inside)] == []
