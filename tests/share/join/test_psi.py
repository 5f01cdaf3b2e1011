"""Two lists compared without a hub: what both learn, and what a peer that cheats gets."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.errors import ConfigError, VerificationError
from stillwatch.share.join import group, oprf, psi
from stillwatch.share.join.tags import Value

pytest.importorskip("rbcl", reason="needs the extra `join`")
SESSION = "north and south, week 48"


def values(*numbers: int) -> list[Value]:
    """Address blocks by number."""
    return [Value("address", b"10.0.%d.0/24" % n) for n in numbers]


def exchanged(one: list[Value], other: list[Value]) -> tuple[tuple[Value, ...], tuple[Value, ...]]:
    """Both sides of a whole session."""
    mine, theirs = psi.offer(SESSION, one), psi.offer(SESSION, other)
    my_offer, their_offer = psi.read_offer(mine.wire), psi.read_offer(theirs.wire)
    my_answer, their_answer = psi.answer(mine, their_offer, 1000), psi.answer(theirs, my_offer, 1000)
    return psi.common(mine, their_offer, their_answer), psi.common(theirs, my_offer, my_answer)


@settings(max_examples=15, deadline=None)
@given(st.sets(st.integers(0, 30), min_size=1), st.sets(st.integers(0, 30), min_size=1))
def test_both_learn_the_intersection_and_nothing_else(one, other):
    """The same as Python's own sets say, on both sides."""
    mine, theirs = exchanged(values(*one), values(*other))
    assert {v.value for v in mine} == {v.value for v in values(*(one & other))} and mine == theirs


def test_an_answer_of_several_batches_is_read(monkeypatch):
    """Beyond the largest batch of one proof there are several."""
    monkeypatch.setattr(psi, "_BATCH", 3)
    mine, theirs = exchanged(values(*range(8)), values(*range(5, 12)))
    assert mine == theirs and len(mine) == 3


def test_equal_values_of_another_kind_or_session_never_meet():
    """A kind is part of the point, and so is the session."""
    mine, theirs = exchanged([Value("address", b"x")], [Value("domain", b"x")])
    assert mine == theirs == ()
    one, other = psi.offer(SESSION, values(1)), psi.offer("another session", values(1))
    with pytest.raises(VerificationError, match="different sessions"):
        psi.answer(one, psi.read_offer(other.wire), 10)


def test_an_offer_shows_no_value_and_no_order():
    """The same list twice has no point in common and no text in it."""
    one, two = psi.offer(SESSION, values(*range(20))), psi.offer(SESSION, values(*range(20)))
    points = [set(psi.read_offer(each.wire).points) for each in (one, two)]
    assert points[0].isdisjoint(points[1]) and b"10.0" not in one.wire
    assert one.values != two.values and set(one.values) == set(two.values)
    assert one.secret.hex() not in repr(one) and "10.0" not in repr(one)


def test_a_peer_cannot_make_a_value_look_common():
    """It offers a point without a secret and answers with a point of mine: the proof fails."""
    mine = psi.offer(SESSION, values(1, 2))
    raw = psi._element(psi._session(SESSION), Value("address", b"10.0.1.0/24"))
    secret = group.random_scalar()
    forged = psi.read_offer(psi.PROTOCOL + psi._session(SESSION) + group.generated(secret) + raw)
    my_points = psi.read_offer(mine.wire).points
    wanted = mine.values.index(values(1)[0])
    answer = [my_points[wanted]] * 2
    head = psi.answer(psi.Offer(psi._wire(forged), secret, ()), psi.read_offer(mine.wire), 10)[
        : len(psi.PROTOCOL) + 32
    ]
    for proof in (oprf.prove(secret, my_points, answer), bytes(64)):
        with pytest.raises(VerificationError):
            psi.common(mine, forged, head + b"".join(answer) + proof)


def test_a_peer_that_sends_mine_back_or_too_much_is_refused():
    """Reflected offers, repeated points, other answers, and more points than are answered."""
    mine, theirs = psi.offer(SESSION, values(1, 2)), psi.offer(SESSION, values(2, 3, 4))
    with pytest.raises(VerificationError, match="repeats points"):
        psi.answer(mine, psi.read_offer(mine.wire), 10)
    with pytest.raises(VerificationError, match="3 points, more than the 2"):
        psi.answer(mine, psi.read_offer(theirs.wire), 2)
    with pytest.raises(VerificationError, match="twice"):
        psi.read_offer(theirs.wire + theirs.wire[-32:])
    answer = psi.answer(theirs, psi.read_offer(mine.wire), 10)
    for wrong in (answer[:-1], answer + b"x", b"", psi.PROTOCOL + bytes(32) + answer[48:]):
        with pytest.raises(VerificationError):
            psi.common(mine, psi.read_offer(theirs.wire), wrong)


@given(st.binary(max_size=300))
def test_whatever_is_sent_is_an_offer_or_refused(data):
    """No bytes of a peer's lead to anything but a refusal in words."""
    for wire in (data, psi.PROTOCOL + data):
        with pytest.raises(VerificationError):
            psi.read_offer(wire)


def test_nothing_empty_or_endless_is_offered():
    """A list of none, and values that are none."""
    for given_ in ([], [Value("address", b"")], [Value("address", b"x" * 2000)]):
        with pytest.raises(ConfigError):
            psi.offer(SESSION, given_)
    with pytest.raises(ConfigError, match="8 to 128"):
        psi.offer("short", values(1))
