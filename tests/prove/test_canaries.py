"""Canaries: drawn, committed, served to flagged accounts only, tested exactly."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from stillwatch.errors import ConfigError, VerificationError
from stillwatch.prove.canaries import (
    FictitiousEntity,
    FlaggedAccount,
    Scored,
    StyleCanary,
    canaries,
    check,
    draw,
    flagged,
    log_e_value,
    serve,
)
from stillwatch.prove.power import Effect
from stillwatch.records import ClaimVerdict, EvidenceClass, Standing

SECRET = b"s" * 32
EFFECT = Effect(1.0, "assumed in this test")
HABIT = StyleCanary("habit-1", "opens a list with", tuple(f"opening {i}" for i in range(20)))
PLACE = FictitiousEntity("place-1", "the harbour of Ostrevane", "its founding year", tuple("abcdefghij"))
MEMBER = Standing(tier="member", kind="campaign", hint="act", campaign_id="c-1")


@pytest.mark.parametrize(
    "standing",
    [
        Standing(),
        dataclasses.replace(MEMBER, tier="associated"),
        dataclasses.replace(MEMBER, hint="watch"),
        dataclasses.replace(MEMBER, campaign_id=None),
    ],
)
def test_nobody_unflagged_is_ever_served(standing: Standing) -> None:
    """Only a member of a group at review or above becomes a flagged account, and none is made by hand."""
    with pytest.raises(ConfigError, match="not flagged"):
        flagged("acct", standing)
    with pytest.raises(ConfigError, match="by hand"):
        FlaggedAccount("acct", "c-1", object())
    assert serve(draw(HABIT, SECRET, "acct"), flagged("acct", MEMBER)) in HABIT.options
    with pytest.raises(ConfigError, match="another account"):
        serve(draw(HABIT, SECRET, "other"), flagged("acct", MEMBER))


def test_draws_are_uniform_repeatable_and_bound_by_their_commitment() -> None:
    """The same account draws the same; over accounts options are uniform; any change breaks the commitment."""
    drawn = [draw(PLACE, SECRET, f"a{i}") for i in range(2_000)]
    assert stats.chisquare(np.bincount([d.index for d in drawn], minlength=10)).pvalue > 0.001
    assert draw(PLACE, SECRET, "a7") == drawn[7]
    check(drawn[7].commitment, drawn[7])
    other = (drawn[7].index + 1) % 10
    for changed in ({"index": other}, {"nonce": "0"}, {"account": "a8"}, {"options": PLACE.options[::-1]}):
        with pytest.raises(VerificationError):
            check(drawn[7].commitment, dataclasses.replace(drawn[7], **changed))
    assert drawn[7].served not in repr(drawn[7]).replace(drawn[7].commitment, "").split("options")[-1]


def scored(preference: float, accounts: int, seed: int) -> list[Scored]:
    """Scores of a suspect that likes served options by so many standard deviations."""
    rng = np.random.default_rng(seed)
    out = []
    for i in range(accounts):
        drawn = draw(HABIT, SECRET, f"acct-{i}")
        scores = rng.normal(size=20)
        scores[drawn.index] += preference
        out.append(Scored(drawn, drawn.commitment, scores))
    return out


def test_the_test_is_exact_and_finds_a_student() -> None:
    """One account gives 1/R at best; twelve that learnt give evidence; none that did not do."""
    one = scored(99.0, 1, 1)
    assert 10 ** canaries("m", "style", one, 1, EFFECT).log10_p_value == pytest.approx(1 / 20)
    learnt = canaries("m", "style", scored(4.0, 12, 2), 1, EFFECT)
    assert (
        learnt.verdict is ClaimVerdict.EVIDENCE
        and learnt.evidence is EvidenceClass.KEYED
        and learnt.alternatives
    )
    silent = [canaries("m", "style", scored(0.0, 12, s), 1, EFFECT) for s in range(40)]
    assert all(claim.verdict is ClaimVerdict.NO_EVIDENCE for claim in silent)
    assert stats.kstest([10**c.log10_p_value for c in silent], "uniform").pvalue > 0.001


def test_a_draw_that_was_not_committed_to_counts_for_nothing() -> None:
    """A changed draw is an error, not a weaker result; so are scores that do not fit."""
    good = scored(4.0, 3, 2)
    moved = dataclasses.replace(good[0].drawn, index=(good[0].drawn.index + 1) % 20)
    with pytest.raises(VerificationError):
        canaries("m", "style", [Scored(moved, good[0].commitment, good[0].scores)], 1, EFFECT)
    with pytest.raises(ConfigError):
        canaries("m", "style", [Scored(good[0].drawn, good[0].commitment, np.full(20, math.nan))], 1, EFFECT)
    with pytest.raises(ConfigError):
        canaries("m", "style", [], 1, EFFECT)
    again = dataclasses.replace(good[0], scores=good[0].scores + 1.0)
    with pytest.raises(ConfigError, match="twice"):
        canaries("m", "style", [*good, again], 1, EFFECT)
    with pytest.raises(ConfigError):
        draw(StyleCanary("x", "y", ("same", "same")), SECRET, "a")
    with pytest.raises(ConfigError):
        draw(HABIT, b"short", "a")


@pytest.mark.parametrize("options", [2, 5, 20])
def test_the_e_value_is_one_on_average(options: int) -> None:
    """Whatever the number of options, so looking after every account is safe."""
    mean = sum(math.exp(log_e_value(rank, options)) for rank in range(options)) / options
    assert mean == pytest.approx(1.0)
