"""Near duplicates: MinHash bands over word triples, which survive new slot values."""

from stillwatch.detect.trait import TokenTrait
from stillwatch.detect.traits._extract import shared_keys
from stillwatch.records import Family

TRAIT = TokenTrait(
    id="near_duplicate",
    title="Near-duplicate prompts",
    family=Family.CONTENT,
    needs=frozenset({"prompt"}),
    what="Four bands of two one-permutation MinHash values over word 3-shingles; two prompts with half their "
    "shingles in common share a band with probability about 0.7.",
    null="Shared content: it names hubs to look at.",
    looks_alike=("retries", "forms filled in by many users", "viral prompts"),
    source="Li, Owen and Zhang, One permutation hashing (NeurIPS 2012).",
    extract=lambda traffic: shared_keys(traffic, ("b0", "b1", "b2", "b3")),
    group="content",
    defines_hubs=True,
)
