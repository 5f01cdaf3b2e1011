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
    from stillwatch.wiring.scanning import explain, scan, show_profile
    from stillwatch.wiring.serving import receive
    from stillwatch.wiring.simulation import simulate_policy
    from stillwatch.wiring.storing import store_add, store_expire, store_forget, store_show

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
    "scanning": ("explain", "scan", "show_profile"),
    "serving": ("receive",),
    "simulation": ("simulate_policy",),
    "storing": ("store_add", "store_expire", "store_forget", "store_show"),
}  # fmt: skip
_WHERE = {name: job for job, names in _JOBS.items() for name in names}

__all__ = [
    "Gate",
    "Progress",
    "StillwatchError",
    "check_policy",
    "explain",
    "explain_policy",
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
    "publish_risk",
    "receive",
    "replay_decision",
    "scan",
    "show_baseline",
    "show_policy",
    "show_profile",
    "simulate_policy",
    "store_add",
    "store_expire",
    "store_forget",
    "store_show",
    "switch_rule",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"stillwatch.wiring.{_WHERE[name]}"), name)
