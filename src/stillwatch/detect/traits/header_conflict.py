"""Header conflict: the user agent contradicts the SDK headers beside it."""

from stillwatch.detect.traffic import Traffic
from stillwatch.detect.trait import TokenTrait
from stillwatch.detect.traits._extract import column_tokens
from stillwatch.records import Family

WORDS = {1: "version conflict", 2: "language conflict", 4: "SDK without its headers"}


def label(traffic: Traffic, value: int) -> str:
    """Which contradictions were seen."""
    return ", ".join(word for bit, word in WORDS.items() if value & bit) or "none"


TRAIT = TokenTrait(
    id="header_conflict",
    title="Header conflict",
    family=Family.INFRASTRUCTURE,
    needs=frozenset({"user_agent", "client_headers"}),
    what="User agent version against package version, language against runtime, an SDK without its headers.",
    null="Shared software: helps to attribute, never convicts; a client without its headers is not guilt.",
    looks_alike=("corporate proxies that strip headers", "wrappers that set their own user agent"),
    source="Relay software raises the user agent version and freezes the SDK headers.",
    extract=lambda traffic: column_tokens(traffic, "hdr_flags"),
    group="software",
    label=label,
)
