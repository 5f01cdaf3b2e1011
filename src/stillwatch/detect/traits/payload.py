"""Payload: the very same question under several accounts."""

from stillwatch.detect.trait import TokenTrait
from stillwatch.detect.traits.template import shared_keys
from stillwatch.records import Family

TRAIT = TokenTrait(
    id="payload",
    title="Payload",
    family=Family.CONTENT,
    needs=frozenset({"prompt"}),
    what="Digests of the whole prompt and of its longest sentence, numbers included.",
    null="Shared content: it names hubs to look at; see work_queue for how payloads are dealt out.",
    looks_alike=("homework", "public benchmarks", "viral prompts", "retries"),
    source="Recipes sample each question several times; a load balancer sends the repeats to other accounts.",
    extract=lambda traffic: shared_keys(traffic, ("full", "longest")),
    group="content",
    defines_hubs=True,
)
