"""Rubric grading: asks for grades by rubric."""

from stillwatch.detect.trait import ShapeTrait
from stillwatch.records import Family

TRAIT = ShapeTrait(
    id="rubric_grading",
    title="Rubric grading",
    family=Family.CONTENT,
    needs=frozenset({"prompt"}),
    what="Share of prompts that ask for a grade, a score or a comparison by rubric.",
    null="Rank among honest linked groups of the baseline (conformal); on its own it convicts nobody.",
    looks_alike=("LLM-as-judge pipelines", "teachers", "quality assurance"),
    source="Rubric grading as a reward model was reported in February 2026.",
    column="grading",
    meaning="asks for grades by rubric",
)
