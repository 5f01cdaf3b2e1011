"""``python -m stillwatch.lab SCENARIO --seed N --scale X --out DIR``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from stillwatch.errors import StillwatchError
from stillwatch.lab.discipline import close_world
from stillwatch.lab.scenario import load_scenario
from stillwatch.lab.scenario_files import split_changes
from stillwatch.lab.writer import Progress, generate


def main(arguments: list[str] | None = None) -> int:
    """Generate one world; 0 when written, 2 when the scenario cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m stillwatch.lab", description="Generate a simulated world."
    )
    parser.add_argument("scenario", help="built-in name or path of a .toml file")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--processes", type=int, help="how many write at once; the bytes stay the same")
    parser.add_argument("--corpus", type=Path, help="folder of text to speak with instead of the grammars")
    parser.add_argument(
        "-P", dest="changes", action="append", default=[], metavar="NAME=VALUE", help="set a key"
    )
    options = parser.parse_args(arguments)
    try:
        scenario = load_scenario(options.scenario, split_changes(options.changes))
        generate(
            scenario,
            seed=options.seed,
            scale=options.scale,
            out=options.out,
            progress=_progress() if sys.stderr.isatty() else None,
            processes=options.processes,
            corpus=options.corpus,
        )
        close_world(options.out, scenario, options.seed, options.scale)
    except StillwatchError as error:
        sys.stderr.write(f"{error}\n{error.hint}\n")
        return error.exit_status
    return 0


def _progress() -> Progress:
    """One line on a terminal, rewritten at every per cent."""
    shown = -1

    def told(done: int, total: int) -> None:
        nonlocal shown
        share = done * 100 // max(total, 1)
        if share != shown:
            shown = share
            sys.stderr.write(f"\r{done:,} of {total:,} exchanges, {share} %")
            sys.stderr.write("\n" if done >= total else "")
            sys.stderr.flush()

    return told


if __name__ == "__main__":
    sys.exit(main())
