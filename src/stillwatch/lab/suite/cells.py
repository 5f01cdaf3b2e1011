"""The lines that a suite leaves behind, one per cell, kept as the cells end."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stillwatch.errors import SourceError
from stillwatch.lab.discipline.ledger import locked
from stillwatch.lab.scenario import Scenario
from stillwatch.lab.suite.code import code_digest

CELLS = "cells.jsonl"


def key_of(
    scenario: Scenario, seed: int, scale: float, delay: Sequence[float], detector: str, digest: str, purpose: str
) -> str:  # fmt: skip
    """What makes two cells the same: world, looks, detector, purpose, and the programs behind all of them."""
    world = scenario.digest[:16]
    programs = [code_digest("generator"), code_digest("scorer")]
    return json.dumps([scenario.name, seed, scale, list(delay), detector, purpose, world, digest, *programs])


def read_cells(folder: Path) -> dict[str, dict[str, Any]]:
    """Kept cells by key; a later line replaces an earlier one.

    A line that was cut off when a run was killed is left out: its cell is run again.

    Raises
    ------
    SourceError: a whole line is no cell.
    """
    path = folder / CELLS
    if not path.exists():
        return {}
    found: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if not isinstance(row, dict) or "key" not in row:
            raise SourceError(f"{path}:{number}", "not a cell", hint="name a new --out folder")
        found[row["key"]] = row
    return found


def keep_cell(folder: Path, row: Mapping[str, Any]) -> None:
    """Add one line; several processes may do so at once. A line cut off by a killed run is ended first."""
    path = folder / CELLS
    with locked(path) as file:
        broken = path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
        file.write((b"\n" if broken else b"") + (json.dumps(row, sort_keys=True) + "\n").encode())
        file.flush()


__all__ = ["CELLS", "keep_cell", "key_of", "read_cells"]
