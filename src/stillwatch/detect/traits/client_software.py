"""Client software: the exact user agent string."""

from stillwatch.detect.trait import TokenTrait
from stillwatch.detect.traits._extract import column_tokens
from stillwatch.records import Family

TRAIT = TokenTrait(
    id="client_software",
    title="Client software",
    family=Family.INFRASTRUCTURE,
    needs=frozenset({"user_agent"}),
    what="The user agent string as a keyed digest; names outside a short list are never shown.",
    null="Shared software: it names hubs to look at and is never bet on.",
    looks_alike=("one popular SDK", "one app with many customers"),
    source="Relays share fallback client strings between accounts; so do honest apps.",
    extract=lambda traffic: column_tokens(traffic, "ua"),
    group="software",
    defines_hubs=True,
)
