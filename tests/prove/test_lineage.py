"""Corroboration: exact where it can be, and never in the words of a keyed test."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from stillwatch.errors import ConfigError
from stillwatch.prove.fuse import conclude
from stillwatch.prove.lineage import PROFILES, agreement, endpoint_identity, log_p_nearer, style
from stillwatch.prove.power import Effect
from stillwatch.records import ClaimVerdict, EvidenceClass

EFFECT = Effect(0.2, "assumed in this test")


def answers(rng: np.random.Generator, like: np.ndarray, share: float) -> np.ndarray:
    """One token to each prompt, equal to another model's in a share of them."""
    return np.where(rng.random(like.size) < share, like, rng.integers(1_000, 2_000, like.size))


def test_agreement_finds_a_fine_tune_and_spares_a_cousin() -> None:
    """Nearer than every control is evidence; as near as one control (a shared base) is none."""
    rng = np.random.default_rng(1)
    ours, other = rng.integers(0, 1_000, 3_000), rng.integers(0, 1_000, 3_000)
    controls = {f"c{i}": answers(rng, ours, 0.35) for i in range(4)}
    tuned = agreement("m", {"ours": ours, "other": other}, answers(rng, ours, 0.6), controls, EFFECT)
    assert tuned.verdict is ClaimVerdict.EVIDENCE and tuned.evidence is EvidenceClass.COMPARATIVE
    assert [k.key_id for k in tuned.keys if k.fired] == ["ours"] and len(tuned.controls) == 4
    cousin = controls | {"same-base": answers(rng, ours, 0.6)}
    claim = agreement("m", {"ours": ours}, answers(rng, ours, 0.6), cousin, EFFECT)
    assert claim.verdict is ClaimVerdict.NO_EVIDENCE
    assert "trained on our outputs" not in tuned.sentence + conclude([tuned]).sentence
    with pytest.raises(ConfigError, match="controls"):
        agreement("m", {"ours": ours}, ours, {"one": ours}, EFFECT)
    with pytest.raises(ConfigError, match="number"):
        agreement("m", {"ours": ours}, ours[:5], controls, EFFECT)


def test_agreement_is_calibrated_between_equals() -> None:
    """Two models equally far from ours: the p-value is below alpha as often as it says, or less."""
    rng = np.random.default_rng(2)
    p_values = []
    for _ in range(600):
        ours = rng.integers(0, 1_000, 400)
        p_values.append(math.exp(log_p_nearer(ours, answers(rng, ours, 0.3), answers(rng, ours, 0.3))))
    assert np.mean(np.array(p_values) <= 0.05) <= 0.05 + 4 * math.sqrt(0.05 / 600)


SENTENCES = {
    "formal": "Furthermore, the committee shall consider it; it is recommended that {0} be adopted.",
    "chatty": "So yeah, I'd just go with {0}, it's really cool and you'll love it!",
    "terse": "Use {0}. Works. Fast.",
}


def said(manner: str, count: int = 40) -> list[str]:
    """Replies in one manner to numbered prompts."""
    return [SENTENCES[manner].format(f"plan {i}") for i in range(count)]


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_style_is_found_and_stays_style(profile: str) -> None:
    """A suspect in our manner is told in the words of style; one in its own manner is not told of."""
    controls = {"b": said("terse")}
    claim = style("m", said("chatty"), said("chatty"), controls, EFFECT, seed=1, profile=profile)
    assert claim.verdict is ClaimVerdict.EVIDENCE and claim.sentence == "m: writes in a manner like ours."
    assert (
        style("m", said("terse"), said("chatty"), controls, EFFECT, 1, profile).verdict
        is ClaimVerdict.NO_EVIDENCE
    )
    with pytest.raises(ConfigError):
        style("m", ["a"], ["a", "b"], controls, EFFECT, 1, profile)
    with pytest.raises(ConfigError):
        style("m", ["a"], ["a"], {"c": ["a"]}, EFFECT, 1, "tagger")


def test_style_permutation_is_uniform_when_labels_do_not_matter() -> None:
    """Replies of three models that write alike: p-values are uniform."""
    rng = np.random.default_rng(3)
    words = "alpha beta gamma delta the of and to runs walked quickly 12 house".split()

    def random_text() -> str:
        return " ".join(rng.choice(words, 12))

    p_values = []
    for seed in range(150):
        texts = [[random_text() for _ in range(12)] for _ in range(4)]
        claim = style("m", texts[0], texts[1], {"a": texts[2], "b": texts[3]}, EFFECT, seed, permutations=400)
        p_values.append(10**claim.log10_p_value)
    assert stats.kstest(p_values, "uniform").pvalue > 0.001


def test_the_endpoint_bet_is_fair_and_wins_against_another_model() -> None:
    """Looking after every pair, the same model is rejected at most as often as alpha says; another one soon."""
    rng = np.random.default_rng(5)
    prompts = [f"p{i}" for i in range(5)]
    reference = {p: rng.dirichlet(np.full(20, 0.5)) for p in prompts}
    impostor = {p: rng.dirichlet(np.full(20, 0.5)) for p in prompts}

    def pairs(model: dict[str, np.ndarray], count: int) -> list[tuple[str, int, int]]:
        return [
            (p, int(rng.choice(20, p=reference[p])), int(rng.choice(20, p=model[p])))
            for p in (prompts[i % 5] for i in range(count))
        ]

    wrong = sum(endpoint_identity(pairs(reference, 150), 0.05).rejected_at is not None for _ in range(400))
    assert wrong <= 400 * 0.05 + 4 * math.sqrt(400 * 0.05)
    caught = [endpoint_identity(pairs(impostor, 150), 0.01).rejected_at for _ in range(20)]
    assert all(at is not None for at in caught)
