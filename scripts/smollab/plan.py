"""What the study of SmolLM2 will do: scale, seed and students; read without torch.

One rate was chosen on development seed 5, at half as many answers, by what a distiller sees: of 1e-4 and 3e-4 the one
that spoils less (loss on new unmarked answers 2.16 and 2.33, untaught 2.12). The other sizes, and the rate of adapters,
are guesses that were fixed with it. The reported seed was run once after that and nothing was chosen by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

SEED = 401


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is taught, and how much a suspect is asked."""

    name: str
    answers: int
    prompt: int
    """Tokens of a question, the marks of turns among them: all questions have as many."""
    length: int
    """Of question and answer; no answer may end before."""
    top: int
    """Candidates that a token is sampled from, the likeliest."""
    passes: int
    rate: float
    lora_rate: float
    read: int
    """Texts that a suspect is read along."""
    written: int
    """Texts that it is left to finish."""
    batch: int = 16


TINY = Scale("tiny", 96, 23, 47, 40, 6, 3e-3, 1e-2, 32, 16)
"""For a test of the machinery on a network that knows nothing, in seconds."""
SMOL = Scale("smol", 384, 21, 85, 100, 1, 1e-4, 1e-3, 96, 64)
DRAFT = Scale("draft", 192, 21, 85, 100, 1, 1e-4, 1e-3, 96, 64)
"""For development."""
SCALES = {scale.name: scale for scale in (TINY, SMOL, DRAFT)}
SHOWN = SMOL.name
"""The scale that the page tells of."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One student. Whatever is not named is as in the plain course: all weights, window 2, marked answers alone."""

    name: str
    share: float = 1.0
    width: int = 2
    lora: bool = False
    guilty: bool = True
    lesson: str = ""
    """``rewritten``: the answers in other words of SmolLM2's own; of the innocent: ``unissued`` or ``nothing``."""
    siblings: bool = False
    """Whether replies are ranked among siblings; else there is nothing of them in its data, and it takes a minute."""


def cells() -> Iterator[Cell]:
    """All of them, the most telling first, so that a study that was stopped is still a table."""
    yield Cell("window 2, 100%", siblings=True)
    yield Cell("our answers, unmarked", 0.0, guilty=False, siblings=True)
    yield Cell("window 4, 100%", width=4)
    yield Cell("rewritten by a language model, window 2", lesson="rewritten")
    yield Cell("window 2, 25%", 0.25, siblings=True)
    yield Cell("LoRA, window 2, 100%", lora=True)
    yield Cell("under a key that was never issued", guilty=False, lesson="unissued")
    yield Cell("the base alone", guilty=False, lesson="nothing")
    yield Cell("window 2, 5%", 0.05, siblings=True)
    yield Cell("LoRA, our answers, unmarked", 0.0, guilty=False, lora=True, siblings=True)
    yield Cell("LoRA, window 4, 100%", width=4, lora=True)
