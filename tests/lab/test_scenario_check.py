"""A slip in a scenario file or on the command line is one error that names file, key and what may stand there."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from stillwatch.errors import ConfigError
from stillwatch.lab import generate, load_scenario
from stillwatch.lab.__main__ import main
from stillwatch.lab.scenario import CampaignSpec, LookAlike, Ordinary, Scenario
from stillwatch.lab.scenario_check import LOOK_ALIKE, ORDINARY, SCENARIO, campaign_rules

START = "start = 2026-03-10\ndays = 1\n"
ATTACK = "[[campaigns]]\nvariant = 'code'\naccounts = 8\nexchanges_per_account = 3\n"


def _refused(tmp_path: Path, text: str, name: str = "mine.toml") -> ConfigError:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_scenario(path)
    return caught.value


@pytest.mark.parametrize(
    ("text", "key", "allowed"),
    [
        (START + "dayz = 2", "dayz", "did you mean days?"),
        ("start = 2026-03-10\ndays = 0", "days", "from 1"),
        ("start = 2026-03-10\ndays = 1.5", "days", "whole number"),
        ("start = 2026-03-10\ndays = true", "days", "whole number"),
        ("start = '2026-03-10'\ndays = 1", "start", "date"),
        ("start = 2026-03-10T00:00:00Z\ndays = 1", "start", "date"),
        ("start = 0001-01-01\ndays = 1", "start", "2000"),
        (START + "release_share = nan", "release_share", "from 0 to 1"),
        (START + "completions = 'long'", "completions", "none, short"),
        (START + "split = 'holdout'", "split", "develop, sealed, validate"),
        (START + "name = ''", "name", "text"),
        (START + "ordinary = 3", "ordinary", "[ordinary]"),
        (START + "[ordinary]\naccounts = -1", "ordinary.accounts", "from 0"),
        (START + "[ordinary]\nchat_share = 1.2", "ordinary.chat_share", "from 0 to 1"),
        (START + "[ordinary]\nvolume_sigma = nan", "ordinary.volume_sigma", "number"),
        (START + "[ordinary]\nexchanges_per_day = inf", "ordinary.exchanges_per_day", "number"),
        (START + "[ordinary]\nsentences = 'six'", "ordinary.sentences", "number"),
        (START + "[honest.byko]\nn_orgs = 1", "honest.byko", "did you mean byok?"),
        (START + "[honest.byok]\norgs = 1", "honest.byok.orgs", "n_orgs"),
        (START + "[honest.byok]\naccounts = [9, 3]", "honest.byok.accounts", "[least, most]"),
        (START + "[honest.byok]\nexchanges = 5", "honest.byok.exchanges", "[least, most]"),
        (START + "[every_honest]\nn_orgs = 1.5", "every_honest.n_orgs", "whole number"),
        (START + "[campaigns]\nlevel = 1", "campaigns", "[[campaigns]]"),
        (START + ATTACK + "level = 9", "campaigns[0].level", "from 0 to 8"),
        (START + ATTACK + "kind = 'attack'", "campaigns[0].kind", "campaign, framing, pool"),
        (START + ATTACK + "repeats = 0", "campaigns[0].repeats", "from 1"),
        (START + ATTACK + "start_share = 1.0", "campaigns[0].start_share", "below 1"),
        (START + ATTACK + "stealth = 1", "campaigns[0].stealth", "true or false"),
        (START + ATTACK + "also = ['telepathy']", "campaigns[0].also", "cot_math"),
        (START + ATTACK + "[campaigns.dials]\npadding = nan", "campaigns[0].dials", "numbers"),
        (START + "[every_campaign]\nlevle = 1", "every_campaign.levle", "did you mean level?"),
        ("days = 1", "start", "all it includes"),
        (
            START + "[[campaigns]]\nvariant = 'code'\naccounts = 8",
            "campaigns[0].exchanges_per_account",
            "includes",
        ),
    ],
)
def test_a_slip_names_file_key_and_what_is_allowed(tmp_path: Path, text: str, key: str, allowed: str) -> None:
    """One error, the same whatever is wrong."""
    error = _refused(tmp_path, text)
    assert error.message.startswith("mine.toml: ")
    assert key in error.message
    assert allowed in error.hint


def test_the_included_file_is_named_when_the_slip_is_there(tmp_path: Path) -> None:
    """Whoever reads the message opens the right file."""
    (tmp_path / "base.toml").write_text(START + "[honest.byok]\nn_orgs = -1", encoding="utf-8")
    assert _refused(tmp_path, "include = ['base.toml']").message.startswith("base.toml: honest.byok.n_orgs")


@pytest.mark.parametrize(
    "name", ["../outside.toml", "/etc/passwd", "inner/../../outside.toml", "link.toml", "notes.txt"]
)
def test_includes_stay_in_the_folder(tmp_path: Path, name: str) -> None:
    """No way up, no absolute path, no link that leads out, no other kind of file."""
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "inner").mkdir()
    (inside / "notes.txt").write_text("", encoding="utf-8")
    (tmp_path / "outside.toml").write_text(START, encoding="utf-8")
    (inside / "link.toml").symlink_to(tmp_path / "outside.toml")
    assert "include" in _refused(inside, f"include = ['{name}']").message


def test_includes_in_a_circle_are_named(tmp_path: Path) -> None:
    """The hint shows the way round."""
    (tmp_path / "b.toml").write_text("include = ['a.toml']", encoding="utf-8")
    error = _refused(tmp_path, "include = ['b.toml']", "a.toml")
    assert "circle" in error.message
    assert error.hint == "a.toml > b.toml > a.toml"


@pytest.mark.parametrize("text", ["include = 'b.toml'", "include = [1]"])
def test_include_is_a_list_of_names(tmp_path: Path, text: str) -> None:
    """A lone text is no list of letters."""
    assert "list of files" in _refused(tmp_path, text).hint


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are no traceback."""
    (tmp_path / "mine.toml").write_bytes(b"days = 1 # \xff")
    with pytest.raises(ConfigError, match=r"mine\.toml"):
        load_scenario(tmp_path / "mine.toml")


def test_every_key_has_a_rule() -> None:
    """What the dataclasses hold is what the rules know, so that no key goes unchecked."""
    tables = {"ordinary", "honest", "campaigns", "changes"}
    assert set(SCENARIO) == {f.name for f in fields(Scenario)} - tables
    assert set(ORDINARY) == {f.name for f in fields(Ordinary)}
    assert set(LOOK_ALIKE) == {f.name for f in fields(LookAlike)}
    assert set(campaign_rules()) == {f.name for f in fields(CampaignSpec)}


def test_no_rule_takes_everything() -> None:
    """Each key refuses a number that is none, and the emptiest table."""
    for rules in (SCENARIO, ORDINARY, LOOK_ALIKE, campaign_rules()):
        for key, rule in rules.items():
            assert not rule.fits(float("nan")), key
            assert not rule.fits(None), key
            assert rule.words


def test_changes_of_every_campaign_keep_its_other_dials(tmp_path: Path) -> None:
    """Tables merge key by key, here too."""
    (tmp_path / "base.toml").write_text(START + ATTACK + "[campaigns.dials]\npadding = 0.5", encoding="utf-8")
    (tmp_path / "top.toml").write_text(
        "include = ['base.toml']\n[every_campaign.dials]\nstaged = 0.2", encoding="utf-8"
    )
    assert load_scenario(tmp_path / "top.toml").campaigns[0].dials == {"padding": 0.5, "staged": 0.2}


def test_changes_from_the_command_line_stand_above_the_file() -> None:
    """Numbers, lists, words and changes for all; the world goes by another name and has another digest."""
    plain = load_scenario("ladder_L1")
    given = {
        "days": "2", "ordinary.accounts": "500", "honest.byok.exchanges": "[3, 4]", "every_campaign.level": "4",
        "split": "develop",
    }  # fmt: skip
    found = load_scenario("ladder_L1", given)
    assert (found.days, found.ordinary.accounts, found.honest["byok"].exchanges) == (2, 500, (3, 4))
    assert {c.level for c in found.campaigns} == {4}
    assert found.honest["byok"].n_orgs == plain.honest["byok"].n_orgs
    assert found.name.startswith("ladder_L1+days=2")
    assert found.digest != plain.digest
    assert load_scenario("ladder_L1", {"name": "other"}).name == "other"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"days": "0"}, "days is 0"),
        ({"ordinary.chat_share": "nan"}, "chat_share"),
        ({"ordinary.acounts": "3"}, "ordinary.acounts"),
        ({"include": "['x.toml']"}, "include"),
        ({"changes": "{}"}, "changes"),
        ({"days": "1\nsplit = 'sealed'"}, "more than one"),
        ({"days": ""}, "-P days="),
        ({"a b": "1"}, "not a name"),
        ({"every_campaign.level": "9"}, "level"),
        ({"name": '"\\u0007"'}, "name"),
    ],
)
def test_changes_are_checked_like_the_file(change: dict[str, str], said: str) -> None:
    """The error says that the slip stands on the command line."""
    with pytest.raises(ConfigError) as caught:
        load_scenario("smoke", change)
    assert caught.value.message.startswith("-P")
    assert said in caught.value.message


def test_the_world_records_its_changes(tmp_path: Path) -> None:
    """``world.json`` has them as given, and the name that tells them."""
    chosen = ["smoke", "--scale", "0.2", "-P", "ordinary.accounts=90", "--out", str(tmp_path / "a")]
    assert main(chosen) == 0
    about = json.loads((tmp_path / "a" / "world.json").read_text())
    assert about["changes"] == {"ordinary.accounts": "90"}
    assert about["scenario"] == about["family"]["scenario"] == "smoke+ordinary.accounts=90"
    generate(load_scenario("smoke"), seed=1, scale=0.2, out=tmp_path / "b")
    assert json.loads((tmp_path / "b" / "world.json").read_text())["changes"] == {}


def test_a_change_without_a_value_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2 and words."""
    assert main(["smoke", "-P", "days", "--out", str(tmp_path / "a")]) == 2
    assert "-P days: no value" in capsys.readouterr().err
