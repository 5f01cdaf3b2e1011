"""SDK header set: the values of the SDK headers sent together."""

from stillwatch.detect.trait import TokenTrait
from stillwatch.detect.traits._extract import column_tokens
from stillwatch.records import Family

TRAIT = TokenTrait(
    id="sdk_headers",
    title="SDK header set",
    family=Family.INFRASTRUCTURE,
    needs=frozenset({"client_headers"}),
    what="A keyed digest over the SDK header values (language, system, architecture, runtime, version).",
    null="Shared software: it names hubs to look at and is never bet on.",
    looks_alike=("one container image used by many", "one popular SDK on one platform"),
    source="Relays replay a frozen default header set under many accounts.",
    extract=lambda traffic: column_tokens(traffic, "hdr"),
    group="software",
    defines_hubs=True,
)
