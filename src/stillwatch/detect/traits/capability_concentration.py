"""Capability concentration: aims at few capabilities."""

from stillwatch.detect.trait import ShapeTrait
from stillwatch.records import Family

TRAIT = ShapeTrait(
    id="capability_concentration",
    title="Capability concentration",
    family=Family.CONTENT,
    needs=frozenset({"prompt"}),
    what="How far the stream keeps to few capability families of the lexicon: the sum of their squared shares.",
    null="Rank among honest linked groups of the baseline (conformal); on its own it convicts nobody.",
    looks_alike=("any specialised product",),
    source="H.R. 8283 section 3(11)(B)(ii).",
    column="concentration",
    meaning="aims at few capabilities",
)
