"""Payload novelty: nearly every payload is new."""

from stillwatch.detect.trait import ShapeTrait
from stillwatch.records import Family

TRAIT = ShapeTrait(
    id="payload_novelty",
    title="Payload novelty",
    family=Family.CONTENT,
    needs=frozenset({"prompt"}),
    what="Distinct payloads per exchange inside the templated stream, after dividing by the usual number of repeats.",
    null="Rank among honest linked groups of the baseline (conformal); on its own it convicts nobody.",
    looks_alike=("translation and labelling of own records",),
    source="Datasets want each question once, or exactly R times.",
    column="novelty",
    meaning="nearly every payload is new",
)
