"""``make console``: the console on the demo scan, with a store of its own under ``demo/``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from scripts.lab_run import STILLWATCH

DEMO = Path("demo")


def main() -> None:
    """Become the console; Ctrl-C ends it."""
    keys = DEMO / "console"
    keys.mkdir(parents=True, exist_ok=True)
    if (keys / "stillwatch.db").exists():
        print("demo/console holds the store from before; remove it to begin anew", flush=True)
    arguments = ["console", "--run", str(DEMO / "report"), "--store", f"sqlite:///{keys / 'stillwatch.db'}"]
    os.execv(STILLWATCH, [str(STILLWATCH), *arguments, "--keys", str(keys), *sys.argv[1:]])  # noqa: S606


if __name__ == "__main__":
    main()
