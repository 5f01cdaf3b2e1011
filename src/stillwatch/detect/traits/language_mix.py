"""Language mix: the languages a unit writes in."""

import ibis

from stillwatch.detect.traffic import Traffic
from stillwatch.detect.trait import Tokens, TokenTrait
from stillwatch.detect.traits._extract import fetch
from stillwatch.records import Family


def extract(traffic: Traffic) -> Tokens:
    """Language of each prompt, plus one so that 0 stays free."""
    t = traffic.table()
    t = t.filter(t.lang >= 0)
    return fetch(
        traffic, t.group_by("unit", value=(t.lang.cast("int64") + ibis.literal(1))).agg(count=t.count())
    )


def label(traffic: Traffic, value: int) -> str:
    """Language code."""
    return traffic.lexicon.languages[value - 1]


TRAIT = TokenTrait(
    id="language_mix",
    title="Language mix",
    family=Family.CONTENT,
    needs=frozenset({"prompt"}),
    what="Language of each prompt, guessed from script and function words.",
    null="Common: helps to attribute. Language is never evidence of nationality.",
    looks_alike=("everyone who writes that language", "translators"),
    source="One public campaign sought reasoning traces in languages other than English.",
    extract=extract,
    group="language",
    public=True,
    label=label,
)
