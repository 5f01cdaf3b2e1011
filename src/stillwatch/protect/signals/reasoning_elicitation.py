"""Reasoning elicitation: the prompt asks for long written-out reasoning, or for that behind a finished answer."""

from stillwatch.protect.signals.signal import LiveSignal, wording

SIGNAL = LiveSignal(
    id="reasoning_elicitation",
    title="Reasoning elicitation",
    what="The prompt asks for long written-out reasoning, or for the reasoning behind a finished answer.",
    scale="0.5 when just enough cues of the lexicon's family are found, 1 when twice as many.",
    looks_alike=(
        "students and teachers",
        "people who like step-by-step answers",
        "benchmarks with chain-of-thought prompts",
    ),
    look=wording("reasoning_elicitation"),
    prompt=True,
    source="Reported by three labs in 2026 as reasoning-trace coercion.",
)
