"""Envelopes and challenges: what was sealed opens, what was touched raises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.errors import VerificationError
from stillwatch.protect import challenge, envelope
from stillwatch.records import Request

KEYS = {"k1": envelope.derive_key(b"a" * 32), "k0": envelope.derive_key(b"b" * 32)}
ONE = Request("r", "acct-1", "m-large-20260101", conversation_id="c-1")


@given(st.text(max_size=200))
def test_what_was_wrapped_comes_back(block: str) -> None:
    """Any block, dots and all; the one it was issued to differs in nothing."""
    opened = envelope.unwrap(envelope.wrap(block, ONE, KEYS, "k1", 7200.0), ONE, KEYS)
    assert (opened.block, opened.differing, opened.issued_hour) == (block, (), 2)


@given(st.integers(0, 400), st.characters(min_codepoint=33, max_codepoint=126))
def test_a_changed_envelope_does_not_open_as_another(place: int, char: str) -> None:
    """One character changed anywhere: it raises, or it is the character that was there."""
    whole = envelope.wrap("block-" * 20, ONE, KEYS, "k1", 0.0)
    place %= len(whole)
    changed = whole[:place] + char + whole[place + 1 :]
    if changed == whole:
        return
    with pytest.raises(VerificationError) as caught:
        envelope.unwrap(changed, ONE, KEYS)
    assert "block-block" not in str(caught.value)


@pytest.mark.parametrize(("other", "differing"), [
    (Request("r", "acct-2", "m-large", conversation_id="c-1"), ("account",)),
    (Request("r", "acct-1", "m-small", conversation_id="c-1"), ("model",)),
    (Request("r", "acct-1", "m-large", conversation_id="c-2"), ("conversation",)),
    (Request("r", "acct-1", "m-large"), ()),
    (Request("r", "acct-1", "m-large", org_id="o", conversation_id="c-1"), ()),
    (Request("r", "acct-2", "m-small", conversation_id="c-2"), ("account", "model", "conversation")),
])  # fmt: skip
def test_an_envelope_says_what_differs(other: Request, differing: tuple[str, ...]) -> None:
    """From itself and the key alone."""
    opened = envelope.unwrap(envelope.wrap("b", ONE, KEYS, "k1", 0.0), other, KEYS)
    assert (opened.block, opened.differing) == ("b", differing)


def test_an_organisation_is_one_owner() -> None:
    """Accounts of one declared organisation may carry on each other's conversations."""
    a, b = (Request("r", name, "m", org_id="o") for name in ("acct-1", "acct-2"))
    assert envelope.unwrap(envelope.wrap("b", a, KEYS, "k1", 0.0), b, KEYS).differing == ()


def test_a_retired_key_still_opens_and_an_unknown_one_does_not() -> None:
    """Keys are known by their id."""
    old = envelope.wrap("b", ONE, KEYS, "k0", 0.0)
    assert envelope.unwrap(old, ONE, KEYS).block == "b"
    with pytest.raises(VerificationError, match="not held here"):
        envelope.unwrap(old, ONE, {"k1": KEYS["k1"]})
    with pytest.raises(VerificationError, match="seal does not hold"):
        envelope.unwrap(old, ONE, {"k0": KEYS["k1"]})
    assert "acct-1" not in old, "an envelope names nobody"


@given(st.text(max_size=60))
def test_hostile_text_is_no_envelope_and_no_challenge(text: str) -> None:
    """It raises, whatever it is."""
    for whole in (text, envelope.PREFIX + text, "swc1." + text):
        with pytest.raises(VerificationError):
            envelope.unwrap(whole, ONE, KEYS)
        with pytest.raises(VerificationError):
            challenge.check(whole, KEYS["k1"], 0.0)


def test_a_challenge_is_of_one_account_for_a_day() -> None:
    """Changed, moved to another key or late, it raises."""
    key = challenge.derive_key(b"a" * 32)
    made = challenge.make("acct\ud800é.1", "card", key, 0.0)
    assert challenge.check(made, key, 1.0) == ("acct\ud800é.1", "card")
    with pytest.raises(VerificationError, match="expired"):
        challenge.check(made, key, challenge.VALID_S + 1.0)
    with pytest.raises(VerificationError, match="seal"):
        challenge.check(made.replace("card", "none"), key, 1.0)
    with pytest.raises(VerificationError, match="seal"):
        challenge.check(made, KEYS["k1"], 1.0)
