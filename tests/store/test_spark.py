"""What is said when Spark cannot be had."""

from __future__ import annotations

import re
import shutil
import socket
import sys
from pathlib import Path

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
    """No JAVA_HOME and none on the path: the error says what to install."""
    pytest.importorskip("pyspark", reason="needs the extra: pip install 'stillwatch[spark]'")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(ConfigError, match="Spark needs Java, and there is none") as told:
        open_spark("local")
    assert (
        "full Java 17 or 21" in told.value.hint
        and "apt-get install openjdk-17-jre-headless" in told.value.hint
    )


def test_a_java_home_without_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Spark looks nowhere else when JAVA_HOME is set, so a wrong one is refused by name."""
    pytest.importorskip("pyspark", reason="needs the extra: pip install 'stillwatch[spark]'")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(ConfigError, match="JAVA_HOME names no Java") as told:
        open_spark("local")
    assert "JAVA_HOME" in told.value.hint


@pytest.mark.parametrize(
    "master", ["spark://127.0.0.1:1", "spark://127.0.0.1:1,127.0.0.1:2", "spark://[::1]:1", "spark://host.invalid:7077",
               "spark://nohost", "spark://127.0.0.1:99999"],
)  # fmt: skip
def test_a_master_that_does_not_answer(master: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused by its address, before Spark is started."""
    pytest.importorskip("pyspark", reason="needs the extra: pip install 'stillwatch[spark]'")
    monkeypatch.setattr(spark, "_find_java", lambda: None)
    with pytest.raises(UpstreamError, match=re.escape(f"no Spark master answers at {master}")):
        open_spark(master)


def test_one_of_several_masters_answers() -> None:
    """A standby that is down is no reason to refuse."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        spark._answers(f"spark://127.0.0.1:1,127.0.0.1:{listening.getsockname()[1]}")


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
