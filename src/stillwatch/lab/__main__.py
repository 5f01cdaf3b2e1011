"""``python -m stillwatch.lab SCENARIO --seed N --scale X --out DIR``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from stillwatch.errors import StillwatchError
from stillwatch.lab.discipline import close_world
from stillwatch.lab.scenario import load_scenario
from stillwatch.lab.writer import generate


def main(arguments: list[str] | None = None) -> int:
    """Generate one world; 0 when written, 2 when the scenario cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m stillwatch.lab", description="Generate a simulated world."
    )
    parser.add_argument("scenario", help="built-in name or path of a .toml file")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    try:
        scenario = load_scenario(options.scenario)
    except StillwatchError as error:
        sys.stderr.write(f"{error}\n{error.hint}\n")
        return error.exit_status
    generate(scenario, seed=options.seed, scale=options.scale, out=options.out)
    close_world(options.out, scenario, options.seed, options.scale)
    return 0


if __name__ == "__main__":
    sys.exit(main())
