"""The CASE/UCO graph: every exhibit with its digest, who sealed it with what, and nothing that leads to an account."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from stillwatch.evidence.case_uco import CONTEXT, case_uco

CHECKER = Path(__file__).resolve().parents[2] / ".cache" / "case" / "bin" / "case_validate"
ROWS: list[dict[str, Any]] = [
    {
        "path": f"data/exhibits/{name}.json", "sha256": f"{n:064x}", "size": n, "what": "a thing", "source": "run",
        "collector": "A", "tool": "stillwatch 0.1.0", "settings_digest": "00", "at": "2026-03-10T00:00:00+00:00",
    }
    for n, name in enumerate(("a", "b"))
]  # fmt: skip


def by_type(graph: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Nodes of one kind."""
    return [row for row in graph["@graph"] if row["@type"].endswith(kind)]


def test_every_exhibit_with_its_digest_and_its_act() -> None:
    """A file, a record of provenance and an act for each; one person and one tool for both; no dangling reference."""
    graph = case_uco("P-1", "title", ROWS)
    assert len(by_type(graph, ":File")) == len(by_type(graph, ":ProvenanceRecord")) == 2
    hashes = [
        f["uco-core:hasFacet"][1]["uco-observable:hash"]["uco-types:hashValue"]["@value"]
        for f in by_type(graph, ":File")
    ]
    assert hashes == [row["sha256"] for row in ROWS]
    assert len(by_type(graph, ":Person")) == len(by_type(graph, "Tool")) == 1
    known = {row["@id"] for row in graph["@graph"]}
    for act in by_type(graph, ":InvestigativeAction"):
        assert {act["uco-action:performer"]["@id"], *(r["@id"] for r in act["uco-action:result"])} <= known


def test_ids_of_two_packages_differ() -> None:
    """They hang on the package's random id, so that nobody computes them from a file's name."""
    one, other = ({row["@id"] for row in case_uco(p, "t", ROWS)["@graph"]} for p in ("P-1", "P-2"))
    assert not one & other


def test_every_prefix_is_declared() -> None:
    """Else a reader would take it for an address."""
    text = json.dumps(case_uco("P-1", "t", ROWS)["@graph"])
    used = {
        word.split(":")[0] for word in text.replace('"', " ").split() if ":" in word and not word[0].isdigit()
    }
    assert {w for w in used if w.startswith(("uco", "case", "kb", "xsd"))} <= set(CONTEXT)


def test_case_validate_accepts_it(tmp_path: Path) -> None:
    """By the ontology's own program, where it is installed."""
    if not CHECKER.exists():
        pytest.skip("case_validate is not installed; `make case` installs it")
    path = tmp_path / "g.jsonld"
    path.write_text(json.dumps(case_uco("P-1", "t", ROWS)))
    done = subprocess.run([CHECKER, path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()[-1]) == (0, "True"), done.stdout + done.stderr
