"""Attackers: one module per text family, the dials of the ladder, and the campaign builder."""

from __future__ import annotations

from collections.abc import Mapping

from stillwatch.lab.attackers import (
    agentic,
    code,
    cot_math,
    cot_reconstruction,
    mixed,
    multilingual_reasoning,
    persona_analyst,
    rubric_grading,
    safe_rewrite,
    task_generation,
)
from stillwatch.lab.attackers.dials import LEVELS, Dials
from stillwatch.lab.attackers.family import Family

VARIANTS: Mapping[str, Family | None] = {
    "agentic": agentic.FAMILY,
    "code": code.FAMILY,
    "cot_math": cot_math.FAMILY,
    "cot_reconstruction": cot_reconstruction.FAMILY,
    "mixed": mixed.FAMILY,
    "multilingual_reasoning": multilingual_reasoning.FAMILY,
    "persona_analyst": persona_analyst.FAMILY,
    "rubric_grading": rubric_grading.FAMILY,
    "safe_rewrite": safe_rewrite.FAMILY,
    "task_generation": task_generation.FAMILY,
}
"""Text families by name; ``mixed`` (none) is for pools."""

__all__ = ["LEVELS", "VARIANTS", "Dials", "Family"]
