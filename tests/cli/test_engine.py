"""Asking for an engine on the command line."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from stillwatch.cli import main
from stillwatch.errors import ConfigError
from stillwatch.settings import Settings, settings_digest


def test_a_master_without_spark() -> None:
    """The address of a cluster alone is not taken for a wish to use it."""
    done = CliRunner().invoke(main, ["scan", "log.jsonl", "--master", "spark://head:7077"])
    assert done.exit_code == 2
    assert "--master is Spark's" in done.stderr and "add --engine spark" in done.stderr


@pytest.mark.parametrize("master", ["http://head", "head:7077", "", "spark://"])
def test_what_is_no_master(master: str) -> None:
    """The refusal lists what can be named."""
    with pytest.raises(ConfigError, match="not a Spark master") as told:
        Settings().with_engine("spark", master)
    assert "spark://HOST:PORT" in told.value.hint


def test_an_engine_changes_no_result() -> None:
    """The digest of settings, which is stamped on findings, does not depend on the engine."""
    assert settings_digest(Settings().with_engine("spark", "yarn")) == settings_digest(Settings())
