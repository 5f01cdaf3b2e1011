"""Exchange files of a finished plan: one part after another, or several processes with some parts each.

A part is rendered from the plan's integers alone, so its bytes do not depend on which process wrote it. The
processes are fresh interpreters that read the renderer's tables from the scratch folder: nothing is forked,
and the caller needs no main guard.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow.parquet as pq

import stillwatch
from stillwatch.errors import StillwatchError
from stillwatch.lab.plan import SortedPlan
from stillwatch.lab.render import Renderer
from stillwatch.records.exchange import EXCHANGE_SCHEMA

CHUNK_ROWS = 50_000
PART_ROWS = 500_000
Told = Callable[[int], None]
"""Called with the number of rows just written."""

_WORK = "import sys; from stillwatch.lab.parts import work; work(sys.argv[1:])"


def write_parts(
    renderer: Renderer, plan: SortedPlan, folder: Path, scratch: Path, processes: int | None, told: Told
) -> None:
    """Write every part of ``plan`` into ``folder``.

    Args
    ----
    scratch: folder for what other processes need; the caller removes it.
    processes: how many write at once; ``None`` uses every core when there are three parts or more.

    Raises
    ------
    StillwatchError
        A process failed; the others are stopped.
    """
    parts = -(-len(plan) // PART_ROWS)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = (cores if parts >= 3 else 1) if processes is None else processes
    wanted = max(1, min(wanted, parts))
    if wanted == 1:
        for number in range(parts):
            write_part(renderer, plan, number, folder, told)
        return
    tables = scratch / "renderer.pickle"
    tables.write_bytes(pickle.dumps(renderer))
    stored = plan.save(scratch / "plan.bin")
    # Shares of consecutive parts would end at different times: hours differ in load. Every n-th part evens out.
    shares = [range(k, parts, wanted) for k in range(wanted)]
    _run([[str(tables), str(stored), str(folder), *map(str, share)] for share in shares], told)


def write_part(renderer: Renderer, plan: SortedPlan, number: int, folder: Path, told: Told) -> None:
    """Write part ``number``: half a million exchanges, one row group per 50,000."""
    first, last = number * PART_ROWS, min((number + 1) * PART_ROWS, len(plan))
    path = folder / f"part-{number:04d}.parquet"
    with pq.ParquetWriter(path, EXCHANGE_SCHEMA, compression="zstd", compression_level=1) as writer:
        for start in range(first, last, CHUNK_ROWS):
            chunk = plan.cut(start, min(start + CHUNK_ROWS, last))
            writer.write_table(renderer.table(chunk, start), row_group_size=CHUNK_ROWS)
            told(len(chunk["t"]))


def work(arguments: list[str]) -> None:
    """Body of one process: ``renderer plan folder part ...``; says on standard output how many rows it wrote."""
    tables, stored, folder, *numbers = arguments
    renderer: Renderer = pickle.loads(Path(tables).read_bytes())  # noqa: S301  (written by the parent, just now)
    plan = SortedPlan(Path(stored))

    def told(rows: int) -> None:
        sys.stdout.write(f"{rows}\n")
        sys.stdout.flush()

    for number in numbers:
        write_part(renderer, plan, int(number), Path(folder), told)


def _run(commands: Iterable[list[str]], told: Told) -> None:
    root = str(Path(stillwatch.__file__).parents[1])
    path = os.pathsep.join(p for p in (root, os.environ.get("PYTHONPATH", "")) if p)
    lock, running, said = threading.Lock(), [], []
    try:
        for command in commands:
            errors = tempfile.TemporaryFile()
            said.append(errors)
            running.append(
                subprocess.Popen(  # noqa: S603
                    [sys.executable, "-c", _WORK, *command],
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    env={**os.environ, "PYTHONPATH": path},
                    text=True,
                )
            )
        listeners = [threading.Thread(target=_listen, args=(p, lock, told), daemon=True) for p in running]
        for thread in listeners:
            thread.start()
        for thread, process, errors in zip(listeners, running, said, strict=True):
            thread.join()
            if process.wait():
                errors.seek(0)
                raise StillwatchError(
                    "a process that writes exchanges failed",
                    hint=errors.read()[-400:].decode(errors="replace"),
                )
    finally:
        for process in running:
            if process.poll() is None:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        for errors in said:
            errors.close()


def _listen(process: subprocess.Popen[str], lock: threading.Lock, told: Told) -> None:
    if process.stdout is None:
        return
    for line in process.stdout:
        with lock:
            told(int(line))


__all__ = ["CHUNK_ROWS", "PART_ROWS", "work", "write_part", "write_parts"]
