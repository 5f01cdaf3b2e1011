"""Suites: which detectors are run on which worlds, and one machine that runs them all alike.

A suite is a TOML file. Every cell (a world and a detector) is generated, run, scored and thrown away; what stays is
one line of figures. The detector's folder holds no truth while it runs.
"""

from __future__ import annotations

from stillwatch.lab.suite.delay import detection_delay
from stillwatch.lab.suite.detectors import Detector, Runner, choose
from stillwatch.lab.suite.plan import Suite, Worlds, load_suite, suites
from stillwatch.lab.suite.run import Moment, run_suite

__all__ = [
    "Detector",
    "Moment",
    "Runner",
    "Suite",
    "Worlds",
    "choose",
    "detection_delay",
    "load_suite",
    "run_suite",
    "suites",
]
