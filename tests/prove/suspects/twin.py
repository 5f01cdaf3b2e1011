"""One small Llama as a folder of Hugging Face and as a GGUF file, read for a test; needs torch and gguf.

Run by torch's own Python: ``python -m tests.prove.suspects.twin FOLDER``. Prints both readings, and what becomes of
files that are not what they say.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from scripts.torchlab.packed import packed as written
from stillwatch.prove.suspects.drawn import Failed
from stillwatch.prove.suspects.gguf import NAME
from stillwatch.prove.suspects.loaded import Loaded, Wrong
from tests.prove.suspects.hostile import order
from tests.prove.suspects.networks import save

HEADS, KEYS, WIDTH, LAYERS, INNER, LENGTH = 4, 2, 64, 2, 96, 256
HOSTILE = (
    "The year 2026, na\u00efve  caf\u00e9 \u65e5\u672c\u8a9e \u200b\n\ttabs 12345 don't <|im_start|>x\u202e "
    "\U0001f600\U0001f3fd e\u0301 \x00\x07 {{ 7*7 }} </s><s> %s\\n \ufffd \u0130\u0131 1e-5 ___ \r\n\r\n"
)
FILES: dict[str, dict[str, Any]] = {
    "plain": {}, "scaled": {"scaling": True}, "odd": {"odd": True}, "cut": {}, "deep": {"layers": 2**31},
}  # fmt: skip
"""GGUF files that are made, and in what they are bent; the one that is cut is cut afterwards."""


def main(folder: Path) -> None:
    """Both readings of a hostile text."""
    model, ours = saved(folder)
    tokens = ours.encode(HOSTILE, add_special_tokens=False).ids
    found: dict[str, Any] = {"tokens": len(tokens), "twin": read(folder, folder / "twin", "folder", tokens)}
    for name, more in FILES.items():
        (folder / name).mkdir()
        packed(folder / name / NAME, model, ours, **more)
    whole = (folder / "cut" / NAME).read_bytes()
    (folder / "cut" / NAME).write_bytes(whole[: len(whole) // 2])
    found |= {name: read(folder, folder / name, "gguf", tokens) for name in FILES}
    sys.stdout.write(json.dumps(found))


def saved(folder: Path) -> tuple[Any, Tokenizer]:
    """A small Llama and its tokeniser, as a folder of Hugging Face."""
    lib, torch = import_module("transformers"), import_module("torch")
    ours = tokeniser()
    ours.save(str(folder / "tokenizer.json"))
    model = born(lib, torch, ours)
    save(model, folder / "twin", ours)
    return model, ours


def born(lib: Any, torch: Any, ours: Tokenizer) -> Any:
    """A small Llama, not taught."""
    torch.manual_seed(3)
    config = lib.LlamaConfig(
        vocab_size=ours.get_vocab_size(), hidden_size=WIDTH, intermediate_size=INNER, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, num_key_value_heads=KEYS, max_position_embeddings=LENGTH, rms_norm_eps=1e-3,
        rope_parameters={"rope_type": "default", "rope_theta": 50_000.0}, initializer_range=0.3,
        bos_token_id=None, eos_token_id=None, pad_token_id=None,
    )  # fmt: skip
    return lib.LlamaForCausalLM(config)


def read(folder: Path, place: Path, kind: str, tokens: list[int]) -> Any:
    """What a process reads along the text, or says is wrong."""
    try:
        loaded = Loaded(order(folder, place) | {"kind": kind})
        placed = loaded.placed(tokens)
        its = {number: piece for piece, number in loaded.pieces().items()}
        return loaded.read(tokens, placed) | {"placed": placed, "pieces": [its[token] for token in placed]}
    except (Wrong, Failed) as error:
        return str(error)


def tokeniser() -> Tokenizer:
    """A tokeniser of bytes, as most are."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<|im_start|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    made.train_from_iterator([HOSTILE, "the year of the tabs, the cafe of the year "] * 20, trainer)
    return made


def packed(
    path: Path, model: Any, ours: Tokenizer, *, scaling: bool = False, odd: bool = False, layers: int = LAYERS,
    merges: Sequence[str] = ("a b",), template: str = "", start: str = "",
) -> None:  # fmt: skip
    """The same model as GGUF, whose tokens have other numbers."""
    pieces = sorted(ours.get_vocab(), reverse=True)

    def more(out: Any, lib: Any) -> None:
        if template:
            out.add_chat_template(template)
        if start:
            out.add_bos_token_id(pieces.index(start))
            out.add_add_bos_token(True)
            out.add_eot_token_id(pieces.index(start))
        if scaling:
            out.add_rope_scaling_type(lib.RopeScalingType.YARN)
        if odd:
            out.add_tensor("rope_freqs.weight", np.ones(WIDTH // HEADS // 2, dtype=np.float32))

    written(
        path, model, ours, pieces=pieces, special=["<|im_start|>"], merges=merges, layers=layers, more=more
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
