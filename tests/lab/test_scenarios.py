"""Scenario files are data: they load, and nothing unknown passes."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest

import stillwatch.lab as lab
from stillwatch.errors import ConfigError
from stillwatch.lab.__main__ import main
from stillwatch.lab.honest import CLASSES
from stillwatch.lab.scenario import CampaignSpec, LookAlike, Ordinary, Scenario

BUILT_IN = sorted(p.stem for p in (Path(lab.__file__).parent / "scenarios").glob("*.toml"))


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_scenarios_load(name: str) -> None:
    """Every built-in scenario is well formed."""
    assert lab.load_scenario(name).days >= 1


def test_the_promised_scenarios_exist() -> None:
    """Demo, ladder, extremes, look-alikes, benign and speed are built in."""
    promised = {"demo_day", "extremes", "lookalikes", "benign", "speed", *(f"ladder_L{i}" for i in range(7))}
    assert promised <= set(BUILT_IN)


def test_lookalikes_hold_a_hundred_organisations_of_every_class() -> None:
    """The false-positive scenario is large enough for a one per cent bound to mean something."""
    found = lab.load_scenario("lookalikes")
    assert set(found.honest) == set(CLASSES)
    assert all(c.n_orgs >= 100 for c in found.honest.values())
    assert not found.campaigns


@pytest.mark.parametrize(
    "extra",
    [
        "colour = 1",
        "split = 'holdout'",
        "[honest.martians]\nn_orgs = 1",
        "[honest.byok]\norgs = 1",
        "[[campaigns]]\nvariant = 'cot_math'\naccounts = 5\nexchanges_per_account = 3\nlevel = 9",
        "[[campaigns]]\nvariant = 'telepathy'\naccounts = 5\nexchanges_per_account = 3",
    ],
)
def test_unknown_keys_are_refused(tmp_path: Path, extra: str) -> None:
    """A key, class, level or variant nobody knows stops the start."""
    path = tmp_path / "odd.toml"
    path.write_text(f"start = 2026-03-10\ndays = 1\n{extra}\n", encoding="utf-8")
    with pytest.raises(ConfigError):
        lab.load_scenario(path)


def test_an_unknown_name_lists_the_known_ones() -> None:
    """The hint says what could be asked for."""
    with pytest.raises(ConfigError) as caught:
        lab.load_scenario("atlantis")
    assert "demo_day" in caught.value.hint


def test_the_module_entry_reports_an_unknown_scenario(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2 and words on standard error."""
    assert main(["atlantis", "--out", str(tmp_path)]) == 2
    assert "atlantis" in capsys.readouterr().err


def _write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")


def test_files_build_on_each_other(tmp_path: Path) -> None:
    """Included first, changes for all next, the file's own words last; campaigns are appended."""
    attack = "variant = 'code'\naccounts = 8\nexchanges_per_account = 3"
    _write(
        tmp_path,
        base="start = 2026-03-10\ndays = 1\n[honest.byok]\nn_orgs = 2\nexchanges = [5, 6]\n"
        f"[honest.agency]\nn_orgs = 9\n[[campaigns]]\n{attack}\nlevel = 1",
        top="include = ['base.toml']\ndays = 3\n[every_honest]\nn_orgs = 4\n[honest.agency]\nn_orgs = 1\n"
        f"[every_campaign]\nlevel = 5\n[[campaigns]]\n{attack}\nlevel = 2",
    )
    found = lab.load_scenario(tmp_path / "top.toml")
    assert (found.days, found.name) == (3, "top")
    assert (found.honest["byok"].n_orgs, found.honest["byok"].exchanges) == (4, (5, 6))
    assert found.honest["agency"].n_orgs == 1
    assert [c.level for c in found.campaigns] == [5, 2]


def test_built_in_files_can_be_included_from_anywhere(tmp_path: Path) -> None:
    """A file of one's own builds on the shipped week."""
    _write(tmp_path, mine="include = ['parts/honest_week.toml']\nstart = 2026-03-10\ndays = 1")
    assert set(lab.load_scenario(tmp_path / "mine.toml").honest) == set(CLASSES)


@pytest.mark.parametrize("text", ["include = ['nowhere.toml']", "include = ['odd.toml']", "days = = 1"])
def test_missing_circular_and_broken_files_are_refused(tmp_path: Path, text: str) -> None:
    """A file that is not there, includes itself or is not TOML stops the start."""
    _write(tmp_path, odd=text)
    with pytest.raises(ConfigError):
        lab.load_scenario(tmp_path / "odd.toml")


def test_every_rung_has_the_same_composition() -> None:
    """The ladder's worlds differ in the rung alone."""
    rungs = [lab.load_scenario(f"ladder_L{i}") for i in range(7)]
    assert [{c.level for c in r.campaigns} for r in rungs] == [{i} for i in range(7)]
    shapes = {
        json.dumps([r.days, asdict(r.ordinary), [replace(c, level=0) for c in r.campaigns]], default=str)
        for r in rungs
    }
    assert len(shapes) == 1


def test_splits_are_assigned() -> None:
    """Something to develop on, something to choose on, something sealed; an unknown split is refused."""
    splits = {name: lab.load_scenario(name).split for name in BUILT_IN}
    assert splits["demo_day"] == "develop"
    assert splits["ladder_L3"] == "validate"
    assert "sealed" in splits.values()


def test_the_digest_follows_the_content_and_not_the_words() -> None:
    """Another description is the same world; another day is not."""
    one = lab.load_scenario("demo_day")
    assert replace(one, description="other").digest == one.digest
    assert replace(one, days=2).digest != one.digest


def test_every_key_is_documented() -> None:
    """Each key a scenario file may have is named in the lab's pages."""
    pages = (Path(__file__).parents[2] / "docs").glob("lab*.md")
    text = "".join(p.read_text(encoding="utf-8") for p in pages)
    keys = [f.name for kind in (Scenario, Ordinary, LookAlike, CampaignSpec) for f in fields(kind)]
    keys.remove("changes")  # set by -P, not by a file
    shown = {"honest": "[honest.", "campaigns": "[[campaigns]]", "ordinary": "[ordinary]"}
    assert [k for k in keys if f"`{k}`" not in text and f"`{shown.get(k, '?')}" not in text] == []
