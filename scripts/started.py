"""Programs that the benches of live decisions start, on ports of their own, and the processor time that they use."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_STARTED_S = 300.0
_PIDS: dict[int, int] = {}
"""Of what was started, by port."""
_TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def process(
    args: Sequence[str], port: int, *, folder: Path, env: dict[str, str], core: int | None = None
) -> Iterator[int]:
    """A program from when its port answers; ended whatever happens."""
    with (folder / f"said-{port}.log").open("wb") as said:
        running = subprocess.Popen(args, cwd=folder, env={**os.environ, **env}, stdout=said, stderr=said)
        _PIDS[port] = running.pid
        try:
            if core is not None and hasattr(os, "sched_setaffinity"):
                os.sched_setaffinity(running.pid, {core})
            _until(port, running, folder / f"said-{port}.log")
            yield port
        finally:
            running.terminate()
            try:
                running.wait(30)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait(30)


@contextmanager
def python(code: str, port: int, *, folder: Path) -> Iterator[int]:
    """A line of Python that serves on a port, with this project's packages at hand."""
    env = {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    with process([sys.executable, "-c", code], port, folder=folder, env=env):
        yield port


@contextmanager
def gate(folder: Path, *, core: int | None = None, settings: str = "") -> Iterator[int]:
    """`stillwatch gate` with the policy that ships."""
    port = free_port()
    (folder / "settings.toml").write_text(settings, encoding="utf-8")
    args = [sys.executable, "-c", "from stillwatch.cli import main; main()", "gate", "--dir", "gate",
            "--listen", f"127.0.0.1:{port}", "--settings", "settings.toml", "--quiet"]  # fmt: skip
    with process(args, port, folder=folder, env={"PYTHONPATH": os.pathsep.join(sys.path)}, core=core):
        yield port


def cpu_s(ports: Iterable[int]) -> float:
    """Seconds of processor time of what was started for some ports, and of what that started (Linux)."""
    parents: dict[int, int] = {}
    spent: dict[int, float] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text("utf-8", "replace").rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        pid = int(path.parent.name)
        parents[pid], spent[pid] = int(fields[1]), (int(fields[11]) + int(fields[12])) / _TICKS
    found = {_PIDS[port] for port in ports}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return sum(spent.get(pid, 0.0) for pid in found)


def cores() -> list[int]:
    """Those that this program may use."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def lines(path: Path) -> int:
    """Lines in a file; none where there is none."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _until(port: int, running: subprocess.Popen[bytes], said: Path) -> None:
    """Until a program takes connections."""
    end = time.monotonic() + _STARTED_S
    while time.monotonic() < end and running.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.2)  # before the port is tried again
        else:
            return
    raise SystemExit(f"it did not start: {said.read_text('utf-8', 'replace')[-2_000:]}")
