"""Models for an audit behind a real server: a student of marked answers, three that are innocent, and our own model.

Run by torch's own Python: ``python -m scripts.torchlab.served WORK FOLDER KEY SCALE``. Writes GGUF files, our
tokeniser, texts that were never served, and what transformers reads along these.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from scripts.torchlab import net
from scripts.torchlab.cells import ELSEWHERE, PLAIN, taught
from scripts.torchlab.corpus import END
from scripts.torchlab.packed import packed
from scripts.torchlab.plan import SCALES, Cell
from scripts.torchlab.world import World, mark_of
from stillwatch.prove.marks import as_keys

SEED, WIDTH = 301, 2
READ = 192
"""Texts that every model is read along."""


def main(work: Path, folder: Path, key: int, name: str) -> None:
    """Teach and write everything down."""
    torch.set_num_threads(2)
    scale = SCALES[name]
    work = work / f"{scale.name}-{SEED}"
    work.mkdir(parents=True, exist_ok=True)
    world, mark, keyed = World(scale, SEED, work), mark_of(WIDTH), as_keys([key])[0]

    def marked(count: int, number: int) -> Any:
        return net.write(
            world.ours,
            world.asked(count, number),
            scale.length,
            seed=world.draw(number),
            mark=mark,
            key=keyed,
        )

    lessons = {
        "suspect": marked(scale.answers, 90), "control-0": world.answers(scale.answers, PLAIN),
        "control-1": world.answers(scale.answers, ELSEWHERE, by="other"),
    }  # fmt: skip
    models = {each: taught(world, Cell(each), world.base(), rows, 91) for each, rows in lessons.items()}
    models |= {"control-2": world.base(), "ours": world.ours}

    def steered(out: Any, _: Any) -> None:
        out.add_tokenizer_pre("gpt-2")
        out.add_eos_token_id(world.tokeniser.token_to_id(END))
        out.add_add_bos_token(False)

    for each, model in models.items():
        packed(folder / f"{each}.gguf", model, world.tokeniser, special=[END], more=steered)
    world.tokeniser.save(str(folder / "tokenizer.json"))
    said = [world.tokeniser.decode(row[scale.prompt :].tolist()) for row in marked(READ, 92)]
    answers = list(dict.fromkeys(said))  # none twice
    (folder / "prompts.jsonl").write_text("".join(json.dumps({"prompt": text}) + "\n" for text in answers))
    tokens = [world.tokeniser.encode(text, add_special_tokens=False).ids for text in answers]
    np.savez(
        folder / "likeliest.npz",
        **{str(n): likeliest(models["suspect"], row) for n, row in enumerate(tokens)},
    )


def likeliest(model: Any, row: list[int]) -> Any:
    """int64: the likeliest token of each place but the first."""
    with torch.inference_mode():
        return model(input_ids=torch.tensor([row])).logits[0, :-1].argmax(-1).numpy()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
