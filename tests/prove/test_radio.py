"""Every mark through the family of tests: calibrated, named, checked by controls, and without a key in any record."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from scipy import stats

from stillwatch.errors import ConfigError
from stillwatch.prove.fuse import conclude
from stillwatch.prove.laws import Coins, chernoff_needed, log_chernoff
from stillwatch.prove.marks import MARKS, make_mark
from stillwatch.prove.nulls import check, random_keys
from stillwatch.prove.power import Effect, chernoff, detectable, exact
from stillwatch.prove.radio import (
    Counted,
    IssuedKey,
    Plan,
    Positions,
    hard,
    reading_positions,
    soft,
    try_keys,
    weighted,
)
from stillwatch.prove.radio.opened import top_candidates
from stillwatch.prove.tuples import Tuples, text_tuples
from stillwatch.records import Claim, ClaimVerdict, EvidenceClass
from tests.prove import toy

PLAN = Plan(seed=9, effect=Effect(0.3, "assumed in this test"))
Array = np.ndarray[Any, Any]
FAST = sorted(set(MARKS) - {"kgw-reference"})


def innocent_text(mark_id: str) -> Counted:
    """Unmarked text with the repetitions that text has."""
    mark = make_mark(mark_id, width=2)
    return Counted(mark, text_tuples(toy.plain(300, 5).tolist(), 2))


@pytest.mark.parametrize("mark_id", FAST)
def test_every_mark_is_calibrated_on_unmarked_text(mark_id: str) -> None:
    """400 random keys: uniform p-values, deviation near 1 (the reference tournament is a little conservative)."""
    reading = innocent_text(mark_id)
    found = reading.under(random_keys(11, 400, reading.mark.key_words), None, seed=1)
    assert stats.kstest(found.uniform_p, "uniform").pvalue > 0.001
    assert 0.85 < found.standardised.std(ddof=1) < 1.12
    assert (found.uniform_p < 0.01).mean() < 0.03


def test_distinct_contexts_are_not_enough_for_the_bernoulli_mark() -> None:
    """Removing repeated contexts, as its engine's detector does, accuses a third of the innocent at one per cent."""
    mark = make_mark("vllm-sbw", width=2)
    found = text_tuples(toy.plain(300, 5).tolist(), 2)
    first = np.sort(np.unique(found.contexts, axis=0, return_index=True)[1])
    contexts, tokens = found.contexts[first], found.tokens[first]
    spread = np.sqrt(first.size * mark.law.variance)
    keys = random_keys(11, 400)
    z = np.array(
        [(mark.scores(k, contexts, tokens).sum() - first.size * mark.law.mean) / spread for k in keys]
    )
    assert z.std() > 3.0 and (z > 2.326).mean() > 0.2


@dataclasses.dataclass
class Leaning:
    """A ledger that holds just those windows after which the key's scores are high."""

    known: set[tuple[int, ...]]

    @property
    def windows(self) -> int:
        return len(self.known)

    def holds(self, contexts: Array) -> Array:
        return np.array([tuple(row) in self.known for row in contexts.tolist()])


def test_a_ledger_that_leans_fires_on_controls_too() -> None:
    """Controls are read through the suspect's ledger: one that convicts the innocent makes the test invalid."""
    reading, key = innocent_text("vllm-gumbel"), random_keys(31, 1)[0]
    contexts, tokens = reading.tuples.contexts, reading.tuples.tokens
    high = reading.mark.scores(key, contexts, tokens) > reading.mark.law.mean
    ledger = Leaning({tuple(row) for row in contexts[high].tolist()})
    issued = [IssuedKey("key-0", key, "campaign-0", ledger)]
    alone = try_keys("radio-closed", "m", reading, issued, PLAN)
    assert alone.verdict is ClaimVerdict.EVIDENCE, "the trap must be able to snap"
    checked = try_keys("radio-closed", "m", reading, issued, PLAN, [("itself", reading)])
    assert checked.verdict is ClaimVerdict.INVALID and "control itself fires" in checked.notes[0]


@pytest.mark.parametrize("mark_id", ["vllm-sbw", "vllm-dual-gumbel", "sglang-dual-gumbel", "vllm-synthid"])
def test_soft_readings_are_calibrated_for_every_kind_of_mark(mark_id: str) -> None:
    """Weights fixed without the key: mean 0, deviation 1, whatever falls together under a key."""
    mark = make_mark(mark_id, width=2)
    at = reading_positions(toy.plain(40, 8).tolist(), 2)
    model = toy.train(toy.base_text(), toy.plain(1_000, 21))
    view = top_candidates(model.log_p(at.contexts), toy.teacher().log_p(at.contexts))
    reading = weighted(mark, at.contexts, view.candidates, view.log_p, view.log_q)
    z = reading.under(random_keys(2, 400, mark.key_words), None, 1, exact=False).standardised
    assert abs(z.mean()) < 0.2 and 0.85 < z.std(ddof=1) < 1.15
    alone = weighted(mark, at.contexts, view.candidates, view.log_p, None)
    assert alone.under(random_keys(2, 5, mark.key_words), None, 1).log_p.max() <= 0.0


def marked_tuples(key: int = 0) -> Tuples:
    """Text under one issued key: the strongest case there is."""
    return text_tuples(toy.marked(toy.GUMBEL, 40, 77, key).tolist(), 2)


ISSUED = [IssuedKey(f"key-{i}", toy.KEYS[i], campaign_id=f"campaign-{i}") for i in range(20)]


def test_a_control_that_fires_makes_the_test_invalid() -> None:
    """What convicts an unrelated model convicts nobody."""
    reading = Counted(toy.GUMBEL, marked_tuples())
    quiet = [(f"c{i}", Counted(toy.GUMBEL, text_tuples(toy.plain(40, 90 + i).tolist(), 2))) for i in range(3)]
    good = try_keys("radio-closed", "m", reading, ISSUED, PLAN, quiet)
    assert good.verdict is ClaimVerdict.EVIDENCE and [k.key_id for k in good.keys if k.fired] == ["key-0"]
    assert conclude([good]).evidence is EvidenceClass.KEYED
    bad = try_keys("radio-closed", "m", reading, ISSUED, PLAN, [*quiet, ("odd", reading)])
    assert bad.verdict is ClaimVerdict.INVALID and "control odd" in bad.notes[0]
    assert conclude([bad]).evidence is None and conclude([bad]).notes


def test_without_three_controls_that_scored_nothing_may_be_said() -> None:
    """A control that scored less than half of what the suspect did had no chance to fire, and counts for nothing."""
    reading = Counted(toy.GUMBEL, marked_tuples())
    whole = try_keys("radio-closed", "m", reading, ISSUED, PLAN).scored

    def control(size: int, seed: int) -> Counted:
        found = text_tuples(toy.plain(80, seed).tolist(), 2)
        return Counted(toy.GUMBEL, Tuples(found.contexts[:size], found.tokens[:size]))

    enough = [(f"c{i}", control(whole, 90 + i)) for i in range(3)]
    for few in ([], enough[:2], [*enough[:2], ("thin", control(whole // 3, 92))],
                [(f"silent-{i}", control(0, 90)) for i in range(3)]):  # fmt: skip
        claim = try_keys("radio-closed", "m", reading, ISSUED, PLAN, few)
        assert claim.verdict is ClaimVerdict.EVIDENCE
        assert claim.sentence == "m: the test fired without three controls; nothing may be said of it."
        assert conclude([claim]).evidence is None and "not counted" in conclude([claim]).notes[0]
    claim = try_keys("radio-closed", "m", reading, ISSUED, PLAN, enough)
    assert "trained on our outputs" in claim.sentence and conclude([claim]).evidence is EvidenceClass.KEYED


def test_a_campaign_is_named_only_after_correction_over_all_claims() -> None:
    """A key that leads a standing claim is named; one beside it pays for the other claims as well."""
    reading = Counted(toy.GUMBEL, marked_tuples())
    quiet = [(f"c{i}", Counted(toy.GUMBEL, text_tuples(toy.plain(80, 90 + i).tolist(), 2))) for i in range(3)]
    claim = try_keys("radio-closed", "m", reading, ISSUED, PLAN, quiet)

    def beside(log10_p: float) -> Claim:
        keys = (claim.keys[0], dataclasses.replace(claim.keys[1], log10_p_adjusted=log10_p, fired=True))
        return dataclasses.replace(claim, keys=keys)

    assert [len(conclude([beside(p)]).campaigns) for p in (-6.2, -6.4)] == [2, 2]
    silent = dataclasses.replace(claim, verdict=ClaimVerdict.NO_EVIDENCE, log10_p_adjusted=0.0, keys=())
    assert conclude([beside(-6.2), silent]).campaigns == ("campaign-0",)
    assert len(conclude([beside(-6.4), silent]).campaigns) == 2


def test_no_record_holds_a_key() -> None:
    """Neither a claim nor an issued key shows the key's words."""
    claim = try_keys("radio-closed", "m", Counted(toy.GUMBEL, marked_tuples()), ISSUED, PLAN)
    told = repr(claim) + repr(ISSUED) + str(dataclasses.asdict(claim))
    for key in toy.KEYS[:20, 0].tolist():
        assert str(key) not in told and f"{key:x}" not in told


def test_every_claim_states_power_alternatives_and_silent_keys() -> None:
    """Also when nothing was found, and when nothing could be scored."""
    silent = try_keys("radio-closed", "m", innocent_text("vllm-gumbel"), ISSUED, PLAN)
    assert silent.verdict is ClaimVerdict.NO_EVIDENCE and "clean" in silent.sentence
    assert silent.power is not None and 0.0 < silent.power.detectable_share < 1.0
    assert len(silent.keys) == 20 and silent.alternatives and silent.null is not None
    nothing = Counted(toy.GUMBEL, text_tuples([], 2))
    empty = try_keys("radio-closed", "m", nothing, ISSUED, PLAN)
    assert empty.verdict is ClaimVerdict.NO_EVIDENCE and "nothing could be scored" in empty.notes
    assert empty.power is not None and empty.power.detectable_share == float("inf")


def test_stated_power_is_the_power_there_is() -> None:
    """Planted at the share that is called detectable, the test fires four times in five."""
    mark, rng = make_mark("vllm-red-green", width=2, gamma=0.5), np.random.default_rng(6)
    effect, n = Effect(0.4, "planted"), 2_000
    share = detectable(effect, n, 1e-3).detectable_share
    lift = share * effect.at_full * np.sqrt(mark.law.variance)
    hits = rng.binomial(n, mark.law.mean + lift, 2_000)
    fired = np.mean([mark.law.log_sf(float(k), n) < np.log(1e-3) for k in hits])
    assert 0.74 < fired < 0.86


def test_a_soft_test_states_the_power_of_its_bound() -> None:
    """At the deviation that is called needed, a reading's own p-value is at the level, for even and for odd weights."""
    level, rng = 1e-6 / 20, np.random.default_rng(3)
    for weights in (np.full(4_000, 0.02), rng.normal(0.0, 0.02, 4_000), rng.pareto(1.0, 400), np.ones(3)):
        spread = float(np.sqrt(toy.GUMBEL.law.variance * (weights**2).sum()))
        needed = chernoff_needed(toy.GUMBEL.law, weights, level)
        assert log_chernoff(toy.GUMBEL.law, weights, 1.01 * needed * spread) < np.log(level)
        assert log_chernoff(toy.GUMBEL.law, weights, 0.99 * needed * spread) > np.log(level)
    assert chernoff_needed(Coins(0.5), np.ones(3), level) >= exact(level)
    at = reading_positions(toy.plain(10, 8).tolist(), 2)
    view = top_candidates(toy.student(toy.GUMBEL, 0.0).log_p(at.contexts), toy.teacher().log_p(at.contexts))
    stated = soft("m", toy.GUMBEL, at, view, ISSUED, PLAN).power
    reading = weighted(toy.GUMBEL, at.contexts, view.candidates, view.log_p, view.log_q)
    assert stated is not None
    assert stated == detectable(PLAN.effect, stated.scored, PLAN.alpha, len(ISSUED), needed=reading.needed)


def test_few_inputs_never_carry_a_soft_test() -> None:
    """A window that comes again in every text weighs little more than others, so the bound stays near a normal one."""
    mark, rng = toy.GUMBEL, np.random.default_rng(4)
    contexts = np.concatenate([np.zeros((900, 2), dtype=np.int64), rng.integers(1, 64, (17_100, 2))])
    tokens = rng.integers(0, 64, (18_000, 2))
    tokens[:900] = 0, 1
    log_p = np.log(rng.uniform(0.2, 0.5, (18_000, 2)))
    reading = weighted(mark, contexts, tokens, log_p, np.log(np.full((18_000, 2), 0.2)))
    _, group = np.unique(np.c_[reading.contexts, reading.tokens], axis=0, return_inverse=True)
    whole = np.bincount(group.ravel(), weights=reading.weights).astype(np.float64)
    assert chernoff_needed(mark.law, whole, 1e-6) > 8.0
    assert chernoff(1e-6) < reading.needed(1e-6) < 6.5


def test_a_place_whose_likeliest_token_is_none_of_ours_is_dropped() -> None:
    """It is counted, and what is left says what it would have said alone."""
    at = reading_positions(toy.marked(toy.GUMBEL, 20, 91).tolist(), 2)
    tokens = toy.student(toy.GUMBEL, 1.0).log_p(at.contexts).argmax(axis=1)
    known = np.arange(tokens.size) % 3 > 0
    holed = hard("s", toy.GUMBEL, at, np.where(known, tokens, -1), ISSUED, PLAN)
    assert ("the likeliest token is none of ours", int((~known).sum())) in holed.dropped
    left = Positions(at.text[known], at.place[known], at.contexts[known], at.seen_before)
    alone = hard("s", toy.GUMBEL, left, tokens[known], ISSUED, PLAN)
    assert [k.value for k in holed.keys] == [k.value for k in alone.keys] and holed.scored == alone.scored


def test_a_suspect_that_is_the_reference_is_not_scored() -> None:
    """A model held against itself leaves nothing to weigh: no evidence, said so, and not an invalid test."""
    at = reading_positions(toy.plain(40, 3).tolist(), toy.GUMBEL.width)
    log_p = np.log(np.random.default_rng(2).dirichlet(np.ones(toy.VOCABULARY), at.place.size))
    claim = soft("m", toy.GUMBEL, at, top_candidates(log_p, log_p), ISSUED, PLAN)
    assert claim.verdict is ClaimVerdict.NO_EVIDENCE and "nothing could be scored" in claim.notes
    assert claim.scored == 0 and claim.null is None and claim.power is not None
    assert claim.power.detectable_share == float("inf")


def test_unusable_input_is_refused_with_a_hint() -> None:
    """No keys, keys of the wrong size, too few random keys, shapes that do not fit."""
    reading = Counted(toy.GUMBEL, marked_tuples())
    at = reading_positions(toy.plain(3, 8).tolist(), 2)
    view: Any = np.zeros((at.place.size, 4))
    for wrong in (
        lambda: try_keys("t", "m", reading, [], PLAN),
        lambda: try_keys("t", "m", reading, [IssuedKey("k", np.zeros(2, dtype=np.uint64))], PLAN),
        lambda: try_keys("t", "m", reading, ISSUED, dataclasses.replace(PLAN, null_keys=100)),
        lambda: hard("m", toy.GUMBEL, at, np.zeros(1, dtype=np.int64), ISSUED, PLAN),
        lambda: weighted(toy.GUMBEL, at.contexts, view.astype(np.int64), view[:, :2], None),
        lambda: weighted(toy.GUMBEL, at.contexts, view.astype(np.int64), view - np.inf, None),
        lambda: conclude([]),
    ):
        with pytest.raises(ConfigError) as told:
            wrong()
        assert told.value.hint


def test_a_null_that_more_keys_reach_than_it_allows_disagrees() -> None:
    """An exact p-value of 10^-9 that five of four hundred random keys reach is no p-value."""
    rng = np.random.default_rng(1)
    p_values, z = rng.random(400), np.sort(rng.normal(size=400))
    sound = check(p_values, z, observed=9.0, log_p=-20.0)
    assert sound.agrees and sound.monte_carlo_p == 1 / 401 and len(sound.standardised) == 400
    assert not check(p_values, z, observed=float(z[-5]), log_p=-20.0).agrees
    assert not check(p_values**3, z, observed=0.0, log_p=-0.7).agrees
