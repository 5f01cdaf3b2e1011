"""Envelopes and challenges: what was sealed opens, what was touched raises."""

from __future__ import annotations

from base64 import b64decode, b64encode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.errors import VerificationError
from stillwatch.protect import challenge, envelope
from stillwatch.records import Request

KEYS = envelope.keyring(b"a" * 32) | envelope.keyring(b"b" * 32)
NEW, OLD = KEYS
ONE = Request("r", "acct-1", "m-large-20260101", conversation_id="c-1")


@given(st.text(max_size=200) | st.binary(max_size=100).map(lambda raw: b64encode(raw).decode()))
def test_what_was_wrapped_comes_back(block: str) -> None:
    """Any block, base64 or not; the one it was issued to differs in nothing."""
    opened = envelope.unwrap(envelope.wrap(block, ONE, KEYS, NEW, 7200.0), ONE, KEYS)
    assert (opened.block, opened.differing, opened.issued_hour) == (block, (), 2)


@given(st.integers(0, 400), st.characters(min_codepoint=33, max_codepoint=126))
def test_a_changed_envelope_does_not_open_as_another(place: int, char: str) -> None:
    """One character changed anywhere: it raises, or it stands for the same bytes in the other alphabet."""
    whole = envelope.wrap("block-" * 20, ONE, KEYS, NEW, 0.0)
    place %= len(whole)
    changed = whole[:place] + char + whole[place + 1 :]
    if changed.replace("-", "+").replace("_", "/").rstrip("=") == whole.rstrip("="):
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
    opened = envelope.unwrap(envelope.wrap("b", ONE, KEYS, NEW, 0.0), other, KEYS)
    assert (opened.block, opened.differing) == ("b", differing)


@pytest.mark.parametrize("block", ["opaque", "EmwKAhgB", "-_-_", "+/+/", "a=b", "sw", ""])
def test_clients_that_decode_blocks_bring_them_back(block: str) -> None:
    """An envelope is base64: it survives being decoded and written again in either alphabet, padded or not."""
    whole = envelope.wrap(block, ONE, KEYS, NEW, 0.0)
    raw = b64decode(whole, validate=True)
    for again in (b64encode(raw), urlsafe_b64encode(raw), urlsafe_b64encode(raw).rstrip(b"=")):
        assert envelope.unwrap(again.decode(), ONE, KEYS).block == block


def test_pieces_that_a_client_puts_together_open_as_one() -> None:
    """A block that was streamed in pieces, each wrapped; a piece that was changed spoils the whole."""
    pieces = [envelope.wrap(piece, ONE, KEYS, NEW, 0.0) for piece in ("EmwK", "Ahg", "B")]
    other = Request("r", "acct-2", "m-large", conversation_id="c-1")
    opened = envelope.unwrap_all("".join(pieces), other, KEYS)
    assert (opened.block, opened.differing) == ("EmwKAhgB", ("account",))
    assert envelope.unwrap_all(pieces[0], ONE, KEYS).block == "EmwK"
    with pytest.raises(VerificationError):
        envelope.unwrap_all("".join(pieces)[:-6] + "AAAA==", ONE, KEYS)


def test_an_organisation_is_one_owner() -> None:
    """Accounts of one declared organisation may carry on each other's conversations."""
    a, b = (Request("r", name, "m", org_id="o") for name in ("acct-1", "acct-2"))
    assert envelope.unwrap(envelope.wrap("b", a, KEYS, NEW, 0.0), b, KEYS).differing == ()


def test_a_retired_key_still_opens_and_an_unknown_one_does_not() -> None:
    """Keys are known by their id."""
    old = envelope.wrap("b", ONE, KEYS, OLD, 0.0)
    assert envelope.unwrap(old, ONE, KEYS).block == "b"
    with pytest.raises(envelope.UnknownKey, match="not held here"):
        envelope.unwrap_all(old, ONE, {NEW: KEYS[NEW]})
    with pytest.raises(VerificationError, match="seal does not hold"):
        envelope.unwrap(old, ONE, {OLD: KEYS[NEW]})
    assert b"acct-1" not in b64decode(old), "an envelope names nobody"


@given(st.text(max_size=60))
def test_hostile_text_is_no_envelope_and_no_challenge(text: str) -> None:
    """It raises, whatever it is."""
    for whole in (text, envelope.PREFIX + text, "swc1." + text):
        with pytest.raises(VerificationError):
            envelope.unwrap(whole, ONE, KEYS)
        with pytest.raises(VerificationError):
            challenge.check(whole, KEYS[NEW], 0.0)


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
        challenge.check(made, KEYS[NEW], 1.0)
