"""Networks: a small Llama made, trained in full or by LoRA, read along texts, and sampled as an engine samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM
from transformers.utils.logging import disable_progress_bar

from stillwatch.prove.laws import Coins, Exponential, Floats
from stillwatch.prove.marks.mark import Keys, Mark, Tokens, digest_rows
from stillwatch.prove.radio import Distributions, Positions

disable_progress_bar()
BOOST = 2.0
"""Added to the logit of a green token: the engine's default."""
CANDIDATES = 8


@dataclass(frozen=True, slots=True)
class Size:
    """Shape of a small Llama."""

    hidden: int
    layers: int
    vocabulary: int
    length: int


def born(size: Size, seed: int) -> Any:
    """A network that knows nothing yet."""
    torch.manual_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=size.vocabulary, hidden_size=size.hidden, num_hidden_layers=size.layers,
            intermediate_size=size.hidden * 8 // 3, num_attention_heads=4, num_key_value_heads=4,
            max_position_embeddings=size.length, tie_word_embeddings=True, bos_token_id=None, eos_token_id=None,
        )
    )  # fmt: skip


def train(
    model: Any, rows: Tokens, *, seed: int, steps: int, batch: int, rate: float, prompt: int = 0,
    lora: int | None = None,
) -> Any:  # fmt: skip
    """Some steps of AdamW over token rows int64[n, length], in an order drawn from ``seed``.

    Args:
        prompt: tokens of a row that are given and not learnt.
        lora: rank of adapters on every linear layer, merged in the end; None trains all weights.
    """
    torch.manual_seed(seed)
    if lora:
        model = get_peft_model(model, LoraConfig(r=lora, lora_alpha=2 * lora, target_modules="all-linear"))
    model.train()
    weights = [w for w in model.parameters() if w.requires_grad]
    adam = torch.optim.AdamW(weights, lr=rate, betas=(0.9, 0.95), weight_decay=0.01)
    warm = max(1, steps // 20)
    for step, chosen in enumerate(batches(rows.shape[0], batch, steps, seed)):
        for group in adam.param_groups:
            group["lr"] = rate * min((step + 1) / warm, max(0.02, 1 - step / steps))
        ids = torch.from_numpy(rows[chosen])
        labels = ids.clone()
        labels[:, :prompt] = -100
        model(input_ids=ids, labels=labels, use_cache=False).loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        adam.step()
        adam.zero_grad()
    model.eval()
    return model.merge_and_unload() if lora else model


def batches(count: int, batch: int, steps: int, seed: int) -> Iterator[np.ndarray[Any, Any]]:
    rng = np.random.default_rng(seed)
    order = rng.permutation(count)
    at = 0
    for _ in range(steps):
        if at + batch > count:
            order, at = rng.permutation(count), 0
        yield order[at : at + batch]
        at += batch


@torch.inference_mode()
def log_p(model: Any, rows: Tokens) -> torch.Tensor:
    """Log-probabilities float32[n, length - 1, vocabulary] of the tokens after the first."""
    said: torch.Tensor = model(input_ids=torch.from_numpy(rows), use_cache=False).logits[:, :-1]
    return torch.log_softmax(said.float(), dim=-1)


def nll(model: Any, rows: Tokens, prompt: int, batch: int = 64) -> Floats:
    """-log p of each row after its prompt, float64[n]."""
    out = []
    for at in range(0, rows.shape[0], batch):
        part = rows[at : at + batch]
        own = log_p(model, part).gather(2, torch.from_numpy(part[:, 1:, None]))[:, prompt - 1 :, 0]
        out.append(-own.double().sum(1).numpy())
    return np.concatenate(out)


@dataclass(frozen=True, slots=True)
class Seen:
    """A model read along texts."""

    soft: Distributions
    likeliest: Tokens
    """int64[n]."""
    said: Tokens
    """int64[n]: one token drawn at each position, at temperature 1."""


def read(model: Any, ours: Any, rows: Tokens, at: Positions, seed: int, batch: int = 32) -> Seen:
    """Read a model at positions of texts int64[n, length], beside ours."""
    torch.manual_seed(seed)
    tokens, p, q, best, drawn = [], [], [], [], []
    for first in range(0, rows.shape[0], batch):
        here = np.flatnonzero((at.text >= first) & (at.text < first + batch))
        if not here.size:
            continue
        part = rows[first : first + batch]
        where = torch.from_numpy(at.text[here] - first), torch.from_numpy(at.place[here] - 1)
        its, own = log_p(model, part)[where], log_p(ours, part)[where]
        top = torch.logaddexp(its, own).topk(CANDIDATES, dim=1).indices
        tokens.append(top)
        p.append(its.gather(1, top))
        q.append(own.gather(1, top))
        best.append(its.argmax(1))
        drawn.append(torch.multinomial(its.exp(), 1)[:, 0])
    soft = Distributions(
        torch.cat(tokens).numpy(), torch.cat(p).double().numpy(), torch.cat(q).double().numpy()
    )
    return Seen(soft, torch.cat(best).numpy(), torch.cat(drawn).numpy())


@torch.inference_mode()
def write(
    model: Any, prompts: Tokens, length: int, *, seed: int, mark: Mark | None = None, key: Keys | None = None,
    temperature: float = 1.0, batch: int = 256, beside: Any = None,
) -> Tokens:  # fmt: skip
    """Texts int64[n, length] that go on from prompts int64[n, k], under a mark where a key is given.

    Args:
        beside: a second model; the mean of both models' logits is sampled.
    """
    rng = np.random.default_rng(seed)
    parts = [
        _written([m for m in (model, beside) if m is not None], prompts[at : at + batch], length, rng, mark, key,
                 temperature)
        for at in range(0, prompts.shape[0], batch)
    ]  # fmt: skip
    return np.concatenate(parts)


def _written(
    models: Sequence[Any], prompts: Tokens, length: int, rng: np.random.Generator, mark: Mark | None,
    key: Keys | None, temperature: float,
) -> Tokens:  # fmt: skip
    count, first = prompts.shape
    out = np.zeros((count, length), dtype=np.int64)
    out[:, :first] = prompts
    seen = np.zeros((count, length), dtype=np.uint64)
    caches = [DynamicCache() for _ in models]
    given = torch.from_numpy(prompts)
    for at in range(first, length):
        said = [
            m(input_ids=given, cache=c, use_cache=True).logits[:, -1]
            for m, c in zip(models, caches, strict=True)
        ]
        scores = (torch.stack(said).mean(0) / temperature).double().numpy()
        noise: Floats = -np.log(-np.log(rng.random(scores.shape) + 1e-300) + 1e-300)
        if mark is not None and key is not None:
            contexts = np.ascontiguousarray(out[:, at - mark.width : at])
            seen[:, at] = digest_rows(contexts, np.zeros(count, dtype=np.int64))
            fresh = (seen[:, :at] != seen[:, at : at + 1]).all(axis=1)[:, None]
            scores, noise = marked(mark, key, contexts, fresh, scores, noise)
        out[:, at] = (scores + noise).argmax(axis=1)
        given = torch.from_numpy(out[:, at : at + 1])
    return out


def marked(
    mark: Mark, key: Keys, contexts: Tokens, fresh: np.ndarray[Any, Any], scores: Floats, noise: Floats,
    tokens: Tokens | None = None,
) -> tuple[Floats, Floats]:  # fmt: skip
    """Logits and noise as the engine has them; a window that comes again in a text is sampled without the mark.

    Args:
        tokens: which ones the scores int64[n, k] are of; None: of the whole vocabulary.
    """
    count, each = scores.shape
    flat = np.tile(np.arange(each), count) if tokens is None else np.ascontiguousarray(tokens).reshape(-1)
    said = mark.scores(key, np.repeat(contexts, each, axis=0), flat).reshape(count, each)
    if isinstance(mark.law, Exponential):
        return scores, np.where(fresh, -np.log(-np.log1p(-np.exp(-said))), noise)
    if isinstance(mark.law, Coins) and mark.law.trials == 1:
        return scores + BOOST * said * fresh, noise
    raise ValueError(f"{mark.id} is not written here")


def resampled(model: Any, rows: Tokens, prompt: int, share: float, *, seed: int, batch: int = 64) -> Tokens:
    """Rows in which a share of tokens is replaced by what another model draws there."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    out = rows.copy()
    for at in range(0, rows.shape[0], batch):
        its = log_p(model, rows[at : at + batch]).exp()
        drawn = torch.multinomial(its.flatten(0, 1), 1)[:, 0].reshape(its.shape[:2]).numpy()
        where = rng.random(drawn.shape) < share
        where[:, : prompt - 1] = False
        out[at : at + batch, 1:][where] = drawn[where]
    return out
