"""Score a folder against a world: truth is opened, recorded, and the figures carry their standing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.lab.discipline.opening import Opened, open_truth
from stillwatch.lab.scoring import Run, read_run, run_from_tables, score_run


def score_folder(
    run_dir: Path, place: Path, *, purpose: str = "report", ledgers: Iterable[Path] = (), at: str = "",
    world: Path | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Judge a detector's output folder.

    Args
    ----
    run_dir: the folder; see `stillwatch.lab.scoring.run`.
    place: the truth folder, or the world that holds it.
    purpose, ledgers, at, world: as for `open_truth`.

    Returns
    -------
    The figures of `score_run`, with ``standing`` (what they may be called) and ``family``.

    Raises
    ------
    StillwatchError: what `read_run`, `open_truth` and `score_run` raise.
    """
    run = read_run(run_dir)
    home = world or (place if (place / "truth").is_dir() else place.parent)
    by = f"score of {run.detector.get('id') or run_dir.name}"
    opened = open_truth(place, purpose=purpose, ledgers=ledgers, by=by, at=at, world=world)
    return judged(opened, run, home)


def judged(opened: Opened, run: Run, world: Path) -> dict[str, Any]:
    """Figures of a run on truth that was opened."""
    table = world / "accounts.parquet"
    figures = score_run(opened.truth, run, pq.read_table(table) if table.exists() else None)
    family = opened.family
    return {
        "standing": opened.standing.row(),
        "family": None
        if family is None
        else {
            "scenario": family.scenario, "seed": family.seed, "scale": family.scale, "split": family.split,
        },
        **figures,
    }  # fmt: skip


def score(
    truth_dir: Path,
    members: pa.Table | Path,
    accounts: pa.Table | Path,
    campaigns: pa.Table | Path,
    *,
    scores: pa.Table | Path | None = None,
    purpose: str = "report",
    ledgers: Iterable[Path] = (),
) -> dict[str, Any]:
    """Judge a scan's tables, or Parquet files of them; the opening is recorded beside the world as always."""
    run = run_from_tables(members, accounts, campaigns, scores=scores)
    opened = open_truth(Path(truth_dir), purpose=purpose, ledgers=ledgers, by="score")
    return judged(opened, run, Path(truth_dir).parent)


__all__ = ["judged", "score", "score_folder"]
