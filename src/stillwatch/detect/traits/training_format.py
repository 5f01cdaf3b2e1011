"""Training-ready format: asks for a parseable answer."""

from stillwatch.detect.trait import ShapeTrait
from stillwatch.records import Family

TRAIT = ShapeTrait(
    id="training_format",
    title="Training-ready format",
    family=Family.CONTENT,
    needs=frozenset({"prompt"}),
    what="Share of prompts that ask for an answer a trainer can parse.",
    null="Rank among honest linked groups of the baseline (conformal); on its own it convicts nobody.",
    looks_alike=("structured extraction", "graders", "benchmarks"),
    source="Public distillation recipes.",
    column="format",
    meaning="asks for a parseable answer",
)
