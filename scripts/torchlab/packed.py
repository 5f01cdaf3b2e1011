"""A small Llama as a GGUF file, as other programs take it; needs gguf."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
}  # fmt: skip
WHOLE = {
    "model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}  # fmt: skip


def packed(
    path: Path, model: Any, ours: Tokenizer, *, pieces: Sequence[str] | None = None, special: Sequence[str] = (),
    merges: Sequence[str] | None = None, layers: int | None = None, more: Callable[[Any, Any], None] | None = None,
) -> None:  # fmt: skip
    """Write a model and its byte-level BPE into a file.

    Args:
        pieces: the tokens in the order of their numbers in the file; None: of their own numbers.
        special: tokens that steer and are no text.
        merges: of the tokeniser, in its place.
        layers: how many the file says it has.
        more: writes what else the file is to hold, given the writer and the library.
    """
    lib, config = import_module("gguf"), model.config
    numbered = ours.get_vocab()
    pieces = sorted(numbered, key=lambda piece: numbered[piece]) if pieces is None else pieces
    at = [numbered[piece] for piece in pieces]
    out = lib.GGUFWriter(path, "llama")
    for add, value in (
        (out.add_context_length, config.max_position_embeddings), (out.add_embedding_length, config.hidden_size),
        (out.add_block_count, layers or config.num_hidden_layers),
        (out.add_feed_forward_length, config.intermediate_size), (out.add_head_count, config.num_attention_heads),
        (out.add_head_count_kv, config.num_key_value_heads), (out.add_layer_norm_rms_eps, config.rms_norm_eps),
        (out.add_rope_freq_base, float(config.rope_parameters["rope_theta"])),
        (out.add_rope_dimension_count, config.hidden_size // config.num_attention_heads),
        (out.add_vocab_size, len(pieces)), (out.add_tokenizer_model, "gpt2"), (out.add_token_list, list(pieces)),
        (out.add_token_types, [3 if piece in special else 1 for piece in pieces]),
        (out.add_token_merges, list(merges_of(ours) if merges is None else merges)),
    ):  # fmt: skip
        add(value)
    if more:
        more(out, lib)
    tied = getattr(config, "tie_word_embeddings", False)
    for name, tensor in model.state_dict().items():
        if tied and name == "lm_head.weight":
            continue
        values = tensor.float().numpy()
        if name in ("model.embed_tokens.weight", "lm_head.weight"):
            values = values[at]
        for theirs, heads in (
            ("q_proj", config.num_attention_heads),
            ("k_proj", config.num_key_value_heads),
        ):
            if theirs in name:
                halves = values.reshape(heads, 2, values.shape[0] // heads // 2, -1)
                values = halves.swapaxes(1, 2).reshape(values.shape)
        out.add_tensor(named(name), np.ascontiguousarray(values))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def merges_of(ours: Tokenizer) -> list[str]:
    """The tokeniser's merges, as a GGUF file has them."""
    return [" ".join(pair) for pair in json.loads(ours.to_str())["model"]["merges"]]


def named(name: str) -> str:
    """A tensor's name in a GGUF file."""
    if name in WHOLE:
        return WHOLE[name]
    _, _, layer, rest = name.split(".", 3)
    return f"blk.{layer}.{NAMES[rest.removesuffix('.weight')]}.weight"
