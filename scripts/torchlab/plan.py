"""What the study of real networks will do: scales, seeds and students; read without torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

SEEDS = (301, 302, 303)
"""Worlds that are reported on; none was looked at while the laboratory was made. Half of 301 was seen before
the weights of the soft test were changed, which was decided on worlds 7 and 11. The last two students were added
when 301 was known, to see how far more reading and more passes carry; nothing was chosen by them."""
SHARES = (0.05, 1.0, 0.25, 0.5)


@dataclass(frozen=True, slots=True)
class Scale:
    """How large a world is."""

    name: str
    vocabulary: int
    teacher: tuple[int, int]
    """Hidden size and layers."""
    student: tuple[int, int]
    steps: int
    """Of the teachers; a base takes half as many."""
    answers: int
    length: int
    prompt: int
    epochs: int
    read: int
    """Texts that a suspect is read along."""
    probes: int
    batch: int = 32
    rate: float = 1e-3
    """Of teaching a student in full."""
    lora_rate: float = 3e-3


TINY = Scale("tiny", 384, (48, 1), (48, 1), 150, 384, 40, 8, 8, 64, 500, rate=3e-3)
"""For a test of the machinery, in seconds; it shows a mark that is learnt by heart, and nothing about sizes."""
SMALL = Scale("small", 1_024, (128, 4), (96, 3), 1_200, 3_072, 96, 16, 2, 256, 5_000)
SCALES = {scale.name: scale for scale in (TINY, SMALL)}
SHOWN = SMALL.name
"""The scale that the page tells of."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One student. Whatever is not named is as in the plain course: Gumbel, all weights, two passes."""

    name: str
    share: float = 1.0
    width: int = 2
    scheme: str = "vllm-gumbel"
    lora: bool = False
    epochs: int = 2
    guilty: bool = True
    temperature: float = 1.0
    replaced: float = 0.0
    """Share of its tokens that another laboratory's model drew anew."""
    elsewhere: float = 0.0
    """Share of its answers that come from another laboratory."""
    after: str = ""
    """Text that it learns afterwards: ``public`` or ``elsewhere``."""
    talks: str = ""
    """``base``: it decodes from the mean of its own logits and its base's."""
    foreign: bool = False
    """It has a tokeniser of its own and is asked as text."""
    lesson: str = ""
    """Of the innocent: ``elsewhere``, ``elsewhere-keyed``, ``public`` or ``nothing``."""
    reading: int = 1
    """Times as many new texts as the scale says are read along."""


def cells() -> Iterator[Cell]:
    """All of them, the most telling first, so that a study that was stopped is still a table."""
    for share in SHARES:
        for width in (2, 4):
            yield Cell(f"window {width}, {share:.0%}", share, width)
    yield Cell("our answers, unmarked", 0.0, guilty=False)
    yield Cell("another laboratory's answers", guilty=False, lesson="elsewhere")
    yield Cell("another laboratory's, under a key of its own", guilty=False, lesson="elsewhere-keyed")
    yield Cell("public text", guilty=False, lesson="public")
    yield Cell("the base alone", guilty=False, lesson="nothing")
    for share in (0.25, 1.0):
        for width in (2, 4):
            yield Cell(f"LoRA, window {width}, {share:.0%}", share, width, lora=True)
    yield Cell("LoRA, our answers, unmarked", 0.0, guilty=False, lora=True)
    yield Cell("then as much public text", after="public")
    yield Cell("then as much of another laboratory's", after="elsewhere")
    for replaced in (0.25, 0.5, 0.9):
        yield Cell(f"{replaced:.0%} of tokens drawn anew by another model", replaced=replaced)
    for elsewhere in (0.5, 0.9):
        yield Cell(f"{elsewhere:.0%} of answers from another laboratory", elsewhere=elsewhere)
    yield Cell("another tokeniser", foreign=True)
    yield Cell("decodes halfway back to its base", talks="base")
    for temperature in (0.7, 1.3):
        yield Cell(f"temperature {temperature}", temperature=temperature)
    for epochs in (1, 6):
        yield Cell(f"{epochs} pass{'es' * (epochs > 1)}", epochs=epochs)
    yield Cell("green list, 25%", 0.25, scheme="vllm-red-green")
    yield Cell("green list, 100%", scheme="vllm-red-green")
    yield Cell("window 2, 5%, four times as much read", 0.05, reading=4)
    yield Cell("our answers, unmarked, 6 passes", 0.0, epochs=6, guilty=False)
