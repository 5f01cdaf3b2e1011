"""Questions that the teacher is asked: made from a few lists, all of one length in tokens, so that texts are rows."""

from __future__ import annotations

from itertools import product

import numpy as np
from tokenizers import Tokenizer

from stillwatch.prove.marks.mark import Tokens

ASKED = (
    "Explain how {} works", "Describe the history of {}", "Write a short story about {}",
    "Give me some advice about {}", "What should I know about {}", "Write a letter to a friend about {}",
    "Tell me why people care about {}", "Compare two ways to think about {}",
    "Write the first page of a novel about {}", "Plan a lesson about {}",
)  # fmt: skip
ABOUT = (
    "a lighthouse", "baking bread", "a night train", "growing tomatoes", "an old violin", "learning to swim",
    "a lost key", "sharing a flat", "the first snow", "keeping bees", "a small museum", "moving abroad",
    "a broken clock", "saving money", "a mountain hut", "watching birds", "a sleepy harbour", "teaching chess",
    "a windmill", "repairing bicycles", "a village choir", "drawing maps", "an empty theatre", "cooking for guests",
    "a desert road", "writing a diary", "a paper boat", "choosing a dog", "the night sky", "running a marathon",
    "a stone bridge", "planting trees", "a market stall", "sleeping well", "a rainy summer", "making candles",
)  # fmt: skip
MANNER = (
    "in simple words", "for a child", "with an example", "in a warm tone", "as a sailor would", "for busy parents",
    "with a surprise", "in plain English", "as a dialogue", "for beginners", "with three reasons", "like a reporter",
)  # fmt: skip
OPEN, CLOSE = "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"
"""SmolLM2's own marks of a turn; it is given no system prompt."""
REWRITE = "Rewrite the following text in other words.\n\n"


def prompts(tokeniser: Tokenizer, length: int) -> Tokens:
    """All prompts of so many tokens, int64[n, length], in an order that says nothing."""
    words = [
        f"{OPEN}{asked.format(about)} {how}.{CLOSE}" for asked, about, how in product(ASKED, ABOUT, MANNER)
    ]
    rows = [one.ids for one in tokeniser.encode_batch(words, add_special_tokens=False)]
    kept = np.array([row for row in rows if len(row) == length], dtype=np.int64).reshape(-1, length)
    return kept[np.random.default_rng(0).permutation(kept.shape[0])]


def rewriting(tokeniser: Tokenizer, answers: Tokens) -> Tokens:
    """The request to say answers in other words, one a row."""
    before, after = (tokeniser.encode(part, add_special_tokens=False).ids for part in (OPEN + REWRITE, CLOSE))
    count = answers.shape[0]
    return np.concatenate(
        [np.tile(np.array(before, dtype=np.int64), (count, 1)), answers,
         np.tile(np.array(after, dtype=np.int64), (count, 1))],
        axis=1,
    )  # fmt: skip
