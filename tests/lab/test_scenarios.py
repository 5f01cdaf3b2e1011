"""Scenario files are data: they load, and nothing unknown passes."""

from __future__ import annotations

from pathlib import Path

import pytest

import stillwatch.lab as lab
from stillwatch.errors import ConfigError
from stillwatch.lab.__main__ import main
from stillwatch.lab.honest import CLASSES

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
