"""Reasoning elicitation: asks for written-out reasoning."""

from stillwatch.detect.trait import ShapeTrait
from stillwatch.records import Family

TRAIT = ShapeTrait(
    id="reasoning_elicitation",
    title="Reasoning elicitation",
    family=Family.CONTENT,
    needs=frozenset({"prompt"}),
    what="Share of prompts that ask for long written-out reasoning or for the reasoning behind a finished answer.",
    null="Rank among honest linked groups of the baseline (conformal); on its own it convicts nobody.",
    looks_alike=(
        "students and teachers",
        "people who like step-by-step answers",
        "benchmarks with chain-of-thought prompts",
    ),
    source="Reported by three labs in 2026; Google calls it reasoning-trace coercion.",
    column="reasoning",
    meaning="asks for written-out reasoning",
)
