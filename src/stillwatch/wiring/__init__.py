"""Puts the rooms together: besides ``settings`` and ``cli`` the only place that knows them by name.

Effects live here: files are read and written, the clock is read for timings, memory is measured. The rooms
take arguments and return records. A job is loaded when it is asked for, so that a gateway, which needs
:mod:`stillwatch.wiring.policy` alone, starts without the engine.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from stillwatch.errors import StillwatchError

if TYPE_CHECKING:
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
    from stillwatch.wiring.policies import (
        check_policy,
        explain_policy,
        publish_risk,
        replay_decision,
        show_policy,
        switch_rule,
    )
    from stillwatch.wiring.policy import Gate
    from stillwatch.wiring.progress import Progress
    from stillwatch.wiring.scanning import explain, scan
    from stillwatch.wiring.serving import receive
    from stillwatch.wiring.simulation import simulate_policy
    from stillwatch.wiring.storekeeping import (
        back_up,
        bring_up_to_date,
        check_store,
        put_person,
        restore,
        set_up,
    )
    from stillwatch.wiring.takedown import import_run, make_plan, run_plan, undo_plan

_JOBS = {
    "baseline": ("fit_baseline", "show_baseline"),
    "features": ("ingest",),
    "lab": (
        "generate", "lab_detect_time", "lab_fit", "lab_open", "lab_run", "lab_score", "lab_search", "list_scenarios",
        "list_suites",
    ),
    "lists": ("list_formats", "list_groups", "list_traits"),
    "policies": (
        "check_policy", "explain_policy", "publish_risk", "replay_decision", "show_policy", "switch_rule",
    ),
    "policy": ("Gate",),
    "progress": ("Progress",),
    "scanning": ("explain", "scan"),
    "serving": ("receive",),
    "simulation": ("simulate_policy",),
    "storekeeping": ("back_up", "bring_up_to_date", "check_store", "put_person", "restore", "set_up"),
    "takedown": ("import_run", "make_plan", "run_plan", "undo_plan"),
}  # fmt: skip
_WHERE = {name: job for job, names in _JOBS.items() for name in names}

__all__ = [
    "Gate",
    "Progress",
    "StillwatchError",
    "back_up",
    "bring_up_to_date",
    "check_policy",
    "check_store",
    "explain",
    "explain_policy",
    "fit_baseline",
    "generate",
    "import_run",
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
    "make_plan",
    "publish_risk",
    "put_person",
    "receive",
    "replay_decision",
    "restore",
    "run_plan",
    "scan",
    "set_up",
    "show_baseline",
    "show_policy",
    "simulate_policy",
    "switch_rule",
    "undo_plan",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"stillwatch.wiring.{_WHERE[name]}"), name)
