"""From hubs to groups: two crews among strangers, and a public wording that one of them uses as well."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.detect import assemble as room
from stillwatch.detect.assemble import Group, assemble
from stillwatch.detect.attributor import Attributor
from stillwatch.detect.controller import HubTests
from stillwatch.detect.hubs import hubs_and_matrices
from stillwatch.detect.profile import LeftOut
from stillwatch.detect.traffic import Traffic
from stillwatch.detect.trait import Tokens
from tests.contracts.factory import NOTHING
from tests.detect.making import bare_traffic, trait

UNITS, CREWS, PUBLIC = 400, (range(15), range(100, 115)), range(60)
TRAITS = tuple(
    trait(name, group=group)
    for name, group in (
        ("card", "payment"),
        ("mail", "identity"),
        ("exit", "egress"),
        ("wording", "content"),
    )
)


@pytest.fixture(scope="module")
def traffic() -> Traffic:
    """Units in a keyed order."""
    return bare_traffic(UNITS)


def grouped(traffic: Traffic, seed: int) -> tuple[list[Group], int]:
    """Groups when every hub stands, in an order by lot; and the hub of the public wording."""
    unit = np.arange(UNITS, dtype=np.int32)
    shown = {t.id: 1000 + np.arange(UNITS) for t in TRAITS}
    for crew, units in enumerate(CREWS):
        own = np.array(units)
        shown["card"][own] = 10 * crew + own % 2 + 1
        shown["mail"][own] = shown["exit"][own] = crew + 1
    shown["wording"][list(PUBLIC)] = 7
    tokens = {name: Tokens(unit, values, np.ones(UNITS, np.int64)) for name, values in shown.items()}
    hubs, matrices = hubs_and_matrices(traffic, tokens, TRAITS, low=5, high=1000, sample=1000)
    n = len(hubs)
    lot, yes = np.random.default_rng(seed).random(n) * 100, np.ones(n, np.bool_)
    tests = HubTests(("card",), ("payment",), np.zeros((n, 1)), lot, lot, lot, yes, yes, yes)
    attributor = Attributor(traffic, matrices, [], NOTHING, kappa=3.0, use_traffic=True)
    groups = assemble(traffic, hubs, tests, attributor, np.zeros(UNITS, np.bool_), low=5)
    return groups, int(hubs.hub_of[np.searchsorted(hubs.shared, 7)])


@pytest.mark.parametrize("seed", range(5))
def test_weighing_ahead_leaves_no_trace(traffic: Traffic, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both crews are found, each once, with the same hubs and seed however many hubs are weighed at one time."""
    told = []
    for ahead, threads in ((1, 1), (3, 3), (64, 2), (64, 0)):
        monkeypatch.setattr(room, "AHEAD", ahead)
        monkeypatch.setattr(traffic, "threads", threads)
        groups, public = grouped(traffic, seed)
        assert sorted(g.units.tolist() for g in groups) == [list(crew) for crew in CREWS]
        assert not any(public in g.hubs for g in groups), "a quarter of its users are a crew"
        told.append([(g.units.tolist(), g.seed, g.hubs) for g in groups])
    assert all(one == told[0] for one in told)


CREW, HIDDEN = range(15), range(15, 27)


def crowded(traffic: Traffic, wordings: int, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Group], int]:
    """Groups where two crews and 30 strangers, others each time, share wording after wording; and whom that laid out.

    All hubs stand, those of the wordings first and the crews' own last.
    """
    rng = np.random.default_rng(5)
    unit = np.arange(UNITS, dtype=np.int32)
    shown = {t.id: (unit, 10_000 + np.arange(UNITS)) for t in TRAITS}
    for value, crew in ((1, CREW), (2, HIDDEN)):
        own = np.array(crew)
        for name in ("card", "mail", "exit"):
            shown[name][1][own] = value
    crews = np.array([*CREW, *HIDDEN])
    users = [
        np.sort(np.append(crews, rng.choice(np.arange(100, 200), 30, replace=False))) for _ in range(wordings)
    ]
    shown["wording"] = (
        np.concatenate(users).astype(np.int32),
        np.repeat(np.arange(1, wordings + 1), [len(u) for u in users]),
    )
    by_unit = np.argsort(shown["wording"][0], kind="stable")
    shown["wording"] = (shown["wording"][0][by_unit], shown["wording"][1][by_unit])
    tokens = {name: Tokens(u, v, np.ones(len(u), np.int64)) for name, (u, v) in shown.items()}
    hubs, matrices = hubs_and_matrices(traffic, tokens, TRAITS, low=5, high=1000, sample=1000)
    n = len(hubs)
    public = np.diff(hubs.ptr) > len(CREW)
    assert public.sum() == wordings
    strength, yes = np.where(public, 1000.0, 1.0), np.ones(n, np.bool_)
    tests = HubTests(("card",), ("payment",), np.zeros((n, 1)), strength, strength, strength, yes, yes, yes)
    laid_out = []
    retain = room._retain

    def counting(attributor: Attributor, weighed: Any) -> np.ndarray:
        laid_out.append(len(weighed.units))
        return retain(attributor, weighed)

    monkeypatch.setattr(room, "_retain", counting)
    attributor = Attributor(traffic, matrices, [], NOTHING, kappa=3.0, use_traffic=True)
    groups = assemble(traffic, hubs, tests, attributor, np.zeros(UNITS, np.bool_), low=5)
    monkeypatch.undo()
    return groups, sum(laid_out)


def test_people_who_were_let_go_are_not_asked_for_ever(
    traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten times as many public wordings lay nobody more out, and the crews inside them are found all the same."""
    few, many = (crowded(traffic, n, monkeypatch) for n in (60, 600))
    for groups, _ in (few, many):
        assert sorted(g.units.tolist() for g in groups) == [list(CREW), list(HIDDEN)]
    assert few[1] <= many[1] <= 1.1 * few[1]
    monkeypatch.setattr(room, "LET_GO", 255)
    assert crowded(traffic, 600, monkeypatch)[1] > 5 * many[1], "else nothing was shown"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 2**32 - 1)), max_size=60))
def test_letting_go_is_counted_by_size(hubs: list[tuple[int, int]]) -> None:
    """A hub is settled by what hubs of its size or smaller let go, and by nothing else."""
    times, counted = room._LetGo(40), np.zeros((7, 40), int)
    for size, seed in hubs:
        rng = np.random.default_rng(seed)
        members = rng.choice(40, size, replace=False)
        size_class = size.bit_length()
        often = (counted[: size_class + 1].sum(0)[members] >= room.LET_GO).mean()
        assert times.settle(members) == (often >= room.SETTLED)
        gone = members[rng.random(size) < 0.7]
        times.note(size, gone)
        counted[size_class, gone] += 1


class Lifting:
    """Evidence of single units that is told beforehand, with a loose bound; it writes down of whom it was asked."""

    def __init__(self, told: np.ndarray, most: np.ndarray) -> None:
        self.told, self.most = told, most
        self.asked: list[int] = []

    def decades(self, units: np.ndarray, inside: np.ndarray) -> np.ndarray:
        self.asked += units.tolist()
        return self.told[units]

    def at_most(self, units: np.ndarray, inside: np.ndarray) -> np.ndarray:
        return self.most[units]

    def partners(self, inside: np.ndarray) -> np.ndarray:
        return np.arange(len(inside), dtype=np.int32)


@pytest.mark.parametrize("controlled", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_control_is_laid_out_for_those_whom_it_decides(
    traffic: Traffic, seed: int, *, controlled: bool
) -> None:
    """Who joins is who would if everybody's control events were laid out, and few are asked for theirs."""
    rng = np.random.default_rng(seed)
    unit, members = np.arange(UNITS, dtype=np.int32), np.arange(60, dtype=np.int32)
    tokens = {}
    for t in TRAITS:
        value = 1000 + np.arange(UNITS)
        crowd = np.flatnonzero(rng.random(UNITS) < 0.4)
        value[crowd] = rng.integers(0, 12, len(crowd))
        tokens[t.id] = Tokens(unit, value, np.ones(UNITS, np.int64))
    _, matrices = hubs_and_matrices(traffic, tokens, TRAITS, low=5, high=1000, sample=1000)
    told = np.where(rng.random(UNITS) < 0.5, 0.0, rng.random(UNITS) * 6.0)
    link = Lifting(told, told + rng.random(UNITS) * (told > 0.0))
    attributor = Attributor(traffic, matrices, [], NOTHING, kappa=0.02, use_traffic=True, links=[link])
    joined = attributor.joined(members, room.JOIN_DECADES, controlled=controlled)
    few = len(link.asked)
    everybody = np.zeros(UNITS, np.bool_)
    everybody[members] = True
    with attributor._profile(members, np.zeros(0, np.int32), None) as found:
        parts = attributor._odds(unit, everybody, found)
    without = attributor.qualifies(parts, room.JOIN_DECADES, controlled=controlled)
    parts[-1] = attributor.control(unit, everybody)
    expected = attributor.qualifies(parts, room.JOIN_DECADES, controlled=controlled)
    assert joined.tolist() == np.flatnonzero(expected).tolist()
    assert 0 < without.sum() < expected.sum() < UNITS
    assert (expected & ~without).sum() <= few < UNITS / 2


def test_a_set_that_was_reached_before_is_not_weighed_again(
    traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Growing is remembered by set, and apart for groups that are controlled."""
    asked = []

    def joined(
        _: Attributor, members: np.ndarray, floor: float, *, controlled: bool, left_out: LeftOut | None
    ) -> np.ndarray:
        asked.append((members.tolist(), controlled))
        return np.arange(min(members[0], 10), 20, dtype=np.int32)

    monkeypatch.setattr(Attributor, "joined", joined)
    growth = room._Growth(Attributor(traffic, {}, [], NOTHING, kappa=3.0, use_traffic=True), 5)
    for seed in (np.arange(12, 20), np.arange(15, 9, -1), np.arange(12, 20)):
        assert growth.of(seed, controlled=False).tolist() == list(range(10, 20))
    assert len(asked) == 3
    growth.of(np.arange(12, 20), controlled=True)
    assert len(asked) == 5
