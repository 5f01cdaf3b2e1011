"""Output hunger: asks for long answers."""

from stillwatch.detect.trait import ShapeTrait
from stillwatch.records import Family

TRAIT = ShapeTrait(
    id="output_hunger",
    title="Output hunger",
    family=Family.BEHAVIOUR,
    needs=frozenset({"output_tokens"}),
    what="How much more comes out than goes in, and how high the output limit is set.",
    null="Rank among honest linked groups of the baseline (conformal); on its own it convicts nobody.",
    looks_alike=("writers", "code generators", "reasoning-model users"),
    source="Recipes set max_tokens to 8,192 or 16,384.",
    column="hunger",
    meaning="asks for long answers",
)
