"""What others would use today, behind one interface, so that one scorer judges all of them and stillwatch too.

Each baseline is one module, reads the same log and fills the same tables as a scan. None opens the sealed truth, and
none knows stillwatch's detector. ``docs/lab_baselines.md`` says where each comes from and what was adapted.

>>> from pathlib import Path
>>> run_baseline("crystal_ball", Path("world"), Path("run"))
Traceback (most recent call last):
...
stillwatch.errors.ConfigError: no baseline crystal_ball
"""

from __future__ import annotations

import time
from pathlib import Path

from stillwatch.errors import ConfigError
from stillwatch.lab.baselines import (
    cooccurrence,
    ecod,
    exact_dedupe,
    honeypotllm,
    isolation_forest,
    prada,
    rate_limit,
    seat,
    shared_attribute,
    shared_template,
    window_mmd,
    window_mmd_pooled,
)
from stillwatch.lab.baselines.baseline import Baseline, Group, Result
from stillwatch.lab.baselines.frame import LogFrame, read_traffic
from stillwatch.lab.baselines.output import write_run

BASELINES: dict[str, Baseline] = {
    module.BASELINE.id: module.BASELINE
    for module in (
        rate_limit,
        isolation_forest,
        ecod,
        exact_dedupe,
        shared_template,
        shared_attribute,
        prada,
        seat,
        window_mmd,
        window_mmd_pooled,
        cooccurrence,
        honeypotllm,
    )
}
"""Every baseline by id."""


def run_baseline(id: str, traffic: Path, out: Path, *, frame: LogFrame | None = None) -> None:
    """Read ``exchanges/*.parquet`` and ``accounts.parquet`` of a folder, run one baseline, write its run folder.

    ``frame`` is the folder as `read_traffic` gives it, when that has been done already.

    Raises
    ------
    ConfigError
        No such baseline, or a package that it needs is not installed.
    SourceError
        The folder holds no readable log.
    """
    if id not in BASELINES:
        raise ConfigError(f"no baseline {id}", hint=f"known: {', '.join(sorted(BASELINES))}")
    baseline = BASELINES[id]
    begin = time.perf_counter()
    frame = read_traffic(Path(traffic)) if frame is None else frame
    found = baseline.run(frame)
    write_run(Path(out), baseline, frame, found, time.perf_counter() - begin)


__all__ = [
    "BASELINES",
    "Baseline",
    "Group",
    "LogFrame",
    "Result",
    "read_traffic",
    "run_baseline",
]
