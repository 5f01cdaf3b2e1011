"""Append leaves to a log on this machine's disk, and say what that costs and what proofs cost then.

Usage: ``python -m scripts.bench_log [--leaves 10000000] [--batch 256] [--folder DIR]``. The folder is removed
afterwards when none was named. Every append is durable when it is counted.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import resource
import tempfile
import time
from pathlib import Path

from stillwatch.evidence import merkle
from stillwatch.evidence.log import Log
from stillwatch.store.tiles import TileFolder

_PROOFS = 200


def entry(number: int) -> bytes:
    """A leaf of the usual length, different for each number."""
    digest = hashlib.sha256(number.to_bytes(8, "big")).hexdigest()
    return f'{{"at":"2026-01-01T00:00:00+00:00","digest":"sha256:{digest}","kind":"decision"}}'.encode()


def main() -> None:
    """Fill, open again, prove, and print one line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leaves", type=int, default=10_000_000)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as own:
        folder = given.folder or Path(own) / "log"
        with TileFolder(folder) as files:
            log = Log(files, origin="bench.example/log")
            begun, step = time.perf_counter(), 0
            for start in range(0, given.leaves, given.batch):
                log.append([entry(n) for n in range(start, min(start + given.batch, given.leaves))])
                if start // 1_000_000 > step:
                    step = start // 1_000_000
                    print(f"  {start:,} leaves after {time.perf_counter() - begun:.0f} s", flush=True)
            took = time.perf_counter() - begun
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{given.leaves:,} leaves in batches of {given.batch}: {took:.0f} s, {took / given.leaves * 1e6:.1f} µs "
              f"a leaf, peak memory {peak:.0f} MiB")  # fmt: skip
        begun = time.perf_counter()
        with TileFolder(folder) as files:
            log = Log(files, origin="bench.example/log")
            print(
                f"opened again in {time.perf_counter() - begun:.2f} s: {log.size:,} leaves, root {log.root().hex()}"
            )
            chance = random.Random(7)  # noqa: S311
            begun = time.perf_counter()
            for _ in range(_PROOFS):
                index = chance.randrange(log.size)
                path = log.inclusion(index)
                merkle.check_inclusion(merkle.leaf_hash(entry(index)), index, log.size, path, log.root())
            each = (time.perf_counter() - begun) / _PROOFS
            print(f"{_PROOFS} inclusion proofs, made and checked: {each * 1e3:.2f} ms each; seed 7")


if __name__ == "__main__":
    main()
