"""Tool set: the names of the tools offered to the model."""

from stillwatch.detect.trait import TokenTrait
from stillwatch.detect.traits._extract import column_tokens
from stillwatch.records import Family

TRAIT = TokenTrait(
    id="tool_set",
    title="Tool set",
    family=Family.CONTENT,
    needs=frozenset({"tools"}),
    what="A keyed digest of the sorted tool names.",
    null="Shared content: it names hubs to look at.",
    looks_alike=("users of one coding agent", "a tool protocol server that many people run"),
    source="Agent-trajectory harvests offer the same mock tools under many accounts.",
    extract=lambda traffic: column_tokens(traffic, "tools"),
    group="content",
    defines_hubs=True,
)
