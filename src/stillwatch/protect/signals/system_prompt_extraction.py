"""System-prompt extraction: the prompt asks for the hidden instructions."""

from stillwatch.protect.signals.signal import LiveSignal, wording

SIGNAL = LiveSignal(
    id="system_prompt_extraction",
    title="System-prompt extraction",
    what="The prompt asks for the hidden instructions.",
    scale="0.5 when just enough cues of the lexicon's family are found, 1 when twice as many.",
    looks_alike=("developers who debug their own system prompt", "red teams", "curious people"),
    look=wording("system_prompt_extraction"),
    prompt=True,
    source="Zhang et al., Effective Prompt Extraction from Language Models (2024).",
)
