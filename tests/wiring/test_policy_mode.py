"""How far a policy is in force, changed in its own file."""

from __future__ import annotations

from pathlib import Path

import pytest

from stillwatch.errors import ConfigError
from stillwatch.records import Mode
from stillwatch.wiring.policy_files import read_policy, shipped_text
from stillwatch.wiring.policy_mode import loaded_by_a_gate, set_mode
from tests.protect.making import HEAD, rule


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A policy of two rules, the second with a mode of its own, and comments."""
    made = tmp_path / "policy.toml"
    made.write_text("# ours\n" + HEAD + rule("one") + "# behind one\n" + rule("two", more='mode = "enforce"'))
    return made


def seen(path: Path) -> str:
    """The digest of what a person looks at."""
    return read_policy(path).digest


def test_one_rule_is_changed_and_nothing_else(path: Path) -> None:
    """Its mode and the version; every other line is as it was."""
    before = path.read_text().splitlines()
    made = set_mode(path, mode=Mode.CANARY, canary_share=0.25, version="2", seen=seen(path), rule="one")
    assert {r.id: r.mode.value for r in made.rules} == {"one": "canary", "two": "enforce"}
    assert read_policy(path).digest == made.digest
    gone = [line for line in before if line not in path.read_text().splitlines()]
    assert gone == [line for line in before if line.startswith("version")]


def test_the_files_mode_holds_for_rules_that_name_none(path: Path) -> None:
    """A rule with a mode of its own keeps it."""
    made = set_mode(path, mode=Mode.CANARY, version="2", seen=seen(path))
    assert {r.id: r.mode.value for r in made.rules} == {"one": "canary", "two": "enforce"}


@pytest.mark.parametrize(("more", "match"), [
    ({"seen": "0" * 64}, "changed by somebody else"),
    ({"rule": "three"}, "no rule three"),
    ({"version": " "}, "a new version"),
    ({"canary_share": 0.5}, "share of a canary"),
    ({"mode": Mode.CANARY, "canary_share": 1.5}, "share of a canary"),
])  # fmt: skip
def test_what_cannot_be_changed_leaves_the_file_alone(
    path: Path, more: dict[str, object], match: str
) -> None:
    """Each with what to do."""
    before = path.read_bytes()
    wanted = {"mode": Mode.SHADOW, "version": "2", "seen": seen(path)} | more
    with pytest.raises(ConfigError, match=match) as refused:
        set_mode(path, **wanted)  # type: ignore[arg-type]  # one of them is wrong on purpose
    assert refused.value.hint
    assert path.read_bytes() == before


def test_the_policy_that_ships_can_be_changed_once_it_is_a_file(tmp_path: Path) -> None:
    """All its comments stay; a link to the file stays a link."""
    own, link = tmp_path / "own.toml", tmp_path / "policy.toml"
    own.write_text(shipped_text())
    link.symlink_to(own)
    made = set_mode(link, mode=Mode.ENFORCE, version="2", seen=seen(link))
    assert link.is_symlink()
    assert {r.mode for r in made.rules} == {Mode.ENFORCE}
    notes = [line for line in shipped_text().splitlines() if line.startswith("#")]
    assert [line for line in own.read_text().splitlines() if line.startswith("#")] == notes


def test_a_gate_that_has_it_in_force_has_kept_it(tmp_path: Path) -> None:
    """By its digest."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / f"{'a' * 64}.toml").write_text("")
    assert (loaded_by_a_gate(tmp_path, "a" * 64), loaded_by_a_gate(tmp_path, "b" * 64)) == (True, False)
