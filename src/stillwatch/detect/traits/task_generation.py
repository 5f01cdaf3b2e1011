"""Task generation: asks for training tasks."""

from stillwatch.detect.trait import ShapeTrait
from stillwatch.records import Family

TRAIT = ShapeTrait(
    id="task_generation",
    title="Task generation",
    family=Family.CONTENT,
    needs=frozenset({"prompt"}),
    what="Share of prompts that ask for new tasks, questions or rewritten prompts, or for acceptable rewrites.",
    null="Rank among honest linked groups of the baseline (conformal); on its own it convicts nobody.",
    looks_alike=("test-data generation for own products", "teachers who write exercises"),
    source="Self-Instruct, Evol-Instruct and their descendants.",
    column="generation",
    meaning="asks for training tasks",
)
