"""Voices that speak with a corpus's text in place of the grammars (see :mod:`stillwatch.lab.corpus`).

A few thousand texts have to serve millions of exchanges, so a payload is a text with its numbers drawn anew
and, where the length asks for it, further sentences of the corpus. Each world and each voice sees its own
part of the pools. What stays of the grammars: the eight other languages, output formats asked for by honest
builders, and the relay's heartbeats.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stillwatch.lab.corpus import Corpus
from stillwatch.lab.hashing import I64, U64
from stillwatch.lab.text.instructions import Ask, reworded
from stillwatch.lab.text.voices import Fresh, Part, Prose, Slots, Voice

_NUMBER = re.compile(r"(?<![\w.])\d{1,6}(?![\w])")
_SLOT = re.compile(r"(?<!\{)\{([a-z_]+)\}(?!\})")
_MAIN = ("problem", "instruction", "text", "examples", "example", "context", "options", "batch_size")
_FILLERS = {
    "batch_size": ("5", "8", "10", "20"),
    "language": ("English",),
    "answer": ("(see above)",),
    "word_count": ("300", "500"),
}
_KINDS = {"task_gen": "generation", "rubric": "grading", "rewrite": "rewrite"}
_QUESTIONS = {
    "math": "math",
    "code": "code",
    "repo": "code",
    "analyst": "reasoning",
    "sensitive": "sensitive",
    "paired": "paired",
    "jailbreak": "attack",
}


@dataclass(frozen=True, slots=True)
class Renumbered:
    """A voice whose numbers are drawn anew for each payload, so that few texts make many."""

    voice: Voice

    def render(self, seeds: U64, nonces: U64, lengths: I64) -> list[str]:
        """One string per key."""
        texts = self.voice.render(seeds, nonces, lengths)
        return [renumber(text, seed) for text, seed in zip(texts, seeds.tolist(), strict=True)]


def renumber(text: str, seed: int) -> str:
    """Whole numbers drawn anew with as many digits; years stay.

    >>> renumber("In 1999 there were 12 ships and 345 men.", 1) != renumber("In 1999 there were 12 ships and 345 men.", 2)
    True
    >>> renumber("In 1999 none.", 5)
    'In 1999 none.'
    """
    state = seed

    def new(found: re.Match[str]) -> str:
        nonlocal state
        old = found.group()
        if len(old) == 4 and 1800 <= int(old) <= 2100:
            return old
        state = (state * 6364136223846793005 + 1442695040888963407) & (2**64 - 1)
        low = 10 ** (len(old) - 1)
        return str(low + (state >> 20) % (9 * low))

    return _NUMBER.sub(new, text)


class Borrowed:
    """A corpus as the voices and wordings of one world."""

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self._sentences = corpus.sentences()

    def voice(self, name: str, rng: np.random.Generator) -> Voice | None:
        """A voice of the library; ``None`` where the corpus has nothing to offer."""
        kind, _, rest = name.partition(":")
        pool = self.corpus.pool
        more = [f" {s}" for s in self._part(self._sentences, rng)]
        if kind == "prose":
            return Renumbered(Prose((self._part(pool("question", "", "general"), rng),), more, ("",)))
        if kind == "document":
            ends = [f"\n\n{q}" for q in self._part(pool("question", ""), rng) if len(q) < 200]
            return Renumbered(Prose((self._part(pool("document") or more, rng),), more, ends or [""]))
        if kind in _QUESTIONS:
            asked = self._part(pool("question", _QUESTIONS[kind]), rng)
            extra = [""] if kind == "math" else more
            return Renumbered(Prose((asked, extra), more, ("",)))
        if kind == "solution":
            return Renumbered(Prose((self._part(pool("answer", "math", "reasoning"), rng),), more, ("",)))
        if kind == "reply" and rest in ("en", "code"):
            answers = pool("answer", *(("code",) if rest == "code" else ("",)))
            return Renumbered(Prose((self._part([a for a in answers if len(a) < 900], rng),), more, ("",)))
        if kind in ("tool_result", "record"):
            return Renumbered(Prose((self._part(pool("result") or more, rng), more), more, ("",)))
        if kind == "followup":
            return Renumbered(Prose((self._part(pool("conversation") or more, rng),), more, ("",)))
        return None

    def system(self, rng: np.random.Generator) -> str:
        """A builder's system prompt; an instruction where the corpus has none."""
        return _one(rng, self.corpus.pool("system") or self.corpus.pool("question"))[:2000]

    def template(self, rng: np.random.Generator) -> tuple[str, str]:
        """A builder's template: text before and after the input."""
        return f"{_one(rng, self.corpus.pool('instruction') or self.corpus.pool('question'))}\n\n", ""

    def ask(self, rng: np.random.Generator, kind: str) -> str:
        """What a recipe asks before its input, for honest people who ask the same."""
        return self._recipe(rng, kind)[0]

    def reword(self, name: str, ask: Ask, rng: np.random.Generator) -> tuple[Voice, str | None]:
        """A campaign's ask with a recipe of the corpus: its voice, and the system prompt if the ask stands there."""
        kind = next((k for part, k in _KINDS.items() if part in name), "reasoning")
        before, after = self._recipe(rng, kind)
        if ask.moved:
            return Slots(((*ask.payload, after),)), before.strip()
        first: Part = Fresh(reworded(rng, before)) if ask.paraphrase else before
        return Slots(((first, *ask.payload, after),)), None

    def _recipe(self, rng: np.random.Generator, kind: str) -> tuple[str, str]:
        text = _one(rng, self.corpus.pool("recipe", kind))
        main = next((m for m in _MAIN if f"{{{m}}}" in text and m != "batch_size"), None)

        def fill(found: re.Match[str]) -> str:
            return _one(rng, _FILLERS.get(found.group(1), ("",)))

        before, _, after = text.partition(f"{{{main}}}") if main else (f"{text}\n\n", "", "")
        return _SLOT.sub(fill, before), _SLOT.sub(fill, after)

    def _part(self, pool: Sequence[str], rng: np.random.Generator) -> list[str]:
        """Three fifths of a pool, in an order of this voice's own; all of a small one."""
        size = len(pool) if len(pool) < 200 else round(0.6 * len(pool))
        return [pool[int(i)] for i in rng.permutation(len(pool))[:size]]


def _one(rng: np.random.Generator, pool: Sequence[str]) -> str:
    return pool[int(rng.integers(len(pool)))]
