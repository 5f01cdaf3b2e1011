"""Runs a PostgreSQL server of this machine for the tests: own folder and port, no password, ended by process id."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

REASON = "there is no PostgreSQL server here; `make postgres` installs it"


def programs() -> Path | None:
    """The folder with initdb and postgres: the newest that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name))
    if found:
        return found[-1]
    there = shutil.which("initdb")
    return Path(there).resolve().parent if there else None


def _unprivileged() -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    return None


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _as(user: str | None) -> list[str]:
    """What stands before a command for it to run as somebody else, under the same process id.

    Not `Popen(user=...)`: that forks this process, which runs the fork handlers of every library in it, and those of
    gRPC (loaded by the gateway's tests) can hang the child before it ever becomes PostgreSQL.
    """
    if user is None:
        return []
    who = pwd.getpwnam(user)
    script = f"import os, sys; os.setgroups([]); os.setgid({who.pw_gid}); os.setuid({who.pw_uid}); "
    return [sys.executable, "-I", "-S", "-c", script + "os.execv(sys.argv[1], sys.argv[1:])"]


@contextmanager
def server() -> Iterator[str]:
    """A server; gives the address without a database's name."""
    folder = programs()
    assert folder is not None
    user = _unprivileged()
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    home = Path(tempfile.mkdtemp(prefix="stillwatch-pg-", dir=memory))
    if user:
        shutil.chown(home, user)
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    how: dict[str, Any] = {"env": env, "cwd": "/"}
    data, log, become = home / "data", home / "log", _as(user)
    try:
        subprocess.run(
            [*become, folder / "initdb", "-D", data, "-U", "tests", "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=True, capture_output=True, **how,
        )  # fmt: skip
        port = free_port()
        options = (
            "listen_addresses=127.0.0.1",
            f"unix_socket_directories={home}",
            "fsync=off",
            "max_connections=60",
        )
        chosen = [x for o in options for x in ("-c", o)]
        with log.open("wb") as sink:
            one = subprocess.Popen(
                [*become, folder / "postgres", "-D", data, "-p", str(port), *chosen],
                stdout=sink,
                stderr=sink,
                **how,
            )
        try:
            _wait(one, port, log)
            yield f"postgresql://tests@127.0.0.1:{port}"
        finally:
            one.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
            try:
                one.wait(20)
            except subprocess.TimeoutExpired:
                one.kill()
                one.wait()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _wait(one: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + 60
    while one.poll() is None and time.monotonic() < end:
        if "ready to accept connections" in log.read_text("utf-8", "replace"):
            return
        time.sleep(0.1)
    raise RuntimeError(
        f"PostgreSQL did not start on port {port}: {log.read_text('utf-8', 'replace')[-2000:]}"
    )
