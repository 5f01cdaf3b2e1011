"""The bench of the text kernel: what it is given, and that its bands see similarity."""

import numpy as np

from scripts.bench_kernel import BYTES, agreement, band_agreement, jaccard, pairs, prompts
from scripts.bench_minhash import makers, shingles


def test_prompts_have_the_stated_size() -> None:
    """Prompts are about as long as said, all different, and the same for one seed."""
    made = prompts(200, 3)
    assert made == prompts(200, 3) != prompts(200, 4)
    assert len(set(made)) == 200
    assert 0.9 * BYTES < np.mean([len(text) for text in made]) <= BYTES


def test_similarity_is_that_of_word_shingles() -> None:
    """Two texts that share one of three distinct runs of three words have similarity one third."""
    assert shingles("A b, c d") == ["a b c", "b c d"]
    assert jaccard("a b c d", "z b c d") == 1 / 3


def test_bands_follow_the_true_similarity() -> None:
    """The root of the share of agreeing bands is the similarity: 1 for copies, 0 for strangers, near it between."""
    made = pairs(1500, 5)
    same = [(a, a) for a, _ in made[:50]]
    strangers = [(a, b) for (a, _), (b, _) in zip(made[:50], made[50:100], strict=True)]
    assert band_agreement(same).min() == 1.0
    assert band_agreement(strangers).max() == 0.0
    rows = agreement(made, {})
    assert sum(row["pairs"] for row in rows) == 1500
    assert all(abs(row["true"] - row["kernel"]) < 0.1 for row in rows)


def test_absent_libraries_are_left_out() -> None:
    """Only the libraries that an environment has are measured."""
    assert set(makers(8)) <= {"rensa", "datasketch"}
