"""System prompt: the same developer message under several accounts."""

from stillwatch.detect.trait import TokenTrait
from stillwatch.detect.traits._extract import column_tokens
from stillwatch.records import Family

TRAIT = TokenTrait(
    id="system_prompt",
    title="System prompt",
    family=Family.CONTENT,
    needs=frozenset({"system_prompt"}),
    what="A digest over the skeleton of the system prompt, slots removed.",
    null="Shared content: it names hubs to look at.",
    looks_alike=("an SDK's default system prompt", "one app with many customers"),
    source="In one public trace every conversation shares its first 512 tokens: one product's system prompt.",
    extract=lambda traffic: column_tokens(traffic, "sys"),
    group="content",
    defines_hubs=True,
)
