"""The catalogue: its ids are known where they come from, and what comes out is OSCAL."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from stillwatch.practice.controls import controls, groups, mappings, to_oscal
from stillwatch.practice.playbook import playbooks
from stillwatch.share import atlas

ROOT = Path(__file__).resolve().parents[2]
TRESTLE = ROOT / ".cache" / "oscal" / "bin" / "python"
AISVS = {
    "11.2.2", "11.3.1", "11.3.2", "11.3.3", "11.3.4", "12.1.1", "12.1.2", "12.1.3", "12.2.2", "12.2.3", "12.2.4",
    "12.2.5", "12.4.2", "12.5.3",
}  # fmt: skip
"""Requirements of AISVS 1.0 (July 2026) that were looked up there."""
EVERY = pytest.mark.parametrize("one", list(controls()), ids=lambda one: one.id)


@EVERY
def test_a_control_is_mapped_to_what_exists(one) -> None:
    """Mitigations of the vendored ATLAS, requirements of AISVS 1.0."""
    for id in one.atlas:
        atlas.entry(id, atlas.MITIGATION)
    assert set(one.aisvs) <= AISVS
    assert re.fullmatch(rf"{one.group}-\d", one.id)


def test_all_of_model_extraction_defence_is_covered() -> None:
    """AISVS C11.3, its C11.5 in drafts, requirement by requirement, and the risk that names model cloning."""
    covered = {id for one in controls() for id in one.aisvs}
    assert {"11.3.1", "11.3.2", "11.3.3", "11.3.4"} <= covered
    assert any("owasp-llm" in mappings(one) for one in controls())


def test_playbooks_serve_controls_that_exist() -> None:
    """And ids are used once."""
    ids = [one.id for one in controls()]
    assert len(ids) == len(set(ids))
    assert {id for one in playbooks() for id in one.controls} <= set(ids)


def test_the_page_lists_every_control() -> None:
    """Undocumented is unfinished."""
    page = (ROOT / "docs" / "practice.md").read_text("utf-8")
    assert [one.id for one in controls() if f"`{one.id}`" not in page] == []


def read_oscal(kind: str, path: Path) -> str:
    """The title of a document, as trestle reads it."""
    if not TRESTLE.exists():
        pytest.skip("compliance-trestle is not installed in .cache/oscal; `make oscal` installs it")
    done = subprocess.run(
        [TRESTLE, ROOT / "scripts" / "read_oscal.py", kind, path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


def test_the_catalogue_is_oscal(tmp_path: Path) -> None:
    """compliance-trestle reads it by NIST's models, and refuses one that is not."""
    path = tmp_path / "catalogue.json"
    path.write_text(json.dumps(to_oscal()))
    assert "distillation" in read_oscal("catalog", path)
    assert to_oscal() == to_oscal()
    broken = to_oscal()
    broken["catalog"]["groups"][0]["controls"][0]["id"] = "no id at all"
    path.write_text(json.dumps(broken))
    with pytest.raises(AssertionError):
        read_oscal("catalog", path)


def test_links_lead_to_resources() -> None:
    """Every reference is in the back matter."""
    made = to_oscal()["catalog"]
    there = {f"#{resource['uuid']}" for resource in made["back-matter"]["resources"]}
    used = {link["href"] for g in made["groups"] for c in g["controls"] for link in c.get("links", ())}
    assert used == there
    assert len(groups()) == len(made["groups"])


def test_list_show_and_export(run, tmp_path: Path) -> None:
    """As a user meets them; nothing is overwritten."""
    assert "acc-2" in run("control", "list").stdout
    assert "AML.M0004" in run("control", "show", "acc-2").stdout
    assert run("control", "export", "--out", "c.json").exit_code == 0
    assert json.loads((tmp_path / "c.json").read_text()) == to_oscal()
    assert "exists already" in run("control", "export", "--out", "c.json").stderr
    assert "no control" in run("control", "show", "acc-9").stderr
