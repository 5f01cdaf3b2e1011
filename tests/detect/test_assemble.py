"""From hubs to groups: two crews among strangers, and a public wording that one of them uses as well."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.detect import assemble as room
from stillwatch.detect.assemble import Attributor, Group, assemble
from stillwatch.detect.controller import HubTests
from stillwatch.detect.hubs import hubs_and_matrices
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
