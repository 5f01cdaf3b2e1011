"""Sampling vector: temperature, top_p, n, max_tokens and logprobs as sent."""

from stillwatch.detect.traffic import Traffic
from stillwatch.detect.trait import TokenTrait
from stillwatch.detect.traits._extract import column_tokens
from stillwatch.records import Family


def label(traffic: Traffic, value: int) -> str:
    """The vector in words."""
    return traffic.sampling_labels.get(value, "unknown vector")


TRAIT = TokenTrait(
    id="sampling",
    title="Sampling parameters",
    family=Family.BEHAVIOUR,
    needs=frozenset({"temperature", "max_tokens"}),
    what="The exact vector of sampling parameters sent with a request.",
    null="Shared software: names hubs to look at, never bet on.",
    looks_alike=("one framework's defaults", "a published benchmark configuration"),
    source="Public recipes fix temperature 0.6, top_p 0.95, max_tokens 16384 and the like.",
    extract=lambda traffic: column_tokens(traffic, "sampling"),
    group="software",
    defines_hubs=True,
    public=True,
    label=label,
)
