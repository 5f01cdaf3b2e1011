"""Radioactivity from text alone: does the suspect, left to write, prefer what our key prefers?

Two ways to read a closed model. *Free generation*: it writes from prompts of ours, and every position of its own
words is a question. *Prefix probes*: one token is read after each prefix that ends in a window of ours; each call
asks about a window that the mark can have taught, so far fewer calls are needed.

*Looks alike*: a suspect that copies from its prompt. Windows that touch the prompt, or stood in the context before,
are dropped for that reason. Greedy answers are fine for probes; for free generation they repeat themselves.

References
----------
Sander, Fernandez, Durmus, Douze and Furon, *Watermarking makes language models radioactive* (NeurIPS 2024),
sections 4 and 5; prefix probes are ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stillwatch.prove.marks.mark import Mark
from stillwatch.prove.radio.counted import Counted
from stillwatch.prove.radio.family import IssuedKey, Plan, try_keys
from stillwatch.prove.tuples import generation_tuples, probe_tuples
from stillwatch.records.claim import Claim

Answers = Iterable[tuple[Sequence[int], Sequence[int]]]
"""Prompt and answer, as tokens of our tokeniser."""


def free_generation(
    suspect: str,
    mark: Mark,
    answers: Answers,
    issued: Sequence[IssuedKey],
    plan: Plan,
    controls: Sequence[tuple[str, Answers]] = (),
) -> Claim:
    """Test what a suspect wrote; an issued key's exposure keeps the windows that were served under it."""
    reading = Counted(mark, generation_tuples(answers, mark.width))
    others = [(name, Counted(mark, generation_tuples(said, mark.width))) for name, said in controls]
    return try_keys("radio-closed", suspect, reading, issued, plan, others)


def prefix_probes(
    suspect: str,
    mark: Mark,
    prefixes: Sequence[Sequence[int]],
    answers: Sequence[int],
    issued: Sequence[IssuedKey],
    plan: Plan,
    controls: Sequence[tuple[str, Sequence[int]]] = (),
) -> Claim:
    """Test the one token that a suspect said after each prefix; controls answer the same prefixes."""
    reading = Counted(mark, probe_tuples(prefixes, answers, mark.width))
    others = [(name, Counted(mark, probe_tuples(prefixes, said, mark.width))) for name, said in controls]
    return try_keys("radio-probes", suspect, reading, issued, plan, others)
