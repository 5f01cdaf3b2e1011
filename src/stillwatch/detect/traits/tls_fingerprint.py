"""TLS fingerprint (JA4 or JA3) of the client."""

from stillwatch.detect.trait import TokenTrait
from stillwatch.detect.traits._extract import column_tokens
from stillwatch.records import Family

TRAIT = TokenTrait(
    id="tls_fingerprint",
    title="TLS fingerprint",
    family=Family.INFRASTRUCTURE,
    needs=frozenset({"tls_fingerprint"}),
    what="The TLS client hello fingerprint as a keyed digest.",
    null="Shared software: it helps to attribute an account to a group already found and is never bet on.",
    looks_alike=("every user of one SDK version on one runtime", "all browsers of one build"),
    source="JA3 and JA4 fingerprints identify stacks, not people.",
    extract=lambda traffic: column_tokens(traffic, "tls"),
    group="software",
)
