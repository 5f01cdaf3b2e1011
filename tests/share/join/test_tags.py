"""Values to tags with a split key: what comes out, who could have made it, and what is refused."""

import pytest

from stillwatch.errors import ConfigError, VerificationError
from stillwatch.share.join import group, oprf
from stillwatch.share.join.tags import Value, ask, encoded, open_answers
from tests.share.join import vectors
from tests.share.join.making import EPOCH, answers, blocks, publics, tags_of, two_holders

pytest.importorskip("rbcl", reason="needs the extra `join`")


def test_two_shares_give_what_their_sum_gives_in_a_program_by_others(tmp_path):
    """A tag under a split key is RFC 9497 under the sum of the shares, as the package voprf computes it."""
    theirs = pytest.importorskip("voprf", reason="needs the extra `dev`").ristretto
    whole = oprf.derive_key(bytes.fromhex(vectors.SEED), vectors.INFO)
    first = group.random_scalar()
    holders = two_holders(tmp_path, keys=(first, group.difference(whole, first)))
    server = theirs.Evaluator.from_seed(bytes.fromhex(vectors.SEED), vectors.INFO)
    values = blocks(1, 2, 3)
    expected = tuple(server.evaluate_known_input(encoded(EPOCH, value)) for value in values)
    assert tags_of(holders, values) == expected


def test_two_members_get_the_same_tag_and_one_key_holder_none_of_them(tmp_path):
    """Equal values meet; neither share alone, nor both applied one after the other, makes the tag."""
    holders = two_holders(tmp_path)
    values = blocks(7)
    [tag] = tags_of(holders, values, "north")
    assert (tag,) == tags_of(holders, values, "south")
    one, two = (holder.shares[EPOCH] for holder in holders)
    for key in (one, two, group.product(one, two)):
        factor = group.random_scalar()
        message = encoded(EPOCH, values[0])
        assert oprf.finalise(message, factor, group.times(key, oprf.blind(message, factor))) != tag


def test_what_a_key_holder_sees_says_nothing_of_the_value():
    """The same value asked twice looks different each time; the value stands in nothing that is sent or printed."""
    one, two = ask(EPOCH, blocks(9)), ask(EPOCH, blocks(9))
    assert one.wire != two.wire
    assert b"10.0.9.0" not in one.wire
    assert "10.0.9.0" not in repr(one) + repr(blocks(9))


def test_epoch_kind_and_value_are_part_of_the_tag(tmp_path):
    """Other weeks, other kinds and values that would run together never meet."""
    inputs = [
        encoded("2026-W48", Value("ja4", b"ab")),
        encoded("2026-W49", Value("ja4", b"ab")),
        encoded("2026-W48", Value("ja4a", b"b")),
        encoded("2026-W48", Value("ja", b"4ab")),
    ]
    assert len(set(inputs)) == len(inputs)
    holders = two_holders(tmp_path)
    assert len(set(tags_of(holders, [Value("ja4", b"x"), Value("ja5", b"x")]))) == 2


def test_one_false_answer_of_one_key_holder_spoils_the_batch(tmp_path):
    """An answer that was made with another share, or swapped within the batch, is refused whole."""
    holders = two_holders(tmp_path)
    question = ask(EPOCH, blocks(1, 2))
    honest, other = answers(holders, question), answers(two_holders(tmp_path), question)
    for false in (other[1], honest[1][32:64] + honest[1][:32] + honest[1][64:]):
        with pytest.raises(VerificationError, match="another key"):
            open_answers(question, [honest[0], false], publics(holders))


def test_one_key_holder_is_not_enough(tmp_path):
    """A single answer, and the same key holder twice, are refused."""
    holders = two_holders(tmp_path)
    question = ask(EPOCH, blocks(1))
    one = answers(holders[:1], question)
    for given, keys in (
        (one, publics(holders[:1])),
        (one * 2, publics(holders[:1]) * 2),
        (one, publics(holders)),
    ):
        with pytest.raises(VerificationError, match="two key holders"):
            open_answers(question, given, keys)


@pytest.mark.parametrize("cut", [0, 1, 31, 63, 64, 95, 97, 160])
def test_an_answer_of_another_length_is_refused(tmp_path, cut):
    """Short and long answers end in a clear error."""
    holders = two_holders(tmp_path)
    question = ask(EPOCH, blocks(1))
    honest = answers(holders, question)
    with pytest.raises(VerificationError):
        open_answers(question, [honest[0], (honest[1] + bytes(range(64)))[:cut]], publics(holders))


@pytest.mark.parametrize(
    ("epoch", "value"),
    [
        ("2026-48", Value("ja4", b"x")),
        ("2026-W54", Value("ja4", b"x")),
        (EPOCH, Value("JA4", b"x")),
        (EPOCH, Value("ja4\n", b"x")),
        (EPOCH, Value("ja4", b"")),
        (EPOCH, Value("ja4", b"secret" * 500)),
    ],
)
def test_what_cannot_be_joined_is_named_without_its_value(epoch, value):
    """Wrong weeks, kinds and lengths are refused, and the error does not quote the value."""
    with pytest.raises(ConfigError) as refused:
        ask(epoch, [value])
    assert refused.value.hint and "secret" not in str(refused.value)
