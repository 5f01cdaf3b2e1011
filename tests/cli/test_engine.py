"""Asking for an engine on the command line."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from stillwatch.cli import main
from stillwatch.errors import ConfigError
from stillwatch.settings import Settings, settings_digest
from tests.e2e.driving import cli, process


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


def test_a_master_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan on it ends at once, says so, and leaves nothing behind."""
    pytest.importorskip("pyspark", reason="needs the extra: pip install 'stillwatch[spark]'")
    monkeypatch.setattr("stillwatch.store.spark._find_java", lambda: None)
    log, out = tmp_path / "log.jsonl", tmp_path / "report"
    log.write_text("{}\n", encoding="utf-8")
    with socket.socket() as taken:  # bound, and not listening: nobody can be there
        taken.bind(("127.0.0.1", 0))
        master = f"spark://127.0.0.1:{taken.getsockname()[1]}"
        done = cli("scan", log, "--engine", "spark", "--master", master, "--out", out)
    assert done.status == 2
    assert f"no Spark master answers at {master}" in done.err and "check the address" in done.err
    assert list(tmp_path.iterdir()) == [log]


def test_a_java_that_does_not_start(tmp_path: Path) -> None:
    """A Java that ends at once, as one without the modules that Spark asks for does, is said to be at fault."""
    pytest.importorskip("pyspark", reason="needs the extra: pip install 'stillwatch[spark]'")
    log, java = tmp_path / "log.jsonl", tmp_path / "bin" / "java"
    log.write_text("{}\n", encoding="utf-8")
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'Module jdk.incubator.vector not found' >&2\nexit 1\n", encoding="utf-8")
    java.chmod(0o755)
    done = process("scan", log, "--engine", "spark", "--out", tmp_path / "out", JAVA_HOME=str(tmp_path))
    assert done.status == 2 and "jdk.incubator.vector" in done.err
    assert "error: Java ended before Spark had started" in done.err and "full Java 17 or 21" in done.err
    assert not (tmp_path / "out").exists()
