"""Starts a store's server from what the system has installed, on a free port of the loopback."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

NAMES = ("valkey-server", "redis-server")


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


def a_server(folder: Path) -> Running:
    """A running server; skips the test with the reason where the system has none."""
    pytest.importorskip("valkey", reason="the client is not installed: pip install 'stillwatch[valkey]'")
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"none of {', '.join(NAMES)} is installed: apt-get install redis-server")
    return Running(program, folder)
