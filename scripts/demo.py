"""``make demo``: one synthetic day, from log lines to a report."""

from __future__ import annotations

import argparse
import shlex
import shutil
from pathlib import Path

from scripts.lab_run import FINE, scan_arguments, stillwatch

DEMO = Path("demo")


def step(*arguments: str | Path, fine: tuple[int, ...] = (0,)) -> None:
    """Show the command, then run it."""
    print("$ stillwatch " + shlex.join(map(str, arguments)), flush=True)
    stillwatch(*arguments, fine=fine)
    print(flush=True)


def main() -> None:
    """Generate, make a key, scan. Exit status 10 of the scan means that it found something: that is fine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    seed = parser.parse_args().seed
    traffic, report, key = DEMO / "traffic", DEMO / "report", DEMO / "stillwatch.key"
    shutil.rmtree(traffic, ignore_errors=True)
    step("lab", "generate", "demo_day", "--seed", str(seed), "--out", traffic)
    if not key.exists():
        step("key", "new", "--out", key)
    step(*scan_arguments(traffic, report, key), fine=FINE)
    print(f"open {report / 'report.html'}")


if __name__ == "__main__":
    main()
