"""A standalone Spark cluster on the loopback: one master and two workers, each a process of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""Options of Java for processes that end before its better compiler pays."""
CONFIGURATION = f"""\
spark.driver.host 127.0.0.1
spark.driver.bindAddress 127.0.0.1
spark.driver.extraJavaOptions {SHORT_LIVED}
spark.executor.extraJavaOptions {SHORT_LIVED}
spark.executor.cores 1
spark.executor.memory 800m
spark.ui.enabled false
spark.sql.shuffle.partitions 4
spark.shuffle.io.maxRetries 1
spark.shuffle.io.retryWait 1s
"""
STARTED_WITHIN_S = 120.0
ENDED_WITHIN_S = 30.0
DRAINED_S = 0.3
"""Until a worker has written down what its stopped executor had said."""


def spark_or_skip() -> Path:
    """Spark's home; the test is skipped where Spark or Java is missing."""
    pyspark = pytest.importorskip("pyspark", reason="needs the extra: pip install 'stillwatch[spark]'")
    if not os.environ.get("JAVA_HOME") and not shutil.which("java"):
        pytest.skip("needs Java: make java")
    return Path(pyspark.__file__).parent


def configured(folder: Path) -> Path:
    """A folder for ``SPARK_CONF_DIR``."""
    folder.mkdir(parents=True)
    (folder / "spark-defaults.conf").write_text(CONFIGURATION, encoding="utf-8")
    return folder


class Cluster:
    """Started in its folder; each process leads a group, and is ended with what it has started, by its id."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, spark_or_skip()
        self.conf = configured(folder / "conf")
        self.processes: list[subprocess.Popen[bytes]] = []
        self._logs: list[Path] = []
        try:
            self._start("master", "org.apache.spark.deploy.master.Master", "--port", "0")
            self.url = self._told(0, r"Starting Spark master at (spark://\S+)")
            for name in ("first", "second"):
                self._start(
                    name, "org.apache.spark.deploy.worker.Worker", "--cores", "1", "--memory", "900m",
                    "--work-dir", folder / name, self.url,
                )  # fmt: skip
            for number in (1, 2):
                self._told(number, r"(Successfully registered)")
        except BaseException:
            self.stop()
            raise

    def environment(self) -> dict[str, str]:
        """What a program that uses the cluster must see."""
        return {"SPARK_CONF_DIR": str(self.conf), "SPARK_LOCAL_IP": "127.0.0.1"} | {
            name: os.environ[name] for name in ("JAVA_HOME",) if name in os.environ
        }

    def finished(self, worker: str) -> int:
        """How many tasks the executors of a worker have finished."""
        return self._said(worker, "Finished task")

    def kill_first_at_work(self, give_up: Callable[[], bool]) -> int:
        """End the first worker and its executor at once, as when a machine dies, while a task of it runs.

        The executor is stopped before one looks, and goes on when it had nothing to do.

        Returns:
            How many of its tasks were running.
        """
        worker = self.processes[1]
        while not give_up():
            executor = next((pid for pid in _children(worker.pid) if b"CoarseGrained" in _command(pid)), None)
            if executor is not None:
                os.kill(executor, signal.SIGSTOP)
                time.sleep(DRAINED_S)
                begun = self._said("first", "Running task") - self._said("first", "Exception in task")
                if (at_work := begun - self.finished("first")) > 0:
                    self._end(worker)
                    return at_work
                os.kill(executor, signal.SIGCONT)
            time.sleep(0.05)
        raise AssertionError("the first worker was never seen at work")

    def stop(self) -> None:
        """End what is left."""
        for process in reversed(self.processes):
            self._end(process)

    def left(self) -> list[int]:
        """Processes that still run under this cluster's configuration, after they had time to end."""
        mark, end = f"SPARK_CONF_DIR={self.conf}".encode(), time.monotonic() + ENDED_WITHIN_S
        while (running := _with(mark)) and time.monotonic() < end:
            time.sleep(0.2)
        return running

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _said(self, worker: str, words: str) -> int:
        logs = (self.folder / worker).glob("app-*/*/stderr")
        return sum(log.read_text(errors="replace").count(words) for log in logs)

    def _start(self, name: str, kind: str, *options: object) -> None:
        log = self.folder / f"{name}.log"
        own = {
            "SPARK_HOME": str(self.home),
            "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_DAEMON_JAVA_OPTS": SHORT_LIVED,
        }
        with log.open("wb") as out:
            self.processes.append(
                subprocess.Popen(
                    [self.home / "bin" / "spark-class", kind, "--host", "127.0.0.1", "--webui-port", "0",
                     *map(str, options)],
                    stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
                    env={**os.environ, **self.environment(), **own},
                )
            )  # fmt: skip
        self._logs.append(log)

    def _told(self, number: int, pattern: str) -> str:
        """What a process said of itself; it is waited for."""
        log, end = self._logs[number], time.monotonic() + STARTED_WITHIN_S
        while time.monotonic() < end:
            said = log.read_text(errors="replace")
            if found := re.search(pattern, said):
                return found.group(1)
            assert self.processes[number].poll() is None, said[-2000:]
            time.sleep(0.1)
        raise AssertionError(f"{log.name} did not say {pattern}")


def _children(parent: int) -> list[int]:
    """Ids of processes that this one started."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(entry.read_text(errors="replace").rpartition(")")[2].split()[1]) == parent:
                found.append(int(entry.parent.name))
    return found


def _command(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _with(mark: bytes) -> list[int]:
    """Ids of processes with these words in their environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if mark in entry.read_bytes().split(b"\0"):
                found.append(int(entry.parent.name))
    return found
