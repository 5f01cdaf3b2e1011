"""Generate a scenario and scan it through the command line, as a user would. Shared by the other scripts."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STILLWATCH = Path(sys.executable).with_name("stillwatch")
CONTEXT = ("accounts", "grants", "releases", "client-releases")
"""Options of ``scan`` for which the lab may write a file of the same name."""
FINE = (0, 10)
"""Exit statuses of a scan that worked."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """One scan: its summary, and what it cost."""

    summary: dict[str, Any]
    status: int
    wall_s: float
    peak_bytes: int


def stillwatch(
    *arguments: str | Path, fine: tuple[int, ...] = (0,), capture: bool = False
) -> tuple[int, str]:
    """Run one verb; stops everything when it fails."""
    done = subprocess.run(
        [STILLWATCH, *arguments], check=False, text=True, stdout=subprocess.PIPE if capture else None
    )
    if done.returncode not in fine:
        raise SystemExit(done.returncode)
    return done.returncode, done.stdout or ""


def context_options(traffic: Path) -> list[str]:
    """``--accounts`` and the like, for every context file that lies beside the exchanges."""
    options: list[str] = []
    for name in CONTEXT:
        found = sorted(traffic.glob(f"{name}.*")) + sorted(traffic.glob(f"{name.replace('-', '_')}.*"))
        if found:
            options += [f"--{name}", str(found[0])]
    return options


def scan_arguments(traffic: Path, out: Path, key: Path) -> list[str]:
    """The whole ``scan`` command for one folder of lab traffic."""
    inputs = [str(traffic / "exchanges"), *context_options(traffic)]
    return ["scan", *inputs, "--key-file", str(key), "--out", str(out), "--overwrite"]


def generate(scenario: str, seed: int, scale: float, out: Path) -> None:
    """One scenario's traffic and truth."""
    stillwatch("lab", "generate", scenario, "--seed", str(seed), "--scale", str(scale), "--out", out, "-q")


def scan(traffic: Path, out: Path, key: Path) -> Scanned:
    """One scan and its cost. The peak is that of the largest child so far, so run sizes upwards."""
    start = time.perf_counter()
    status, text = stillwatch(*scan_arguments(traffic, out, key), "--json", "-q", fine=FINE, capture=True)
    wall = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    summary = json.loads(text)
    own = summary.get("peak_memory_bytes")
    return Scanned(summary, status, wall, int(own) if own else peak)


def score(out: Path, traffic: Path, ledger: Path) -> dict[str, Any]:
    """The scan in `out` against the truth of the traffic; the opening is recorded in `ledger` as well."""
    where = ("--truth", traffic, "--ledger", ledger)
    _, text = stillwatch("lab", "score", out, *where, "--json", capture=True)
    scored: dict[str, Any] = json.loads(text)
    return scored


def a_key(folder: Path) -> Path:
    """A key for lab traffic, made once."""
    path = folder / "lab.key"
    if not path.exists():
        stillwatch("key", "new", "--out", path)
    return path
