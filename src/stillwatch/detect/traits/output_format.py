"""Output format: which machine-readable answers are asked for."""

from stillwatch.detect.traffic import Traffic
from stillwatch.detect.trait import Tokens, TokenTrait
from stillwatch.detect.traits._extract import fetch, kind_mask
from stillwatch.records import Family


def extract(traffic: Traffic) -> Tokens:
    """Combination of format cues, per exchange."""
    t = traffic.table()
    value = t.cues & kind_mask(traffic, "format")
    t = t.mutate(value=value).filter(value != 0)
    return fetch(traffic, t.group_by("unit", "value").agg(count=t.count()))


def label(traffic: Traffic, value: int) -> str:
    """Names of the formats."""
    return ", ".join(traffic.lexicon.names(value))


TRAIT = TokenTrait(
    id="output_format",
    title="Output format asked for",
    family=Family.CONTENT,
    needs=frozenset({"prompt"}),
    what="Which of the lexicon's format families (boxed answer, JSON fields, tags, a bare score) are asked for.",
    null="Shared content: helps to attribute; weighs in the shape test as training_format.",
    looks_alike=("structured extraction in any product", "graders", "benchmarks"),
    source="Public distillation recipes ask for fixed fields that a trainer can parse.",
    extract=extract,
    group="content",
    public=True,
    label=label,
)
