"""Marks against oracles written from the descriptions, and what each one really hashes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from stillwatch.errors import ConfigError
from stillwatch.prove.marks import MARKS, Mark, as_keys, make_mark, score_keys
from stillwatch.prove.nulls import random_keys
from stillwatch.prove.tuples import generation_tuples, probe_tuples, text_tuples
from tests.prove import oracles

ONE_KEY: dict[str, Callable[..., float]] = {
    "vllm-gumbel": oracles.gumbel,
    "vllm-dual-gumbel": oracles.dual_gumbel,
    "vllm-red-green": oracles.red_green,
    "vllm-synthid": oracles.synthid,
    "vllm-sbw": oracles.sbw,
    "vllm-sbw-left": oracles.sbw_left,
    "sglang-gumbel": oracles.sglang,
    "kgw-reference": oracles.kirchenbauer,
}


def oracle(mark: Mark, key: np.ndarray, context: list[int], token: int) -> float:
    """The same score from the oracle."""
    words = [int(word) for word in key]
    if mark.id == "sglang-dual-gumbel":
        return oracles.sglang_dual(words[0], words[1], context, token)
    if mark.id == "synthid-reference":
        return oracles.synthid_reference(words, context, token)
    return ONE_KEY[mark.id](words[0], context, token)


@pytest.mark.parametrize("mark_id", sorted(MARKS))
@pytest.mark.parametrize("width", [1, 2, 4, 5, 9])
def test_scores_equal_the_oracle(mark_id: str, width: int) -> None:
    """Every scheme, at widths on both sides of a block of four, scores as its description says."""
    rng = np.random.default_rng(width)
    count = 3 if mark_id == "kgw-reference" else 40
    mark = make_mark(mark_id, width=width)
    key = random_keys(width, 1, mark.key_words)[0]
    contexts = rng.integers(0, 50_000, (count, width))
    tokens = rng.integers(0, 50_000, count)
    want = [oracle(mark, key, c, t) for c, t in zip(contexts.tolist(), tokens.tolist(), strict=True)]
    np.testing.assert_allclose(mark.scores(key, contexts, tokens), want, rtol=1e-12)
    np.testing.assert_allclose(mark.totals(key[None], contexts, tokens), [sum(want)], rtol=1e-12)


@pytest.mark.parametrize("mark_id", sorted(set(MARKS) - {"kgw-reference"}))
def test_random_text_has_the_law_of_the_mark(mark_id: str) -> None:
    """Mean and variance over fresh inputs are those of the law, for keys that nobody chose."""
    rng = np.random.default_rng(5)
    mark = make_mark(mark_id)
    contexts, tokens = rng.integers(0, 50_000, (20_000, mark.width)), rng.integers(0, 50_000, 20_000)
    scores = np.concatenate([mark.scores(k, contexts, tokens) for k in random_keys(3, 5, mark.key_words)])
    error = np.sqrt(mark.law.variance / scores.size)
    assert abs(scores.mean() - mark.law.mean) < 5 * error
    assert 0.9 < scores.var() / mark.law.variance < 1.1


@pytest.mark.parametrize("mark_id", sorted(MARKS))
def test_equal_preimages_have_equal_scores(mark_id: str) -> None:
    """Whatever a mark calls one input has one score, so counting it once loses nothing."""
    rng = np.random.default_rng(8)
    mark = make_mark(mark_id, **({"vocabulary": 1_000} if mark_id == "kgw-reference" else {}))
    contexts = rng.integers(0, 12, (4_000, mark.width))
    tokens = rng.integers(0, 12, 4_000)
    key = random_keys(4, 1, mark.key_words)[0]
    digests, scores = mark.preimages(key, contexts, tokens), mark.scores(key, contexts, tokens)
    _, first, group = np.unique(digests, return_index=True, return_inverse=True)
    np.testing.assert_array_equal(scores, scores[first][group])


def test_sbw_counts_a_coin_once_though_contexts_differ() -> None:
    """Most distinct contexts of the Bernoulli mark share their coin with others, and each coin counts once."""
    rng = np.random.default_rng(2)
    mark = make_mark("vllm-sbw")
    contexts, tokens = rng.integers(0, 200, (5_000, 4)), rng.integers(0, 200, 5_000)
    key = random_keys(1, 1)[0]
    pairs = len({(*c, t) for c, t in zip(map(tuple, contexts.tolist()), tokens.tolist(), strict=True)})
    assert np.unique(mark.preimages(key, contexts, tokens)).size < 0.9 * pairs
    left = make_mark("vllm-sbw-left", width=2)
    a, b = np.array([[3, 9]]), np.array([[9, 3]])
    assert left.preimages(key, a, tokens[:1]) == left.preimages(key, b, tokens[:1])


def test_the_reference_tournament_has_few_inputs() -> None:
    """Its table of 65,536 bits leaves 65,536 inputs, however wide the context is."""
    rng = np.random.default_rng(2)
    mark = make_mark("synthid-reference")
    contexts, tokens = rng.integers(0, 50_000, (400_000, 4)), rng.integers(0, 50_000, 400_000)
    keys = random_keys(1, 1, 30)
    assert np.unique(mark.preimages(keys[0], contexts, tokens)).size <= 65_536
    assert score_keys(mark, keys, contexts, tokens).scored[0] <= 65_536


def test_duplicates_are_removed_across_documents() -> None:
    """Saying a thing ten times is saying it once."""
    mark = make_mark("vllm-gumbel", width=2)
    once = text_tuples([[1, 2, 3, 4, 5, 6]], 2)
    often = text_tuples([[1, 2, 3, 4, 5, 6]] * 10, 2)
    keys = random_keys(9, 3)
    a, b = (score_keys(mark, keys, t.contexts, t.tokens) for t in (once, often))
    np.testing.assert_array_equal(a.scored, b.scored)
    np.testing.assert_allclose(a.total, b.total)
    assert score_keys(mark, keys, often.contexts, often.tokens, deduplicate=False).scored[0] == 40


def test_windows_of_a_generation() -> None:
    """What touches the prompt or stood there before is dropped and counted; the rest is scored."""
    found = generation_tuples([([7, 8], [1, 2, 3, 1, 2, 9])], 2)
    assert list(zip(found.contexts.tolist(), found.tokens.tolist(), strict=True)) == [
        ([1, 2], 3), ([2, 3], 1), ([3, 1], 2),
    ]  # fmt: skip
    assert dict(found.dropped) == {
        "window touches the prompt": 2,
        "window stood in the context before": 1,
    }
    probed = probe_tuples([[5, 1, 2], [1], [1, 2, 1, 2]], [3, 4, 5], 2)
    assert probed.contexts.tolist() == [[1, 2]] and len(probed.dropped) == 2


def test_bad_input_is_refused_with_a_hint() -> None:
    """Wrong names, parameters, keys and tokens are answered in words."""
    for wrong in (
        lambda: make_mark("nothing"),
        lambda: make_mark("vllm-gumbel", gamma=1),
        lambda: make_mark("vllm-gumbel", width=0),
        lambda: make_mark("vllm-red-green", gamma=1.0),
        lambda: make_mark("vllm-synthid", depth=33),
        lambda: make_mark("vllm-dual-gumbel", alpha=2.0),
        lambda: make_mark("sglang-dual-gumbel", mixing_probability=0.0),
        lambda: as_keys([2**64]),
        lambda: text_tuples([[2**33, 1]], 1),
        lambda: probe_tuples([[1]], [1, 2], 1),
    ):
        with pytest.raises(ConfigError) as told:
            wrong()
        assert told.value.hint
