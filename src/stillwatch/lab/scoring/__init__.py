"""Compare what a detector wrote with a world's truth.

`score_run` is pure: a `Truth`, a `Run`, and perhaps the world's account table go in, figures come out. It knows
no detector: any folder with the tables of the data contract can be judged. Opening truth, which is recorded, is
`stillwatch.lab.discipline`'s work.
"""

from __future__ import annotations

from stillwatch.lab.scoring.rates import (
    Rate,
    clopper_pearson,
    poisson_interval,
    rate_of,
    upper_bound,
    wilson,
)
from stillwatch.lab.scoring.run import Run, read_run, run_from_tables
from stillwatch.lab.scoring.score import score_run
from stillwatch.lab.scoring.truth import Truth

__all__ = [
    "Rate",
    "Run",
    "Truth",
    "clopper_pearson",
    "poisson_interval",
    "rate_of",
    "read_run",
    "run_from_tables",
    "score_run",
    "upper_bound",
    "wilson",
]
