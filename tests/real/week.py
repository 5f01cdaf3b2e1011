"""Builds one week of API traffic: real text, measured tenants, published recipes, and the truth beside them.

From the repository root: ``python -m tests.real.week OUT [SHARED] [SCALE]``, or call ``build_week``. The same
seed and scale give the same rows.
"""

from __future__ import annotations

import sys
from pathlib import Path

from . import arrivals, sources
from .campaigns import Campaigns
from .honest import Honest
from .ledger import Ledger
from .world import World


def build_week(out: Path, *, shared: Path, seed: int = 20261124, scale: float = 1.0) -> None:
    """Writes the week into ``out``: exchanges, accounts, grants, releases, client releases, and ``truth``."""
    ledger = Ledger(seed, sources.load(shared), World(shared, seed), arrivals.sizes(shared))
    honest = Honest(ledger, arrivals.tenants(shared), seed, scale)
    honest.play()
    Campaigns(honest).play()
    ledger.write(out)


def main() -> None:
    """``OUT [SHARED] [SCALE]`` on the command line."""
    out, shared, scale = [*sys.argv[1:], "", ""][:3]
    build_week(Path(out), shared=Path(shared or "../shared"), scale=float(scale or 1.0))


if __name__ == "__main__":
    main()
