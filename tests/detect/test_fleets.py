"""A campaign that is half of all traffic: none of its hubs sets itself apart, all of them together do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.detect import assemble as room
from stillwatch.detect.assemble import Group, assemble
from stillwatch.detect.attributor import Attributor
from stillwatch.detect.controller import HubTests
from stillwatch.detect.hubs import Hubs, TokenMatrix, hubs_and_matrices
from stillwatch.detect.shape import Rows, linked_families
from stillwatch.detect.traffic import Traffic
from stillwatch.detect.trait import Tokens
from tests.contracts.factory import NOTHING
from tests.detect.making import bare_traffic, trait

UNITS, FLEET = 1000, 480
KAPPA = 0.3
"""Less than a scan takes: in so small a world no value can be as rare as it is among a million."""
TRAITS = (trait("card", group="payment"), trait("wording", group="content"))


@pytest.fixture(scope="module")
def traffic() -> Traffic:
    """Units in a keyed order; the first of them are the fleet."""
    return bare_traffic(UNITS)


def world(
    traffic: Traffic, wordings: int = 16, each: int = 4, tried: int = 0, payers: int = FLEET
) -> tuple[Hubs, HubTests, Attributor, np.ndarray]:
    """The fleet's ``payers`` pay with six cards; it shares wordings, some a unit; others pay alone and try others.

    Of those ``tried`` used one wording of the fleet. Hubs of wordings have control events. Half of the honest are
    trusted.
    """
    rng = np.random.default_rng(3)
    unit = np.arange(UNITS, dtype=np.int32)
    card = 1000 + np.arange(UNITS)
    card[:payers] = np.arange(payers) % 6
    used = [rng.choice(wordings, each, replace=False) for _ in range(FLEET)]
    used += [np.array([i % wordings if i < tried else 5000 + i // 8]) for i in range(UNITS - FLEET)]
    owner = np.repeat(unit, [len(u) for u in used])
    tokens = {
        "card": Tokens(unit, card, np.ones(UNITS, np.int64)),
        "wording": Tokens(owner, np.concatenate(used), np.ones(len(owner), np.int64)),
    }
    hubs, matrices = hubs_and_matrices(traffic, tokens, TRAITS, low=5, high=UNITS, sample=UNITS)
    n = len(hubs)
    stands = np.array([hubs.traits[t].id == "wording" for t in hubs.trait]) & (hubs.value < wordings)
    strength = np.full(n, 50.0)
    log10 = np.where(stands, 20.0, 0.0)[:, None]
    tests = HubTests(("failover",), ("control",), log10, strength, strength, strength, stands, stands, stands)
    attributor = Attributor(traffic, matrices, [], NOTHING, kappa=KAPPA, use_traffic=True)
    return hubs, tests, attributor, (unit >= FLEET) & (unit % 2 == 0)


def full(groups: list[Group]) -> list[Group]:
    """Groups that are held by more than shared texts."""
    return [g for g in groups if not g.thin]


@pytest.mark.parametrize("tried", [0, 60])
def test_half_of_all_traffic_is_found_by_its_hubs_together(
    traffic: Traffic, tried: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole fleet is one group and nobody else is in it, though every tenth honest unit tried its wordings."""
    hubs, tests, attributor, trusted = world(traffic, tried=tried)
    (group,) = full(assemble(traffic, hubs, tests, attributor, trusted, low=5))
    assert group.units.tolist() == list(range(FLEET))
    assert group.left_out is not None
    assert group.left_out.marked.sum() == FLEET + tried
    monkeypatch.setattr(room, "_fleets", lambda *_: [])
    assert not full(assemble(traffic, hubs, tests, attributor, trusted, low=5)), "no hub does it alone"


def test_wordings_that_trusted_people_use_make_no_fleet(traffic: Traffic) -> None:
    """Where as many of the users are trusted as elsewhere, hubs with control events are left alone."""
    hubs, tests, attributor, _ = world(traffic)
    assert not assemble(traffic, hubs, tests, attributor, np.arange(UNITS) % 2 == 0, low=5)


def test_texts_and_control_events_alone_do_not_make_a_fleet(traffic: Traffic) -> None:
    """Who shares wordings but neither cards nor anything else that costs something is a thin group at most."""
    hubs, tests, attributor, trusted = world(traffic)
    matrices = {m.trait.id: m for m in attributor.matrices if m.trait.id == "wording"}
    poorer = Attributor(traffic, matrices, [], NOTHING, kappa=KAPPA, use_traffic=True)
    assert not full(assemble(traffic, hubs, tests, poorer, trusted, low=5))


@pytest.mark.parametrize(("wordings", "each", "thin"), [(16, 4, False), (8, 7, True)])
def test_what_holds_more_is_taken(traffic: Traffic, wordings: int, each: int, *, thin: bool) -> None:
    """Of a fleet in which 340 pay together the payers stay; where texts alone hold more, these are a thin group."""
    hubs, tests, attributor, trusted = world(traffic, wordings=wordings, each=each, payers=340)
    (group,) = assemble(traffic, hubs, tests, attributor, trusted, low=5)
    assert group.thin is thin
    assert group.units.max() < FLEET
    assert len(group.units) > 340 if thin else group.units.tolist() == list(range(340))


def hubs_of(sets: list[list[int]]) -> Hubs:
    """Hubs with these members."""
    ptr = np.concatenate([[0], np.cumsum([len(s) for s in sets])]).astype(np.int64)
    n = len(sets)
    return Hubs(
        ptr, np.concatenate([np.array(s, np.int32) for s in sets]), np.zeros(n, np.int16), np.arange(n),
        np.diff(ptr), TRAITS, 0,
    )  # fmt: skip


def test_hubs_that_share_members_are_one_fleet_and_others_are_not() -> None:
    """A fifth in common is enough, less is not; who is claimed already is in none, and nobody is in two."""
    sets = [[*range(10)], [*range(8, 18)], [*range(17, 29)], [*range(40, 46)]]
    free = np.ones(50, np.bool_)
    free[41] = False
    found = room._fleets(hubs_of(sets), [0, 1, 2, 3], free)
    assert [own for own, _ in found] == [[0, 1], [2], [3]]
    assert [sorted(units.tolist()) for _, units in found] == [
        [*range(18)],
        [*range(18, 29)],
        [40, 42, 43, 44, 45],
    ]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_who_is_left_out_is_no_yardstick(traffic_seed: int) -> None:
    """Leaving units out beforehand is what naming them with every question is, members among them or not."""
    rng = np.random.default_rng(traffic_seed)
    n = 60
    matrices: dict[str, TokenMatrix] = {}
    traffic = bare_traffic(n)
    unit = np.arange(n, dtype=np.int32)
    for t in TRAITS:
        tokens = {t.id: Tokens(unit, rng.integers(0, 9, n), np.ones(n, np.int64))}
        matrices |= hubs_and_matrices(traffic, tokens, (t,), low=5, high=n, sample=n)[1]
    attributor = Attributor(traffic, matrices, [], NOTHING, kappa=0.1, use_traffic=True)
    members = np.sort(rng.choice(n, 12, replace=False)).astype(np.int32)
    out = rng.choice(n, 20, replace=False).astype(np.int32)
    told = attributor.against(members, members, attributor.left_out(out))
    asked = np.union1d(members, out).astype(np.int32)
    expected = attributor.against(members, asked)[:, np.isin(asked, members)]
    assert np.array_equal(told, expected)
    assert not np.array_equal(told, attributor.against(members, members)) or told.max() == 0.0


def test_a_template_is_linked_though_its_other_users_were_left_out(traffic: Traffic) -> None:
    """A family that all of the fleet show is the group's own, also while half of the fleet is not in the group."""
    _, _, attributor, _ = world(traffic)
    half, rest = np.arange(FLEET // 2, dtype=np.int32), np.arange(FLEET // 2, FLEET, dtype=np.int32)
    rows = Rows(
        {"family": np.full(len(half), 7), "unit": half}, [np.arange(len(half))], np.array([7]),
        np.array([FLEET]), np.array([len(rest)]), len(rest),
    )  # fmt: skip
    own = rows.of_group[0]
    plain, fleet = Group(half, 0, [0]), Group(half, 0, [0])
    fleet.left_out = attributor.left_out(np.arange(FLEET))
    assert linked_families(traffic, rows, plain, own).tolist() == []
    assert linked_families(traffic, rows, fleet, own).tolist() == [7]
