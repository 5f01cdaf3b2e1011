"""Capability mix: what a unit asks the model to do."""

from stillwatch.detect.traffic import Traffic
from stillwatch.detect.trait import Tokens, TokenTrait
from stillwatch.detect.traits._extract import fetch, kind_mask
from stillwatch.records import Family


def extract(traffic: Traffic) -> Tokens:
    """Combination of capability cues, per exchange."""
    t = traffic.table()
    value = t.cues & kind_mask(traffic, "capability")
    t = t.mutate(value=value).filter(value != 0)
    return fetch(traffic, t.group_by("unit", "value").agg(count=t.count()))


def label(traffic: Traffic, value: int) -> str:
    """Names of the capabilities."""
    return ", ".join(traffic.lexicon.names(value))


TRAIT = TokenTrait(
    id="capability_mix",
    title="Capability mix",
    family=Family.CONTENT,
    needs=frozenset({"prompt"}),
    what="Which capability families of the lexicon (mathematics, code, tools, ...) the prompts speak.",
    null="Common: helps to attribute; programming alone is half of honest traffic.",
    looks_alike=("any specialised product",),
    source="H.R. 8283 section 3(11)(B)(ii): concentration on specific capabilities.",
    extract=extract,
    group="content",
    public=True,
    label=label,
)
