"""Every trait sees what was planted for it, in exactly the accounts that share it, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.detect.trait import EventTrait, QueueTrait, ShapeTrait, TokenTrait
from stillwatch.detect.traits import builtin_traits
from tests.contracts.factory import joined, queue_scores, shape_of, shared
from tests.contracts.golden import GOLDEN, PAIRS, PLANTED, QUEUE

TRAITS = builtin_traits()
TOKEN = [t for t in TRAITS if isinstance(t, TokenTrait)]
EVENT = [t for t in TRAITS if isinstance(t, EventTrait)]
SHAPE = [t for t in TRAITS if isinstance(t, ShapeTrait)]
QUEUES = [t for t in TRAITS if isinstance(t, QueueTrait)]
HUBS = {"work_queue": "template", "succession": "address_block", "compensation": "address_block"}
LOUD = 3.0
"""Decades at which a channel counts as a source."""


def hub_trait(queue: QueueTrait) -> list[TokenTrait]:
    """The trait that defines the hub of a queue story."""
    return [t for t in TOKEN if t.id == HUBS[queue.id]]


def crossing(values: dict[int, frozenset[str]]) -> list[frozenset[str]]:
    """Sets of accounts that mix planted ones with others."""
    return [accounts for accounts in values.values() if accounts & PLANTED and accounts - PLANTED]


@pytest.mark.parametrize("trait", TOKEN, ids=lambda t: t.id)
def test_a_value_is_shared_by_exactly_the_planted(trait: TokenTrait) -> None:
    """One value joins all six planted accounts, and no value joins one of them with anybody else."""
    values = shared(trait, GOLDEN[trait.id](False).traffic())
    assert PLANTED in values.values()
    assert crossing(values) == []


@pytest.mark.parametrize("trait", TOKEN, ids=lambda t: t.id)
def test_an_organisation_shares_nothing_with_itself(trait: TokenTrait) -> None:
    """The same story under one declared organisation is one unit: nothing is shared by two."""
    traffic = GOLDEN[trait.id](True).traffic()
    got = trait.extract(traffic)
    planted = traffic.unit[[traffic.names.account.index[a] for a in PLANTED]]
    assert len(set(planted.tolist())) == 1
    for value in np.unique(got.value[got.unit == planted[0]]):
        assert set(got.unit[got.value == value].tolist()) == {int(planted[0])}


@pytest.mark.parametrize("trait", EVENT, ids=lambda t: t.id)
def test_an_event_joins_exactly_the_planted_pairs(trait: EventTrait) -> None:
    """Three pairs, in the right direction, and the pair's own chance to do it is counted."""
    traffic = GOLDEN[trait.id](False).traffic()
    assert joined(trait, traffic) == PAIRS
    exposed = trait.extract(traffic).exposure
    side = 0 if trait.id == "failover" else 1
    at = [traffic.unit[traffic.names.account.index[pair[side]]] for pair in PAIRS]
    assert exposed[at].tolist() == [1, 1, 1] and exposed.sum() == 3


@pytest.mark.parametrize("trait", EVENT, ids=lambda t: t.id)
def test_no_event_inside_an_organisation(trait: EventTrait) -> None:
    """An organisation that rotates its accounts hands over to itself."""
    assert joined(trait, GOLDEN[trait.id](True).traffic()) == set()


@pytest.mark.parametrize("trait", QUEUES, ids=lambda t: t.id)
def test_a_queue_speaks_of_exactly_its_hub(trait: QueueTrait) -> None:
    """The planted hub, and no other, has more than three decades."""
    scores = queue_scores(trait, GOLDEN[trait.id](False).traffic(), hub_trait(trait))
    loud = [
        accounts for accounts, value in scores.items() if value > (0.5 if trait.id == "succession" else LOUD)
    ]
    assert loud == [frozenset(QUEUE)]


@pytest.mark.parametrize("trait", QUEUES, ids=lambda t: t.id)
def test_no_queue_inside_an_organisation(trait: QueueTrait) -> None:
    """An organisation that deals out its own work is one unit and makes no hub."""
    assert queue_scores(trait, GOLDEN[trait.id](True).traffic(), hub_trait(trait)) == {}


def test_a_queue_is_heard_whatever_else_its_accounts_share() -> None:
    """The template's hub is judged although other values have exactly the same members."""
    queue = next(q for q in QUEUES if q.id == "work_queue")
    assert queue_scores(queue, GOLDEN["work_queue"](False).traffic(), TOKEN)[frozenset(QUEUE)] > LOUD


@pytest.mark.parametrize("trait", SHAPE, ids=lambda t: t.id)
def test_a_shape_rises_with_what_was_planted(trait: ShapeTrait) -> None:
    """Between 0 and 1, high for the planted stream, and clearly lower for the others."""
    traffic = GOLDEN[trait.id](False).traffic()
    planted, others = shape_of(trait, traffic, PLANTED), shape_of(trait, traffic, [f"o{i}" for i in range(8)])
    assert 0.0 <= others < planted <= 1.0
    assert planted >= 0.9 and planted - others >= 0.5
