"""Puts the rooms together: besides ``settings`` and ``cli`` the only place that knows them by name.

Effects live here: files are read and written, the clock is read for timings, memory is measured. The rooms
take arguments and return records.
"""

from stillwatch.errors import StillwatchError
from stillwatch.wiring.baseline import fit_baseline, show_baseline
from stillwatch.wiring.features import ingest
from stillwatch.wiring.lab import (
    generate,
    lab_detect_time,
    lab_fit,
    lab_open,
    lab_run,
    lab_score,
    lab_search,
    list_scenarios,
    list_suites,
)
from stillwatch.wiring.lists import list_formats, list_groups, list_traits
from stillwatch.wiring.progress import Progress
from stillwatch.wiring.scanning import explain, scan
from stillwatch.wiring.serving import receive

__all__ = [
    "Progress",
    "StillwatchError",
    "explain",
    "fit_baseline",
    "generate",
    "ingest",
    "lab_detect_time",
    "lab_fit",
    "lab_open",
    "lab_run",
    "lab_score",
    "lab_search",
    "list_formats",
    "list_groups",
    "list_scenarios",
    "list_suites",
    "list_traits",
    "receive",
    "scan",
    "show_baseline",
]
