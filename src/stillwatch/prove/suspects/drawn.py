"""Answers of a model that is held here: several at a time, each drawn by a generator of its own.

Only prompts of one length go together, so nothing is padded and every architecture sees what it would see alone.
The draw is the likeliest token after noise (Gumbel), whose seed comes from plan, model and prompt: what one prompt is
answered does not hang on the others, but for the last bits of a sum of floats.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Failed(Exception):
    """Why one prompt, or one text, has no answer."""


class Draw:
    """The next token of each row from the model's whole distribution at a temperature."""

    def __init__(self, torch: Any, seeds: Sequence[int], temperature: float) -> None:
        self._torch, self._temperature = torch, temperature
        self._rows = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Scores float[rows, vocabulary] with noise, of which the largest is a draw."""
        torch = self._torch
        if bool(scores.isnan().any()):
            raise Failed("a likelihood that is no number")
        if not self._temperature:
            return scores
        size = scores.shape[-1]
        noise = [torch.empty(size, dtype=torch.float64).exponential_(generator=row) for row in self._rows]
        return scores.double() / self._temperature - torch.stack(noise).log()


def draw(
    torch: Any, lib: Any, model: Any, rows: Sequence[Sequence[int]], seeds: Sequence[int], order: dict[str, Any],
    ends: Sequence[int],
) -> list[list[int]]:  # fmt: skip
    """What follows each row of tokens, all of one length, up to an end or as long as the order allows."""
    how = lib.GenerationConfig(
        do_sample=False, max_new_tokens=order["max_tokens"], eos_token_id=list(ends) or None,
        pad_token_id=ends[0] if ends else None,
    )  # fmt: skip
    asked = torch.tensor(rows)
    with torch.inference_mode():
        whole = model.generate(
            asked, attention_mask=torch.ones_like(asked), generation_config=how,
            logits_processor=lib.LogitsProcessorList([Draw(torch, seeds, order["temperature"])]),
        )  # fmt: skip
    return [_until(row[len(rows[0]) :], ends) for row in whole.tolist()]


def _until(tokens: list[int], ends: Sequence[int]) -> list[int]:
    """With its end; after that, one row waits for the others.

    >>> _until([5, 2, 2, 2], [2])
    [5, 2]
    """
    at = next((n for n, token in enumerate(tokens) if token in ends), len(tokens))
    return tokens[: at + 1]
