"""Prompt skeleton: head, tail and sentences that stay when the slots change."""

from stillwatch.detect.trait import TokenTrait
from stillwatch.detect.traits._extract import shared_keys
from stillwatch.records import Family

KEYS = ("head", "tail", "s1", "s2", "s3", "t1")

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
