"""System-prompt extraction: asks for hidden instructions."""

from stillwatch.detect.trait import ShapeTrait
from stillwatch.records import Family

TRAIT = ShapeTrait(
    id="system_prompt_extraction",
    title="System-prompt extraction",
    family=Family.CONTENT,
    needs=frozenset({"prompt"}),
    what="Share of prompts that ask for the hidden instructions.",
    null="Rank among honest linked groups of the baseline (conformal); on its own it convicts nobody.",
    looks_alike=("developers who debug their own prompt", "curious users"),
    source="OWASP LLM08:2026 hidden context exposure.",
    column="prompt_extraction",
    meaning="asks for hidden instructions",
)
