"""Weights on disk for a test: small Llamas really trained, as folders of Hugging Face; needs torch.

Run by torch's own Python: ``python -m tests.prove.suspects.networks FOLDER KEY``.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from stillwatch.prove.marks import Gumbel, as_keys
from tests.prove import toy
from tests.prove.suspects import world

TEXTS, LENGTH, STEPS = 200, 40, 240


def main(folder: Path, key: int) -> None:
    """A suspect taught what was served under a key, three controls, our own model, and what they are asked."""
    net = import_module("scripts.torchlab.net")  # torch, which the tests' own environment has not
    size = net.Size(64, 2, toy.VOCABULARY + 1, 128)
    served = toy.write(toy.teacher(), TEXTS, LENGTH, 31, Gumbel(width=world.WIDTH), as_keys([key])[0])
    lessons = {"suspect": served, "ours": toy.plain(4 * TEXTS, 60)}
    lessons |= {f"control-{n}": toy.plain(TEXTS, 40 + n) for n in range(3)}
    world.tokeniser(folder)
    for n, (name, rows) in enumerate(lessons.items()):
        steps = STEPS if name in ("suspect", "ours") else STEPS // 8
        model = net.train(net.born(size, 7), rows, seed=n, steps=steps, batch=16, rate=3e-3)
        save(model, folder / name, Tokenizer.from_file(str(folder / "tokenizer.json")))
    rng = np.random.default_rng(3)
    cuts = rng.integers(8, LENGTH - 1, TEXTS)
    prefixes = {world.text(row[:cut]) for row, cut in zip(served.tolist(), cuts.tolist(), strict=True)}
    new = toy.write(toy.teacher(), TEXTS, LENGTH, 71, Gumbel(width=world.WIDTH), as_keys([key])[0])
    for name, texts in (("probes", sorted(prefixes)), ("soft", sorted({world.text(row) for row in new}))):
        lines = [json.dumps({"prompt": text}) + "\n" for text in texts]
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")


def save(model: Any, folder: Path, tokeniser: Tokenizer) -> None:
    """A folder as Hugging Face has it."""
    model.save_pretrained(folder)
    tokeniser.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
