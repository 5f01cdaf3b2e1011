"""A store in an object store: written, read, expired and forgotten through a server that speaks S3."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import objects
from tests.e2e.test_store import A_DAY, DAYS, logs

pytestmark = pytest.mark.skipif(objects.missing() is not None, reason=str(objects.missing()))
PROGRAM = "from stillwatch.cli import main; main()"


class Client:
    """Runs the program against the server."""

    def __init__(self, place: Path, env: dict[str, str]) -> None:
        self.place, self.env = place, {**os.environ, **env}

    def run(self, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
        """One command in a process of its own."""
        return subprocess.run(
            [sys.executable, "-c", PROGRAM, *args], capture_output=True, text=True, env={**self.env, **env},
            cwd=self.place, check=False, timeout=300,
        )  # fmt: skip

    def told(self, *args: str) -> Any:
        """The JSON that a command prints."""
        done = self.run(*args, "--json", "--quiet")
        assert done.returncode in (0, 10), done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server with a store and raw logs in one bucket."""
    place = tmp_path_factory.mktemp("s3")
    logs(place / "logs")
    with objects.served("bucket") as env:
        client = Client(place, env)
        assert client.run("key", "new", "--out", "k").returncode == 0
        added = client.told("store", "add", "s3://bucket/archive", "logs", "--key-file", "k")
        assert added["rows"] == DAYS * A_DAY
        yield client


def test_it_is_written_and_read_there(client: Client) -> None:
    """A scan of the bucket says of every count what a scan of the logs says, and can read some days alone."""
    there = client.told("scan", "s3://bucket/archive", "--key-file", "k")
    here = client.told("scan", "logs", "--key-file", "k")
    assert there["counts"] == here["counts"]
    some = client.told("scan", "s3://bucket/archive", "--key-file", "k", "--since", "2026-11-23")
    assert some["counts"]["exchanges"] == A_DAY
    assert len(some["inputs"]) == 1


def test_raw_logs_are_read_there(client: Client) -> None:
    """Logs as they are, compressed or not, one by name or all under a prefix."""
    import fsspec

    system = fsspec.filesystem("s3", endpoint_url=client.env["AWS_ENDPOINT_URL"], key="test", secret="test")
    for number in range(2):
        system.put_file(str(client.place / "logs" / f"{number}.jsonl"), f"bucket/raw/{number}.jsonl")
    system.pipe_file("bucket/raw/.hidden", b"no log")
    assert client.told("scan", "s3://bucket/raw", "--key-file", "k")["counts"]["exchanges"] == 2 * A_DAY
    assert client.told("scan", "s3://bucket/raw/0.jsonl", "--key-file", "k")["counts"]["exchanges"] == A_DAY


def test_days_and_a_customer_go_there(client: Client) -> None:
    """Expiry and deletion change the bucket as they change a folder."""
    gone = client.told("store", "forget", "s3://bucket/archive", "--account", "acct-0", "--yes")
    assert (gone["rows"], gone["files"]) == (12, 2)
    old = client.told(
        "store", "expire", "s3://bucket/archive", "--keep-days", "3", "--today", "2026-11-23", "--yes"
    )
    assert old["days"] == ["2026-11-20"]
    shown = client.told("store", "show", "s3://bucket/archive")
    assert [(day["day"], day["rows"]) for day in shown["days"]] == [
        ("2026-11-21", A_DAY - 6), ("2026-11-22", A_DAY), ("2026-11-23", A_DAY),
    ]  # fmt: skip
    assert shown["unfinished_deletion"] is False


def test_a_watch_reads_each_object_once(client: Client) -> None:
    """New and changed objects alone are read; a store that does not answer harms nothing; a scan reads the same."""
    import fsspec

    system = fsspec.filesystem("s3", endpoint_url=client.env["AWS_ENDPOINT_URL"], key="test", secret="test")
    text = [(client.place / "logs" / f"{number}.jsonl").read_bytes() for number in range(DAYS)]
    once = ("watch", "s3://bucket/live", "--key-file", "k", "--out", "live", "--looks", "1", "--once")
    empty = client.told(*once)
    assert (empty["read"]["files"], empty["look"]) == (0, None)
    system.pipe_file("bucket/live/a/0.jsonl", text[0])
    system.pipe_file("bucket/live/.hidden", b"no log")
    first = client.told(*once)
    assert (first["read"]["files"], first["read"]["rows"], first["read"]["refused"]) == (1, A_DAY, 0)
    system.pipe_file("bucket/live/a/0.jsonl", text[0] + text[1])
    system.pipe_file("bucket/live/b/2.jsonl", gzip.compress(text[2]))
    deaf = client.run(*once, AWS_ENDPOINT_URL="http://127.0.0.1:9", AWS_MAX_ATTEMPTS="1")
    assert (deaf.returncode, "Traceback" in deaf.stderr, "hint:" in deaf.stderr) == (2, False, True)
    second = client.told(*once)
    assert (second["read"]["files"], second["read"]["rows"]) == (2, 3 * A_DAY)
    assert client.told(*once)["read"]["files"] == 0
    status = client.told("watch", "--status", "--out", "live")
    assert (status["counts"]["logs"], status["useless"]) == (2, [])
    there = client.told("scan", "s3://bucket/live", "--key-file", "k")
    here = client.told("scan", "live.state/features", "--key-file", "k")
    assert here["counts"]["exchanges"] == there["counts"]["exchanges"] == 3 * A_DAY
    assert here["counts"]["accounts"] == there["counts"]["accounts"]


def test_what_is_not_there_is_said(client: Client) -> None:
    """A prefix without objects, a bucket that does not exist and a server that does not answer: one line and a hint."""
    for address in ("s3://bucket/nothing", "s3://nobucket/x"):
        done = client.run("scan", address, "--key-file", "k")
        assert done.returncode == 2, done.stderr
        assert "hint:" in done.stderr
        assert "Traceback" not in done.stderr
    deaf = client.run("scan", "s3://bucket/archive", "--key-file", "k", AWS_ENDPOINT_URL="http://127.0.0.1:9",
                      AWS_MAX_ATTEMPTS="1")  # fmt: skip
    assert deaf.returncode == 2, deaf.stderr
    assert "test" not in deaf.stderr
