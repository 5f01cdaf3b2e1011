"""``make console``: the console on the demo scan, with a store of its own under ``demo/``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from scripts.lab_run import STILLWATCH
from stillwatch.wiring import show_policy

DEMO = Path("demo")


def main() -> None:
    """Become the console; Ctrl-C ends it."""
    keys = DEMO / "console"
    gate, policy = keys / "gate", keys / "policy.toml"
    gate.mkdir(parents=True, exist_ok=True)
    if not policy.exists():
        policy.write_text(show_policy(), "utf-8")
    if (keys / "stillwatch.db").exists():
        print("demo/console holds the store from before; remove it to begin anew", flush=True)
    arguments = ["console", "--run", str(DEMO / "report"), "--store", f"sqlite:///{keys / 'stillwatch.db'}"]
    arguments += ["--keys", str(keys), "--gate", str(gate), "--policy", str(policy)]
    os.execv(STILLWATCH, [str(STILLWATCH), *arguments, *sys.argv[1:]])  # noqa: S606


if __name__ == "__main__":
    main()
