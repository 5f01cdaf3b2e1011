"""Single-turn share: no follow-up questions."""

from stillwatch.detect.trait import ShapeTrait
from stillwatch.records import Family

TRAIT = ShapeTrait(
    id="single_turn",
    title="Single-turn share",
    family=Family.BEHAVIOUR,
    needs=frozenset({"prompt"}),
    what="Share of exchanges without a history.",
    null="Rank among honest linked groups of the baseline (conformal); on its own it convicts nobody.",
    looks_alike=("batch jobs", "completion plug-ins", "most API traffic"),
    source="Ninety per cent of sessions in one public trace are single-turn.",
    column="single_turn",
    meaning="no follow-up questions",
)
