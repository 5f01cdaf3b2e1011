"""One world: keys, questions, and what our model answered; texts are kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from scripts.smollab import net
from scripts.smollab.plan import Scale
from scripts.smollab.prompts import prompts, rewriting
from scripts.torchlab.keyed import KEYS, Keyed
from stillwatch.prove.laws import Floats
from stillwatch.prove.marks import Mark, make_mark
from stillwatch.prove.marks.mark import Tokens
from stillwatch.prove.nulls import random_keys
from stillwatch.prove.radio import Positions, reading_positions

UNISSUED = 1_000_000
"""The number of a key that nobody tries."""
REPLIES, SIBLINGS = 50, 6


@dataclass(frozen=True)
class World(Keyed):
    """Everything that one seed decides."""

    scale: Scale
    seed: int
    folder: Path
    """Of this world's texts."""
    weights: Path
    """Folder of the one model that teaches, is taught and paraphrases."""

    @cached_property
    def tokeniser(self) -> Tokenizer:
        return Tokenizer.from_file(str(self.weights / "tokenizer.json"))

    @cached_property
    def never(self) -> list[int]:
        """Tokens that are no text: ends and marks of turns."""
        return sorted(self.tokeniser.get_added_tokens_decoder())

    @cached_property
    def ours(self) -> Any:
        return net.load(self.weights)

    def asked(self, new: bool) -> Tokens:
        """Questions: those whose answers are learnt, or others."""
        scale = self.scale
        rows: Tokens = prompts(self.tokeniser, scale.prompt)
        if len(rows) < scale.answers + scale.read:
            raise ValueError(
                f"{len(rows)} questions of {scale.prompt} tokens; {scale.answers + scale.read} needed"
            )
        rows = rows[np.random.default_rng(self.draw(1)).permutation(len(rows))]
        return rows[-scale.read :] if new else rows[: scale.answers]

    def answers(self, number: int, mark: Mark | None = None, key: int = 0, *, new: bool = False) -> Tokens:
        """Questions and our answers int64[n, length]; a key beyond the issued ones is one that nobody tries."""
        keyed = None if mark is None else self.keys[key] if key < KEYS else random_keys(self.draw(key), 1)[0]
        return self._kept(
            f"answers-{number}-{'plain' if mark is None else f'{mark.width}-key{key}'}",
            lambda: self._write(self.asked(new), number, mark, keyed),
        )

    def rewritten(self, rows: Tokens, number: int) -> Tokens:
        """The same questions, with answers that our model said again in other words when asked to, unmarked."""
        prompt = self.scale.prompt
        requests = rewriting(self.tokeniser, rows[:, prompt:])
        said = self._kept(f"rewritten-{number}", lambda: self._write(requests, number))
        return np.concatenate([rows[:, :prompt], said[:, requests.shape[1] :]], axis=1)

    @cache  # noqa: B019 - a process holds one world
    def replies(self, number: int) -> tuple[Tokens, Floats]:
        """Unmarked replies that were served, each before its siblings that never were; and how likely we find them."""
        served: Tokens = self.answers(number)[-REPLIES:]
        asked = served[:, : self.scale.prompt]
        drawn = [self._kept(f"siblings-{i}", partial(self._write, asked, 70 + i)) for i in range(SIBLINGS)]
        rows = np.stack([served, *drawn], axis=1).reshape(-1, served.shape[1])
        return rows, net.nll(self.ours, rows, self.scale.prompt)

    def along(self, texts: Tokens, width: int) -> Positions:
        """Positions of texts after their questions: those are nobody's answer."""
        at = reading_positions(texts.tolist(), width)
        kept = at.place >= self.scale.prompt
        return Positions(at.text[kept], at.place[kept], at.contexts[kept], at.seen_before)

    def _write(self, asked: Tokens, number: int, mark: Mark | None = None, key: Any = None) -> Tokens:
        scale = self.scale
        rows: Tokens = net.write(
            self.ours, asked, scale.length - scale.prompt, seed=self.draw(number), top=scale.top, never=self.never,
            mark=mark, key=key,
        )  # fmt: skip
        return rows

    def _kept(self, name: str, make: Callable[[], Tokens]) -> Tokens:
        path = self.folder / f"{name}.npy"
        if not path.exists():
            rows = make()
            with path.with_suffix(".part").open("wb") as file:
                np.save(file, rows)
            path.with_suffix(".part").replace(path)
        return np.asarray(np.load(path))


def mark_of(width: int) -> Mark:
    """The mark of the study: vLLM's Gumbel."""
    return make_mark("vllm-gumbel", width=width)
