"""Logit and sample harvest: asks for log-probabilities or many samples."""

from stillwatch.detect.trait import ShapeTrait
from stillwatch.records import Family

TRAIT = ShapeTrait(
    id="logit_harvest",
    title="Logit and sample harvest",
    family=Family.BEHAVIOUR,
    needs=frozenset({"logprobs", "n"}),
    what="Share of exchanges with logprobs or several samples.",
    null="Rank among honest linked groups of the baseline (conformal); on its own it convicts nobody.",
    looks_alike=("calibration research", "classification by log-probability"),
    source="Carlini et al., Stealing part of a production language model (2024).",
    column="logits",
    meaning="asks for log-probabilities or many samples",
)
