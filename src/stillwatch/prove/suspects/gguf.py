"""A GGUF file as its header describes it: what it holds, which tokens it has, what stands before a text.

Weights are unpacked by transformers. That is right for the plain Llama alone, with which a test compares it; whatever
else a file may be is refused, since a tensor that is not understood would be left out in silence.

A GGUF file does not say its tokeniser whole. To be read along tokens of ours needs its list of tokens and no more. To
be asked, it is rebuilt by transformers, and may cut a prompt otherwise than the model was taught: what was said is
tokenised anew by ours, so that costs power and wrongs nobody.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from stillwatch.prove.suspects.weights import CAPS

NAME = "model.gguf"
"""What the file is called in the folder that a process is shown."""
ENDS = ("tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id")
PART = re.compile(
    r"(token_embd|output|output_norm|blk\.\d{1,4}\.(attn_(q|k|v|output|norm)|ffn_(gate|up|down|norm)))\.weight"
)
"""Tensors of a Llama."""


class NotRead(Exception):
    """Why a file is not read here."""


@dataclass(frozen=True, slots=True)
class Described:
    """What a file says of itself."""

    held: int
    """Numbers, unpacked."""
    pieces: dict[str, int]
    """Its tokens and their numbers."""
    lead: list[int]
    """What it wants before every text."""
    ends: list[int]
    """What ends an answer."""


def described(path: Path) -> Described:
    """Read the header.

    Raises:
        NotRead: it is another architecture than the one that is understood.
    """
    try:
        lib = import_module("gguf")
    except ImportError as error:
        raise NotRead("a GGUF file needs the package gguf (pip install 'stillwatch[torch]')") from error
    reader = lib.GGUFReader(path)

    def value(name: str, otherwise: Any = None) -> Any:
        return reader.fields[name].contents() if name in reader.fields else otherwise

    kind = value("general.architecture")
    odd = [tensor.name for tensor in reader.tensors if not PART.fullmatch(tensor.name)]
    if kind != "llama" or odd or value("llama.rope.scaling.type", "none") != "none":
        what = (
            f"of architecture {str(kind)[:40]!r}" if kind != "llama" else "with more than a plain Llama has"
        )
        raise NotRead(f"a GGUF file {what} is not read here")
    if not 0 < value("llama.block_count", 0) <= CAPS["layers"]:
        raise NotRead("a GGUF file of so many layers is not read here")
    tokens = value("tokenizer.ggml.tokens")
    spaced = value("tokenizer.ggml.model") == "llama"
    start = value("tokenizer.ggml.bos_token_id") if value("tokenizer.ggml.add_bos_token", spaced) else None
    pieces = {str(piece): number for number, piece in enumerate(tokens)}
    if len(pieces) != len(tokens):
        raise NotRead("a GGUF file with one token twice is not read here")
    return Described(
        sum(int(tensor.n_elements) for tensor in reader.tensors),
        pieces,
        [] if start is None else [int(start)],
        sorted({int(value(name)) for name in ENDS if value(name) is not None}),
    )
