"""Starts a store's server from what the system has installed, on a free port of the loopback."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = {"valkey": ".cache/valkey/bin/valkey-server", "redis": "redis-server"}
"""What is run: Valkey as `make valkey` installs it, or as the system has it, and Redis."""


class Running:
    """A server that can be stopped and started again on the same port."""

    def __init__(self, program: str, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._program, self._folder = program, folder
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"valkey://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = (
            "--port",
            self.port,
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            self._folder,
        )
        self._process = subprocess.Popen(
            [self._program, *map(str, options)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + 20.0
        while time.monotonic() < end:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as line:
                    line.sendall(b"PING\r\n")
                    if line.recv(5) == b"+PONG":
                        return
            except OSError:
                time.sleep(0.02)
        raise AssertionError(f"{self._program} did not answer")

    def stop(self) -> None:
        """End it by its own id."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def program_of(kind: str) -> str | None:
    """Where a server's program is; None where there is none."""
    return shutil.which(ROOT / PROGRAMS[kind]) or shutil.which(f"{kind}-server")


def a_server(folder: Path, kind: str | None = None) -> Running:
    """A running server, of one kind or of whichever there is; skips the test with the reason where there is none."""
    pytest.importorskip("valkey", reason="the client is not installed: pip install 'stillwatch[valkey]'")
    kinds = [kind] if kind else list(PROGRAMS)
    program = next((found for each in kinds if (found := program_of(each))), None)
    if program is None:
        pytest.skip(f"no {' or '.join(kinds)} server here: make valkey, or apt-get install redis-server")
    return Running(program, folder)
