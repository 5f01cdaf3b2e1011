"""One world: our teacher, another laboratory's, public text, and the base that students start from; kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM

from scripts.torchlab import corpus, net
from scripts.torchlab.keyed import KEYS, Keyed
from scripts.torchlab.plan import Scale
from stillwatch.prove.marks import Mark, make_mark
from stillwatch.prove.marks.mark import Tokens
from stillwatch.prove.nulls import random_keys


@dataclass(frozen=True)
class World(Keyed):
    """Everything that one seed decides at one scale."""

    scale: Scale
    seed: int
    folder: Path

    @cached_property
    def tokeniser(self) -> Tokenizer:
        return corpus.tokeniser(corpus.texts("public"), self.scale.vocabulary)

    @cached_property
    def foreign(self) -> Tokenizer:
        """Another tokeniser, of another size and from other text."""
        return corpus.tokeniser(corpus.texts("other"), self.scale.vocabulary * 3 // 4)

    @cache  # noqa: B019 - a process holds one world
    def rows(self, part: str, *, foreign: bool = False) -> Tokens:
        """A part's text in rows of tokens."""
        made = self.foreign if foreign else self.tokeniser
        end = made.token_to_id(corpus.END)
        flat = [t for one in made.encode_batch(list(corpus.texts(part))) for t in (*one.ids, end)]
        count = len(flat) // self.scale.length
        return np.array(flat[: count * self.scale.length], dtype=np.int64).reshape(count, self.scale.length)

    @cached_property
    def ours(self) -> Any:
        return self._kept(
            "ours", lambda: self._taught(self.scale.teacher, self.rows("ours")[: -self._held], 1)
        )

    @cached_property
    def other(self) -> Any:
        return self._kept("other", lambda: self._taught(self.scale.teacher, self.rows("other"), 2))

    def base(self) -> Any:
        """A new copy of the students' base."""
        steps = self.scale.steps // 2
        return self._kept("base", lambda: self._taught(self.scale.student, self.rows("public"), 3, steps))

    def foreign_base(self) -> Any:
        """A base with the other tokeniser."""
        steps, rows = self.scale.steps // 2, self.rows("public", foreign=True)
        return self._kept("foreign", lambda: self._taught(self.scale.student, rows, 4, steps, self.foreign))

    @property
    def _held(self) -> int:
        return max(8, len(self.rows("ours")) // 5)

    @cached_property
    def prompts(self) -> Tokens:
        """Prompts from text that our teacher was not taught."""
        return self.rows("ours")[-self._held :, : self.scale.prompt]

    def asked(self, count: int, number: int) -> Tokens:
        """So many prompts."""
        rng = np.random.default_rng(self.draw(number))
        return self.prompts[rng.integers(0, self.prompts.shape[0], count)]

    def answers(
        self, count: int, number: int, mark: Mark | None = None, key: int = 0, *, by: str = "ours",
        temperature: float = 1.0,
    ) -> Tokens:  # fmt: skip
        """Answers of a teacher, kept on disk; a key beyond the issued ones is one that nobody tries."""
        made = "plain" if mark is None else f"{mark.id}-{mark.width}-key{key}"
        path = self.folder / f"{by}-{made}-t{temperature}-{count}-{number}.npy"
        if not path.exists():
            keyed = (
                None if mark is None else self.keys[key] if key < KEYS else random_keys(self.draw(key), 1)[0]
            )
            rows = net.write(
                self.ours if by == "ours" else self.other, self.asked(count, number), self.scale.length,
                seed=self.draw(number), mark=mark, key=keyed, temperature=temperature,
            )  # fmt: skip
            with (path.with_suffix(".part")).open("wb") as file:
                np.save(file, rows)
            path.with_suffix(".part").replace(path)
        return np.asarray(np.load(path))

    def _taught(
        self, shape: tuple[int, int], rows: Tokens, number: int, steps: int | None = None,
        tokeniser: Tokenizer | None = None,
    ) -> Any:  # fmt: skip
        vocabulary = (tokeniser or self.tokeniser).get_vocab_size()
        size = net.Size(*shape, vocabulary=vocabulary, length=self.scale.length)
        new = net.born(size, self.draw(number))
        return net.train(
            new,
            rows,
            seed=self.draw(number),
            steps=steps or self.scale.steps,
            batch=self.scale.batch,
            rate=3e-3,
        )

    def _kept(self, name: str, make: Callable[[], Any]) -> Any:
        path = self.folder / name
        if not (path / "model.safetensors").exists():
            made = make()
            made.save_pretrained(self.folder / f"{name}.part")
            (self.folder / f"{name}.part").rename(path)
        return LlamaForCausalLM.from_pretrained(path).eval()


def mark_of(width: int, scheme: str = "vllm-gumbel") -> Mark:
    """A mark of the study."""
    return make_mark(scheme, width=width)
