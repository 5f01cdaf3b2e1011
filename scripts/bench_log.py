"""What appending to a log costs on this machine's disk, and what a log of ten million leaves costs to hold.

    python -m scripts.bench_log --out docs/data/bench_log.json
    python -m scripts.bench_log --leaves 1000000 --folder /some/disk

1. What the disk asks for: one `fdatasync` behind an append of 4 KiB.
2. Leaves one at a time, and in batches of 256. Every append is durable when it is counted; each figure is the middle of
   the repeats, with the lowest and the highest.
3. A log of ``--leaves``, filled without waiting for the disk (that is what 2 measures): time and size on disk for a
   leaf, peak memory, and then how long it takes to open it and to make and check a proof.

Run it on a quiet machine. Folders are removed afterwards.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from scripts.bench import machine
from stillwatch.evidence import merkle
from stillwatch.evidence.log import Log
from stillwatch.store.tiles import TileFolder

ORIGIN, SEED, PROOFS, SYNCS, REPEATS, BATCH = "bench.example/log", 7, 200, 200, 5, 256


class Unsynced(TileFolder):
    """A folder that does not wait for the disk: a crash may tear it. For filling alone."""

    def put(self, name: str, data: bytes) -> None:
        """Write a file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def append(self, name: str, data: bytes) -> None:
        """Write at the end of a file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(data)


def entry(number: int) -> bytes:
    """A leaf of the usual length, different for each number."""
    digest = hashlib.sha256(number.to_bytes(8, "big")).hexdigest()
    return f'{{"at":"2026-01-01T00:00:00+00:00","digest":"sha256:{digest}","kind":"decision"}}'.encode()


def synced_append(folder: Path) -> dict[str, float]:
    """Milliseconds of one append that reaches the disk."""
    took = []
    handle = os.open(folder / "sync", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for _ in range(SYNCS):
        begun = time.perf_counter()
        os.write(handle, bytes(4096))
        os.fdatasync(handle)
        took.append((time.perf_counter() - begun) * 1e3)
    os.close(handle)
    cuts = statistics.quantiles(took, n=20)
    return {"low": round(cuts[0], 3), "median": round(cuts[9], 3), "high": round(cuts[18], 3), "times": SYNCS}


def durable(folder: Path, leaves: int, batch: int) -> dict[str, float]:
    """Milliseconds of a durable leaf: the middle, lowest and highest of the repeats."""
    took = []
    for repeat in range(REPEATS):
        with TileFolder(folder / f"{batch}-{repeat}") as files:
            log = Log(files, origin=ORIGIN)
            begun = time.perf_counter()
            for start in range(0, leaves, batch):
                log.append([entry(n) for n in range(start, start + batch)])
            took.append((time.perf_counter() - begun) / leaves * 1e3)
    return {
        "low": round(min(took), 4), "median": round(statistics.median(took), 4), "high": round(max(took), 4),
        "repeats": REPEATS, "leaves": leaves, "batch": batch,
    }  # fmt: skip


def held(folder: Path, leaves: int) -> dict[str, Any]:
    """A log of so many leaves: filled, opened again, proved."""
    begun = step = time.perf_counter()
    with Unsynced(folder) as files:
        log = Log(files, origin=ORIGIN)
        for start in range(0, leaves, BATCH * 16):
            log.append([entry(n) for n in range(start, min(start + BATCH * 16, leaves))])
            if time.perf_counter() - step > 30:
                step = time.perf_counter()
                sys.stderr.write(f"  {start:,} leaves after {step - begun:.0f} s\n")
    filled = time.perf_counter() - begun
    begun = time.perf_counter()
    with TileFolder(folder) as files:
        log = Log(files, origin=ORIGIN)
        opened = time.perf_counter() - begun
        chance, root = random.Random(SEED), log.root()  # noqa: S311
        took: list[float] = []
        for _ in range(PROOFS):
            index = chance.randrange(log.size)
            begun = time.perf_counter()
            path = log.inclusion(index)
            merkle.check_inclusion(merkle.leaf_hash(entry(index)), index, log.size, path, root)
            took.append((time.perf_counter() - begun) * 1e3)
    size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    cuts = statistics.quantiles(took, n=20)
    return {
        "leaves": leaves, "root": root.hex(), "fill_us_each": round(filled / leaves * 1e6, 1),
        "bytes_each": round(size / leaves, 1), "opened_s": round(opened, 2),
        "peak_memory_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "proof_ms": {"low": round(cuts[0], 2), "median": round(cuts[9], 2), "high": round(cuts[18], 2),
                     "proofs": PROOFS, "seed": SEED},
    }  # fmt: skip


def main() -> None:
    """Measure, and print what was measured; with ``--out`` also into a file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--leaves", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, help="where on the disk; else the folder of temporary files")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="bench-log-") as own:
        folder = Path(own)
        row = {
            "sync_ms": synced_append(folder), "one_at_a_time_ms": durable(folder, 100, 1),
            "batches_ms": durable(folder, 10_240, BATCH), "held": held(folder / "held", given.leaves),
            "machine": machine(),
        }  # fmt: skip
    text = json.dumps(row, indent=1, sort_keys=True) + "\n"
    sys.stdout.write(text)
    if given.out:
        given.out.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
