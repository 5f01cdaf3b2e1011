"""Settings: one frozen tree, unknown keys refused, secrets without a default."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from pydantic import ValidationError

from stillwatch.errors import ConfigError
from stillwatch.settings import (
    DetectSettings,
    PrivacySettings,
    RunSettings,
    Settings,
    load_key,
    load_settings,
    parse_settings,
    setting_rows,
    settings_digest,
    settings_toml,
)


def test_the_defaults_are_those_of_the_contract() -> None:
    """Text is not kept and the thresholds are the documented ones unless someone says otherwise."""
    settings = Settings()
    assert settings.privacy.content == "features"
    detect = settings.detect
    assert (detect.kappa, detect.alpha_controller, detect.alpha_shape, detect.alpha_review) == (
        3.0,
        1e-4,
        0.01,
        0.05,
    )
    assert (detect.hub_min, detect.hub_max, detect.hub_sample, detect.seed) == (5, 60_000, 5_000, 2026)


def test_every_setting_has_help_and_a_unit() -> None:
    """A setting that cannot be explained is not offered."""
    for row in setting_rows():
        assert row.help.endswith("."), row.name
        assert row.unit, row.name


def test_settings_cannot_be_changed_after_they_are_read() -> None:
    """The tree is frozen at every level."""
    settings = Settings()
    with pytest.raises(ValidationError):
        settings.detect.kappa = 9.0  # type: ignore[misc]
    with pytest.raises(ValidationError):
        settings.run = RunSettings()  # type: ignore[misc]


def test_no_file_means_the_defaults(tmp_path: Path) -> None:
    """A folder without stillwatch.toml gives the defaults; a named file must exist."""
    assert load_settings(folder=tmp_path) == Settings()
    with pytest.raises(ConfigError, match="no such file"):
        load_settings(tmp_path / "absent.toml")


def test_what_show_prints_can_be_read_back(tmp_path: Path) -> None:
    """`settings show` is a settings file."""
    changed = Settings(detect=DetectSettings(kappa=4.5, disabled_traits=("payment", "template")))
    path = tmp_path / "stillwatch.toml"
    path.write_text(settings_toml(changed))
    assert load_settings(path) == changed
    assert load_settings(folder=tmp_path) == changed


@pytest.mark.parametrize(
    ("data", "message", "hint"),
    [
        ({"detect": {"kapa": 4}}, "detect.kapa: no such setting", "did you mean detect.kappa?"),
        ({"detekt": {}}, "detekt: no such setting", "did you mean detect?"),
        ({"zzz": 1}, "zzz: no such setting", "settings show"),
        ({"detect": {"kappa": 0.5}}, "detect.kappa: ", "settings show"),
        ({"detect": {"kappa": "3"}}, "detect.kappa: ", "settings show"),
        ({"detect": {"hub_min": 9, "hub_max": 8}}, "hub_min must not be above", "settings show"),
        ({"detect": {"alpha_review": 0.001}}, "alpha_review must not be below", "settings show"),
        ({"privacy": {"content": "all"}}, "privacy.content", "settings show"),
        (
            {"evidence": {"witnesses": ["http://a.test KEY", "http://b.test KEY"]}},
            "one key twice",
            "settings show",
        ),
        ({"run": {"memory_limit": "plenty"}}, "run.memory_limit", "settings show"),
    ],
)
def test_an_unusable_setting_is_named(data: dict, message: str, hint: str) -> None:
    """The error says where, the hint says what next."""
    with pytest.raises(ConfigError) as caught:
        parse_settings(data, where="a.toml")
    assert str(caught.value).startswith("a.toml: ")
    assert message in str(caught.value)
    assert hint in caught.value.hint


def test_a_time_without_a_zone_is_refused(tmp_path: Path) -> None:
    """Every time is UTC, so a local time would be a guess."""
    path = tmp_path / "s.toml"
    path.write_text("[ingest]\nlatest = 2026-01-01T00:00:00\n")
    with pytest.raises(ConfigError, match="time zone"):
        load_settings(path)
    path.write_text("[ingest]\nlatest = 2026-01-01T02:00:00+02:00\n")
    latest = load_settings(path).ingest.latest
    assert latest is not None
    assert latest.isoformat() == "2026-01-01T00:00:00+00:00"


def test_broken_toml_is_a_config_error(tmp_path: Path) -> None:
    """No traceback for a missing bracket, nor for a file in another encoding."""
    path = tmp_path / "s.toml"
    path.write_text("[detect\n")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_settings(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_settings(path)


def test_the_digest_covers_what_shapes_a_result_and_nothing_else() -> None:
    """Threads and the place of the key change no finding; kappa does."""
    base = settings_digest(Settings())
    assert settings_digest(Settings(run=RunSettings(threads=3, memory_limit="1GB"))) == base
    assert settings_digest(Settings().with_key_file("elsewhere")) == base
    assert settings_digest(Settings(detect=DetectSettings(seed=1))) != base
    assert settings_digest(Settings(privacy=PrivacySettings(content="retain"))) != base


def test_there_is_no_default_key() -> None:
    """Without a key the run does not start, and the hint shows how to make one."""
    for env in ({}, {"STILLWATCH_KEY": "  "}):
        with pytest.raises(ConfigError) as caught:
            load_key(Settings(), env)
        assert "stillwatch key new" in caught.value.hint


def test_hexadecimal_is_decoded_and_other_text_is_hashed(key: str) -> None:
    """32 bytes in hexadecimal, or any 32 characters."""
    assert load_key(Settings(), {"STILLWATCH_KEY": key + "\n"}) == bytes.fromhex(key)
    phrase = "a phrase that is long enough to be used"
    assert load_key(Settings(), {"STILLWATCH_KEY": phrase}) == hashlib.sha256(phrase.encode()).digest()


@pytest.mark.parametrize("short", ["abc", "5a" * 31, "hunter2 hunter2 hunter2"])
def test_a_short_key_is_refused_and_not_repeated(short: str) -> None:
    """The error never shows key material."""
    with pytest.raises(ConfigError, match="too short") as caught:
        load_key(Settings(), {"STILLWATCH_KEY": short})
    assert short not in str(caught.value) + caught.value.hint


def test_a_key_file_must_be_private_and_wins(tmp_path: Path, key: str) -> None:
    """A file that others can read is refused with the command that mends it."""
    path = tmp_path / "k"
    path.write_text(key)
    path.chmod(0o644)
    settings = Settings().with_key_file(str(path))
    with pytest.raises(ConfigError) as caught:
        load_key(settings, {})
    assert "chmod 600" in caught.value.hint
    path.chmod(0o600)
    assert load_key(settings, {"STILLWATCH_KEY": "00" * 32}) == bytes.fromhex(key)
    path.unlink()
    with pytest.raises(ConfigError, match="no such file"):
        load_key(settings, {})
