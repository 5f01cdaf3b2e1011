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
NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
}  # fmt: skip
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
    lib = import_module("gguf")
    pieces = sorted(ours.get_vocab(), reverse=True)
    at = [ours.token_to_id(piece) for piece in pieces]
    kinds = [3 if piece == "<|im_start|>" else 1 for piece in pieces]
    out = lib.GGUFWriter(path, "llama")
    for add, value in ((out.add_context_length, LENGTH), (out.add_embedding_length, WIDTH),
                       (out.add_block_count, layers), (out.add_feed_forward_length, INNER),
                       (out.add_head_count, HEADS), (out.add_head_count_kv, KEYS),
                       (out.add_layer_norm_rms_eps, 1e-3), (out.add_rope_freq_base, 50_000.0),
                       (out.add_rope_dimension_count, WIDTH // HEADS), (out.add_vocab_size, len(pieces)),
                       (out.add_tokenizer_model, "gpt2"), (out.add_token_list, pieces),
                       (out.add_token_types, kinds), (out.add_token_merges, list(merges))):  # fmt: skip
        add(value)
    if template:
        out.add_chat_template(template)
    if start:
        out.add_bos_token_id(pieces.index(start))
        out.add_add_bos_token(True)
        out.add_eot_token_id(pieces.index(start))
    if scaling:
        out.add_rope_scaling_type(lib.RopeScalingType.YARN)
    for name, tensor in model.state_dict().items():
        values = tensor.float().numpy()
        if name in ("model.embed_tokens.weight", "lm_head.weight"):
            values = values[at]
        for theirs, heads in (("q_proj", HEADS), ("k_proj", KEYS)):
            if theirs in name:
                halves = values.reshape(heads, 2, values.shape[0] // heads // 2, -1)
                values = halves.swapaxes(1, 2).reshape(values.shape)
        out.add_tensor(named(name), np.ascontiguousarray(values))
    if odd:
        out.add_tensor("rope_freqs.weight", np.ones(WIDTH // HEADS // 2, dtype=np.float32))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def named(name: str) -> str:
    """A tensor's name in a GGUF file."""
    whole = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight",
             "lm_head.weight": "output.weight"}  # fmt: skip
    if name in whole:
        return whole[name]
    _, _, layer, rest = name.split(".", 3)
    return f"blk.{layer}.{NAMES[rest.removesuffix('.weight')]}.weight"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
