"""The laboratory: simulated worlds with sealed truth, to develop, test and compare detectors.

Honest accounts, honest look-alikes and campaigns on a ladder of evasion. Numbers from here say how a
detector behaves on these worlds, not in the field.
"""

from __future__ import annotations

from stillwatch.lab.discipline import score
from stillwatch.lab.scenario import Scenario, load_scenario, scenarios
from stillwatch.lab.writer import build_world, generate

__all__ = ["Scenario", "build_world", "generate", "load_scenario", "scenarios", "score"]
