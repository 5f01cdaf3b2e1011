"""Jailbreak wording: uses jailbreak wording."""

from stillwatch.detect.trait import ShapeTrait
from stillwatch.records import Family

TRAIT = ShapeTrait(
    id="jailbreak",
    title="Jailbreak wording",
    family=Family.CONTENT,
    needs=frozenset({"prompt"}),
    what="Share of prompts that use known jailbreak wording.",
    null="Rank among honest linked groups of the baseline (conformal); on its own it convicts nobody.",
    looks_alike=("red teams", "researchers", "people who paste examples from the web"),
    source="In-the-wild jailbreak collections (Shen et al. 2024).",
    column="jailbreak",
    meaning="uses jailbreak wording",
)
