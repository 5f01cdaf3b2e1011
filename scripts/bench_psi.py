"""Time of a private set intersection of two parties, each a process of its own, as on two machines.

    python -m scripts.bench_psi --values 100000

Half of the values are common. Files go through a temporary folder; the aim is 60 s of wall time for 100,000 by 100,000
on two idle cores.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path

from stillwatch.share.join import psi
from stillwatch.share.join.tags import Value

SESSION = "bench, for once"


def main() -> None:
    """Measures, prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--values", type=int, default=2000, help="values of each party, half of them common")
    count = parser.parse_args().values
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, multiprocessing.get_context("spawn").Pool(2) as pool:
        sides = [(folder, "north", "south", 0, count), (folder, "south", "north", count // 2, count)]
        spent = pool.starmap(_side, sides, chunksize=1)
    for name, (cpu, found, sent) in zip(("north", "south"), spent, strict=True):
        print(f"{name}: {cpu:.1f} CPU s, {found:,} common, {sent / 2**20:.1f} MiB sent")
    print(f"{count:,} x {count:,}: {time.perf_counter() - began:.1f} s of wall time")


def _side(folder: str, me: str, peer: str, first: int, count: int) -> tuple[float, int, int]:
    place = Path(folder)
    began = time.process_time()
    mine = psi.offer(SESSION, [Value("address", str(n).encode()) for n in range(first, first + count)])
    _put(place / f"{me}.offer", mine.wire)
    theirs = psi.read_offer(_get(place / f"{peer}.offer"))
    answer = psi.answer(mine, theirs, count)
    _put(place / f"{me}.answer", answer)
    found = psi.common(mine, theirs, _get(place / f"{peer}.answer"))
    return time.process_time() - began, len(found), len(mine.wire) + len(answer)


def _put(path: Path, data: bytes) -> None:
    part = path.with_suffix(".part" + path.suffix)
    part.write_bytes(data)
    part.rename(path)


def _get(path: Path) -> bytes:
    while not path.exists():
        time.sleep(0.01)  # the other party writes it; files alone pass between them
    return path.read_bytes()


if __name__ == "__main__":
    main()
