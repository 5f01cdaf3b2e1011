"""Jailbreak wording: the prompt uses known jailbreak wording."""

from stillwatch.protect.signals.signal import LiveSignal, wording

SIGNAL = LiveSignal(
    id="jailbreak",
    title="Jailbreak wording",
    what="The prompt uses known jailbreak wording.",
    scale="0.5 when just enough cues of the lexicon's family are found, 1 when twice as many.",
    looks_alike=("red teams", "researchers", "people who paste examples from the web"),
    look=wording("jailbreak"),
    prompt=True,
    source="In-the-wild jailbreak collections (Shen et al. 2024).",
)
