"""Template dominance: traffic comes from few templates."""

from stillwatch.detect.trait import ShapeTrait
from stillwatch.records import Family

TRAIT = ShapeTrait(
    id="template_dominance",
    title="Template dominance",
    family=Family.CONTENT,
    needs=frozenset({"prompt"}),
    what="Share of a group's traffic that comes from templates linked to the group.",
    null="Rank among honest linked groups of the baseline (conformal); on its own it convicts nobody.",
    looks_alike=("one-purpose apps", "fixed-prompt batch jobs"),
    source="Labs report volume concentrated in a few repetitive structures.",
    column="template",
    meaning="traffic comes from few templates",
)
