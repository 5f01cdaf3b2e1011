"""Prompt skeleton: head, tail and sentences that stay when the slots change."""

import numpy as np

from stillwatch.detect.trait import Tokens, TokenTrait
from stillwatch.detect.traffic import Traffic
from stillwatch.detect.traits._extract import fetch
from stillwatch.records import Family

KEYS = ("head", "tail", "s1", "s2", "s3", "t1")


def shared_keys(traffic: Traffic, columns: tuple[str, ...]) -> Tokens:
    """Values of the given key columns that at least three units show, per unit."""
    parts = []
    for column in columns:
        t = traffic.table().select("unit", value=column)
        t = t.filter(t.value != 0)
        support = t.group_by("value").agg(low=t.unit.min(), high=t.unit.max(), rows=t.count())
        support = support.filter(support.rows >= 3, support.low != support.high).select("value")
        edges = t.group_by("unit", "value").agg(count=t.count())
        parts.append(fetch(traffic, edges.semi_join(support, "value")))
    unit = np.concatenate([p.unit for p in parts])
    value = np.concatenate([p.value for p in parts])
    count = np.concatenate([p.count for p in parts])
    return Tokens(unit, value, count)


TRAIT = TokenTrait(
    id="template",
    title="Prompt skeleton",
    family=Family.CONTENT,
    needs=frozenset({"prompt"}),
    what="Digests of the first and last eight words, the first three and the last sentence of a prompt, with "
    "numbers, quotations, code and addresses as slots.",
    null="Shared content: it names hubs to look at; being sent by many accounts is what a popular app is.",
    looks_alike=(
        "one app with many customers",
        "a public template from a framework or tutorial",
        "a benchmark's fixed instruction",
        "a class with one assignment",
    ),
    source="LPDetective (IJCAI 2025) mines templates from real chat logs; the labs report variations of one "
    "prompt arriving tens of thousands of times.",
    extract=lambda traffic: shared_keys(traffic, KEYS),
    group="content",
    defines_hubs=True,
)
