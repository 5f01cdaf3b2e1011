"""Payload: the very same question under several accounts."""

from stillwatch.detect.trait import TokenTrait
from stillwatch.detect.traits._extract import shared_keys
from stillwatch.records import Family

TRAIT = TokenTrait(
    id="payload",
    title="Payload",
    family=Family.CONTENT,
    needs=frozenset({"prompt"}),
    what="Digests of the whole prompt and of its longest sentence, numbers included.",
    null="Shared content: helps to attribute. It names no hubs, because fail-over and work queue are measured on "
    "payloads and would count the same thing twice.",
    looks_alike=("homework", "public benchmarks", "viral prompts", "retries"),
    source="Recipes sample each question several times; a load balancer sends the repeats to other accounts.",
    extract=lambda traffic: shared_keys(traffic, ("full", "longest")),
    group="content",
)
