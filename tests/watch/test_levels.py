"""Error rates over looks: the split is never overspent, and it holds on simulated days on which nothing is true."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from stillwatch.detect.betting import bh_adjusted, e_bh
from stillwatch.records import Confidence, Kind
from stillwatch.watch import Levels, Schedule, Spent, firm

ALPHA, REVIEW = 0.1, 0.5
HONEST, PEERS = 8, 300
DAYS = 1_200
LOOKS = 6


@given(st.lists(st.integers(1, 24), min_size=1, max_size=40))
def test_a_day_is_never_overspent(looks: list[int]) -> None:
    """However often somebody changes the number of looks on the way."""
    shape = controller = 0.0
    first: float | None = None
    for number in looks:
        levels = Schedule(number).levels(Spent(shape, controller, first))
        if levels is None:
            continue
        assert levels.claim > 0 < levels.controller
        assert levels.stand >= levels.claim
        shape, controller = shape + levels.claim, controller + levels.controller
        first = levels.claim if first is None else first
    assert shape <= 1 + 1e-9
    assert controller <= 1 + 1e-9


@pytest.mark.parametrize("looks", range(1, 25))
def test_a_day_is_spent_whole(looks: int) -> None:
    """All looks of a day together have the whole rate, and the first has half of it where there are several."""
    made = _day(looks)
    assert len(made) == looks
    assert sum(levels.claim for levels in made) == pytest.approx(1.0)
    assert sum(levels.controller for levels in made) == pytest.approx(1.0)
    assert made[0].claim == (1.0 if looks == 1 else 0.5)


@pytest.mark.parametrize("looks", [1, 2, 3, 5, 7, 24])
def test_every_look_has_its_time(looks: int) -> None:
    """Slots of a day are numbered from midnight, and the next begins where the present one ends."""
    now = datetime(2026, 3, 1, tzinfo=UTC)
    for number in range(looks):
        assert Schedule(looks).slot(now) == (date(2026, 3, 1), number)
        after = Schedule(looks).next_slot(now)
        assert Schedule(looks).slot(after - timedelta(seconds=1)) == (date(2026, 3, 1), number)
        now = after
    assert now == datetime(2026, 3, 2, tzinfo=UTC)


def test_the_groups_that_a_baseline_needs() -> None:
    """So many that the smallest p-value, one in the groups and one more, reaches the rate of a later look."""
    needed = Schedule(3).groups_needed(0.01)
    assert 1 / (needed + 1) <= 0.01 / 4 < 1 / needed


@pytest.mark.parametrize("kept", [0.0, 0.7, 0.97])
def test_of_honest_groups_hardly_a_day_says_one(kept: float) -> None:
    """On honest days, whatever a look owes to the one before, the share of days with a claim stays within the rate."""
    days = _honest_days(kept, seed=4)
    split, whole = 0, 0
    for p in days:
        claimed: set[int] = set()
        for levels, at in zip(_day(LOOKS), p, strict=True):
            adjusted = bh_adjusted(at)
            rates = np.array([levels.stand if g in claimed else levels.claim for g in range(HONEST)]) * ALPHA
            claimed |= set(np.flatnonzero(adjusted <= rates).tolist())
        split += bool(claimed)
        whole += bool((np.array([bh_adjusted(at) for at in p]) <= ALPHA).any())
    assert _bounds(split)[0] <= ALPHA, f"{split} of {DAYS}, {_bounds(split)}"
    if kept < 0.9:
        assert _bounds(whole)[0] > ALPHA, f"without the split nothing would be wrong: {whole} of {DAYS}"


def test_low_confidence_opens_no_door_to_a_firm_claim() -> None:
    """With two tiers and a look an hour, the share of honest days with a firm claim stays within the stricter rate."""
    days, looks = 1_500, 24
    levels = _day(looks)
    firmly, for_review = 0, 0
    for p in _honest_days(0.7, seed=4, days=days, looks=looks, honest=5_000):
        again: set[int] = set()
        seen: set[tuple[Kind, Confidence]] = set()
        for level, at in zip(levels, p, strict=True):
            said = {
                g: _tier(adjusted, plain, level.stand if g in again else level.claim)
                for g, (adjusted, plain) in enumerate(zip(bh_adjusted(at), at, strict=True))
            }
            again |= {g for g, (kind, confidence) in said.items() if firm(kind, confidence)}
            seen |= set(said.values())
        firmly += (Kind.CAMPAIGN, Confidence.MEDIUM) in seen
        for_review += any(kind is Kind.CAMPAIGN for kind, _ in seen)
    assert _bounds(firmly, days)[0] <= ALPHA, f"{firmly} of {days}, {_bounds(firmly, days)}"
    assert _bounds(for_review, days)[0] <= REVIEW
    assert for_review > firmly > 0, "one of the tiers never spoke: the simulation shows nothing"


def _tier(adjusted: float, plain: float, share: float) -> tuple[Kind, Confidence]:
    """What a look says of a group at its share of the two rates, as a verdict forms it."""
    if adjusted <= ALPHA * share:
        return Kind.CAMPAIGN, Confidence.MEDIUM
    if plain <= ALPHA * share and adjusted <= REVIEW * share:
        return Kind.CAMPAIGN, Confidence.LOW
    return Kind.POOL, Confidence.MEDIUM


def test_of_real_and_honest_groups_few_claims_are_false() -> None:
    """With campaigns about, the mean share of false claims among all claims of a day stays within the rate."""
    rng = np.random.default_rng(5)
    shares = []
    for p in _honest_days(0.7, seed=6):
        claimed: set[int] = set()
        for levels, at in zip(_day(LOOKS), p, strict=True):
            real = rng.uniform(0, 2 / PEERS, 2)
            adjusted = bh_adjusted(np.append(at, np.maximum(real, 1 / (PEERS + 1))))
            rates = (
                np.array([levels.stand if g in claimed else levels.claim for g in range(HONEST + 2)]) * ALPHA
            )
            claimed |= set(np.flatnonzero(adjusted <= rates).tolist())
        shares.append(len([g for g in claimed if g < HONEST]) / max(len(claimed), 1))
    mean, error = float(np.mean(shares)), float(np.std(shares) / np.sqrt(len(shares)))
    assert mean - 1.96 * error <= ALPHA, f"{mean:.4f} with a standard error of {error:.4f}"
    assert max(shares) > 0, "no claim was ever false: the simulation shows nothing"


def test_controllers_over_looks() -> None:
    """Bets on chance that go on from look to look: few days on which any of them is believed."""
    rng = np.random.default_rng(7)
    days, hubs, steps = 600, 40, 12
    wrong = 0
    for _ in range(days):
        gains = np.where(rng.random((LOOKS, hubs, steps)) < 0.1, 4.0, (1 - 0.4) / 0.9)
        wealth = np.log10(gains).sum(2).cumsum(0)  # each factor has mean one: an e-value at every look
        levels = _day(LOOKS)
        wrong += any(e_bh(wealth[t], ALPHA * levels[t].controller).any() for t in range(LOOKS))
    low, _ = _bounds(wrong, days)
    assert low <= ALPHA


def _day(looks: int) -> list[Levels]:
    spent, out = Spent(), []
    while (levels := Schedule(looks).levels(spent)) is not None:
        out.append(levels)
        first = levels.claim if spent.first is None else spent.first
        spent = Spent(spent.shape + levels.claim, spent.controller + levels.controller, first)
    return out


def _honest_days(
    kept: float, seed: int, days: int = DAYS, looks: int = LOOKS, honest: int = PEERS
) -> np.ndarray:
    """float[days, looks, groups]: conformal p-values of honest groups that remember ``kept`` of the look before."""
    rng = np.random.default_rng(seed)
    out = np.empty((days, looks, HONEST))
    for day in range(days):
        peers = np.sort(rng.normal(size=honest))
        score = rng.normal(size=HONEST)
        for look in range(looks):
            if look:
                score = kept * score + np.sqrt(1 - kept**2) * rng.normal(size=HONEST)
            out[day, look] = (honest - np.searchsorted(peers, score, side="left") + 1) / (honest + 1)
    return out


def _bounds(count: int, of: int = DAYS) -> tuple[float, float]:
    """Clopper-Pearson, 95 %."""
    low = float(beta.ppf(0.025, count, of - count + 1)) if count else 0.0
    return low, float(beta.ppf(0.975, count + 1, of - count)) if count < of else 1.0
