"""Builds the second week: other text, other classes and other recipes than the first, and the truth beside them.

From the repository root: ``python -m tests.real.second.week OUT [SHARED] [SCALE] [SEED]``, or call ``build_week``.
The same seed and scale give the same bytes. Whoever wrote and revised it had not seen a scan of it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ..ledger import Ledger
from ..sources import Message
from . import businesses, campaigns, crowds, evaluators, ordinary, relays, rhythm, text
from .places import Places
from .stage import MODELS, Stage

SEED = 20261125


class Book(Ledger):
    """A ledger that marks what a person wrote, since the field ``prompt`` holds nothing else."""

    def marked(self, messages: Sequence[Message]) -> Message:
        return next(m for m in reversed(messages) if m["role"] == "user")


def build_week(out: Path, *, shared: Path, seed: int = SEED, scale: float = 1.0) -> None:
    """Writes the week into ``out``: exchanges, accounts, grants, releases, client releases, and ``truth``."""
    words, beat, places = text.load(shared), rhythm.load(shared, seed), Places(shared, seed)
    ledger = Book(seed, words.common, places, beat.sizes, MODELS)
    stage = Stage(ledger, words, places, beat, seed, scale)
    for room in (ordinary, evaluators, businesses, crowds):
        stage.play(room.CLASSES)
    for room in (campaigns, relays):
        stage.play(room.CAMPAIGNS)
    ledger.write(out)


def main() -> None:
    """``OUT [SHARED] [SCALE] [SEED]`` on the command line."""
    out, shared, scale, seed = [*sys.argv[1:], "", "", ""][:4]
    build_week(
        Path(out), shared=Path(shared or "../shared"), seed=int(seed or SEED), scale=float(scale or 1.0)
    )


if __name__ == "__main__":
    main()
