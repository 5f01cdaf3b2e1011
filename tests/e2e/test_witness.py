"""A witness as its keeper runs it, beside the log of somebody else."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.driving import cli, command, environment

pytest.importorskip("uvicorn", reason="pip install 'stillwatch[gateway]'")


def settings_of(folder: Path, witness: str = "") -> Path:
    """Settings of one party, with keys and log in a folder of its own."""
    folder.mkdir(exist_ok=True)
    path = folder / "s.toml"
    more = f"witnesses = ['{witness}']\nwitnesses_needed = 1\n" if witness else ""
    path.write_text(
        f'[evidence]\nkeys = "{folder}/keys"\nlog = "{folder}/log"\norigin = "log.example/e"\n{more}'
    )
    return path


@contextmanager
def witnessing(folder: Path, *logs: str) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """A witness on a free port, ended whatever happens: the process, its line for settings, what it said."""
    named = [part for key in logs for part in ("--log", key)]
    args = command("evidence", "witness", "--name", "w.example", *named, "--folder", folder / "signed",
                   "--listen", "127.0.0.1:0", "--settings", settings_of(folder))  # fmt: skip
    process = subprocess.Popen(args, env=environment(), stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said: list[str] = []
    try:
        for line in process.stderr:
            said.append(line)
            if found := re.search(r"witnesses = \['(.*)'\]", line):
                yield process, found[1], said
                break
        else:
            pytest.fail("".join(said))
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(60)
        process.stderr.close()


def added(settings: Path, name: str) -> tuple[int, str]:
    """Log a file; exit status and what was said."""
    path = settings.parent / name
    path.write_text(name)
    done = cli("evidence", "log", "add", "share", path, "--settings", settings)
    return done.status, done.err


def test_a_log_and_its_witness(tmp_path: Path) -> None:
    """What grew is signed, also after the witness was started again; a log that was begun anew under the same name and
    key is refused; nonsense is answered; SIGTERM ends it with 0."""
    lab, archive = tmp_path / "lab", tmp_path / "archive"
    for role, settings in (("log", settings_of(lab)), ("witness", settings_of(archive))):
        assert cli("evidence", "key", "new", "Desk", "--role", role, "--settings", settings).status == 0
    vkey = json.loads(cli("evidence", "log", "check", "--settings", lab / "s.toml", "--json").out)["vkey"]
    with witnessing(archive, vkey) as (process, witness, said):
        assert "signed before: nothing" in said[0]
        seen = settings_of(lab, witness)
        assert added(seen, "one") == (0, "")
        assert added(seen, "two") == (0, "")
        host, port = re.findall(r"http://(.*):(\d+) ", witness)[0]
        with socket.create_connection((host, int(port)), timeout=60) as line:
            line.sendall(
                b"POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ncontent-length: 8\r\nconnection: close\r\n\r\nold nine"
            )
            assert line.recv(65_536).startswith(b"HTTP/1.1 400 ")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    with witnessing(archive, vkey) as (_, witness, said):
        assert "log.example/e at 3 leaves" in said[0]
        seen = settings_of(lab, witness)
        assert added(seen, "three") == (0, "")
        whole = lab / "whole"
        (lab / "log").rename(whole)
        for name in ("four", "five", "six", "seven"):
            status, told = added(seen, name)
            assert (status, "1 witnesses must sign the checkpoint, and 0 did" in told) == (2, True), told
    settings_of(lab)
    assert cli("evidence", "witness", "--name", "w", "--log", vkey, "--folder", lab / "w", "--settings",
               lab / "s.toml").status == 2  # fmt: skip
