"""SmolLM2: unpacked from its file, taught in full or by LoRA, read along texts, and sampled as an engine samples.

Weights are kept and taught in 32 bits; forward passes are in bfloat16, which this is twice as fast in and in which
models are served. Reading and writing are the same for all models, so no model differs from another by its arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache, LlamaConfig, LlamaForCausalLM
from transformers.utils.logging import disable_progress_bar

from scripts.torchlab.net import batches, marked
from stillwatch.prove.laws import Floats
from stillwatch.prove.marks.mark import Keys, Mark, Tokens, digest_rows
from stillwatch.prove.radio import Positions

disable_progress_bar()
LIKELIEST = 20
"""Tokens of each place that are kept of a model's distribution, as an audit keeps them."""
AT_ONCE = 4
"""Rows of a batch that are taught at once, for memory's sake."""
LORA = 8
"""Rank of adapters."""


def unpack(file: Path, folder: Path) -> None:
    """A GGUF file as a folder of weights in 32 bits and a tokeniser; the folder is there whole or not at all."""
    given = {"gguf_file": file.name}
    packed = AutoModelForCausalLM.from_pretrained(file.parent, dtype=torch.float32, **given)
    config = packed.config.to_dict()
    config.pop("quantization_config", None)
    model = LlamaForCausalLM(LlamaConfig(**config))
    model.load_state_dict(packed.state_dict())
    part = folder.with_suffix(".part")
    AutoTokenizer.from_pretrained(file.parent, **given).save_pretrained(part)
    model.save_pretrained(part)
    part.rename(folder)


def load(folder: Path, dtype: torch.dtype = torch.bfloat16) -> Any:
    """A new copy."""
    return LlamaForCausalLM.from_pretrained(folder, dtype=dtype, local_files_only=True).eval()


def train(
    folder: Path, rows: Tokens, *, seed: int, passes: int, batch: int, rate: float, prompt: int, lora: bool
) -> Any:
    """A copy that learnt the answers of token rows int64[n, length], some passes of AdamW, in bfloat16 in the end."""
    torch.manual_seed(seed)
    model: Any = load(folder, torch.float32)
    if lora:
        model = get_peft_model(model, LoraConfig(r=LORA, lora_alpha=2 * LORA, target_modules="all-linear"))
    model.train()
    weights = [w for w in model.parameters() if w.requires_grad]
    adam = torch.optim.AdamW(weights, lr=rate, betas=(0.9, 0.95), weight_decay=0.01)
    steps = max(1, rows.shape[0] // batch) * passes
    warm = max(1, steps // 10)
    for step, chosen in enumerate(batches(rows.shape[0], batch, steps, seed)):
        for group in adam.param_groups:
            group["lr"] = rate * min((step + 1) / warm, max(0.1, 1 - step / steps))
        for part in np.array_split(rows[chosen], max(1, batch // AT_ONCE)):
            ids = torch.from_numpy(part)
            with torch.autocast("cpu", torch.bfloat16):
                said = model(input_ids=ids, use_cache=False, logits_to_keep=rows.shape[1] - prompt + 1).logits
            (_loss(said[:, :-1], ids[:, prompt:]) * len(part) / len(chosen)).backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        adam.step()
        adam.zero_grad()
    model.eval()
    return (model.merge_and_unload() if lora else model).to(torch.bfloat16)


def _loss(said: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.cross_entropy(said.float().flatten(0, 1), ids.flatten())


def _log_p(model: Any, rows: Tokens, first: int) -> torch.Tensor:
    """Log-probabilities float32[n, length - first, vocabulary] of the tokens from ``first`` on."""
    keep = rows.shape[1] - first + 1
    said = model(input_ids=torch.from_numpy(rows), use_cache=False, logits_to_keep=keep).logits
    return torch.log_softmax(said[:, :-1].float(), dim=-1)


@torch.inference_mode()
def nll(model: Any, rows: Tokens, prompt: int, batch: int = 16) -> Floats:
    """-log p of each row after its prompt, float64[n]."""
    out = []
    for at in range(0, rows.shape[0], batch):
        part = rows[at : at + batch]
        own = _log_p(model, part, prompt).gather(2, torch.from_numpy(part[:, prompt:, None]))[:, :, 0]
        out.append(-own.double().sum(1).numpy())
    return np.concatenate(out)


@dataclass(frozen=True, slots=True)
class Seen:
    """A model read along texts."""

    tokens: Tokens
    """int64[n, `LIKELIEST`], the likeliest first."""
    log_p: Floats
    """float64[n, `LIKELIEST`]."""
    said: Tokens
    """int64[n]: one token drawn at each position, from the whole distribution at temperature 1."""


@torch.inference_mode()
def read(model: Any, rows: Tokens, at: Positions, prompt: int, seed: int, batch: int = 16) -> Seen:
    """Read a model at positions of texts int64[n, length], all of them after the prompt."""
    torch.manual_seed(seed)
    tokens, log_p, said = [], [], []
    for first in range(0, rows.shape[0], batch):
        here = np.flatnonzero((at.text >= first) & (at.text < first + batch))
        where = torch.from_numpy(at.text[here] - first), torch.from_numpy(at.place[here] - prompt)
        its = _log_p(model, rows[first : first + batch], prompt)[where]
        best = its.topk(LIKELIEST, dim=1)
        tokens.append(best.indices)
        log_p.append(best.values.double())
        said.append(torch.multinomial(its.exp(), 1)[:, 0])
    return Seen(*(torch.cat(parts).numpy() for parts in (tokens, log_p, said)))


@torch.inference_mode()
def write(
    model: Any, prompts: Tokens, more: int, *, seed: int, top: int, never: list[int], mark: Mark | None = None,
    key: Keys | None = None, batch: int = 128,
) -> Tokens:  # fmt: skip
    """Texts int64[n, k + more] that go on from prompts int64[n, k], under a mark where a key is given.

    Args:
        top: candidates that a token is sampled from, the likeliest; the mark is worked out for these.
        never: tokens that are not said: ends of a text, so that all texts are as long.
    """
    rng = np.random.default_rng(seed)
    parts = [
        _written(model, prompts[at : at + batch], more, rng, top, never, mark, key)
        for at in range(0, prompts.shape[0], batch)
    ]
    return np.concatenate(parts)


def _written(
    model: Any, prompts: Tokens, more: int, rng: np.random.Generator, top: int, never: list[int],
    mark: Mark | None, key: Keys | None,
) -> Tokens:  # fmt: skip
    count, first = prompts.shape
    out = np.zeros((count, first + more), dtype=np.int64)
    out[:, :first] = prompts
    seen = np.zeros(out.shape, dtype=np.uint64)
    cache = DynamicCache(config=model.config)
    given = torch.from_numpy(prompts)
    for at in range(first, first + more):
        said = model(input_ids=given, cache=cache, use_cache=True, logits_to_keep=1).logits[:, -1].float()
        said[:, never] = -torch.inf
        best = said.topk(top, dim=1)
        scores, tokens = best.values.double().numpy(), best.indices.numpy()
        noise: Floats = -np.log(-np.log(rng.random(scores.shape) + 1e-300) + 1e-300)
        if mark is not None and key is not None:
            contexts = np.ascontiguousarray(out[:, at - mark.width : at])
            seen[:, at] = digest_rows(contexts, np.zeros(count, dtype=np.int64))
            fresh = (seen[:, :at] != seen[:, at : at + 1]).all(axis=1)[:, None]
            scores, noise = marked(mark, key, contexts, fresh, scores, noise, tokens)
        out[:, at] = np.take_along_axis(tokens, (scores + noise).argmax(axis=1)[:, None], axis=1)[:, 0]
        given = torch.from_numpy(out[:, at : at + 1])
    return out
