"""The function, its proofs and its group, against the RFC and against a program by others."""

from typing import Any

import pytest

from stillwatch.errors import VerificationError
from stillwatch.share.join import group, oprf
from tests.share.join import vectors

pytest.importorskip("rbcl", reason="needs the extra `join`")
KEY = bytes.fromhex(vectors.SECRET)
PUBLIC = bytes.fromhex(vectors.PUBLIC)
ORDER = (2**252 + 27742317777372353535851937790883648493).to_bytes(32, "little")


def test_the_key_of_a_seed_is_the_rfcs():
    """A seed and a name give the secret and public key of the RFC."""
    assert oprf.derive_key(bytes.fromhex(vectors.SEED), vectors.INFO) == KEY
    assert group.generated(KEY) == PUBLIC


@pytest.mark.parametrize("vector", vectors.VECTORS, ids=["first", "second", "batch"])
def test_every_step_gives_the_bytes_of_the_rfc(vector):
    """Blinding, evaluation, proof and output are the RFC's, byte by byte."""
    parts: list[Any] = [
        [bytes.fromhex(each) for each in part] if isinstance(part, list) else bytes.fromhex(part)
        for part in vector
    ]
    inputs, blinds, blinded, evaluated, nonce, proof, outputs = parts
    assert [oprf.blind(message, factor) for message, factor in zip(inputs, blinds, strict=True)] == blinded
    assert oprf.evaluate(KEY, blinded) == evaluated
    assert oprf.prove(KEY, blinded, evaluated, nonce) == proof
    oprf.check(PUBLIC, blinded, evaluated, proof)
    assert [oprf.finalise(*each) for each in zip(inputs, blinds, evaluated, strict=True)] == outputs


def test_a_batch_in_which_one_answer_was_made_with_another_key_is_refused():
    """One wrong answer among many makes the proof fail, wherever it stands."""
    blinded = [oprf.blind(bytes([at]), group.random_scalar()) for at in range(8)]
    evaluated = oprf.evaluate(KEY, blinded)
    proof = oprf.prove(KEY, blinded, evaluated)
    oprf.check(PUBLIC, blinded, evaluated, proof)
    for at in range(8):
        changed = [*evaluated]
        changed[at] = group.times(group.random_scalar(), blinded[at])
        with pytest.raises(VerificationError, match="another key"):
            oprf.check(PUBLIC, blinded, changed, proof)
    with pytest.raises(VerificationError, match="another key"):
        oprf.check(PUBLIC, blinded, evaluated[::-1], proof)


def test_a_proof_under_another_key_is_refused():
    """A key holder who marks one member with a key of its own is found out by that member."""
    blinded, other = [oprf.blind(b"x", group.random_scalar())], group.random_scalar()
    evaluated = oprf.evaluate(other, blinded)
    with pytest.raises(VerificationError, match="another key"):
        oprf.check(PUBLIC, blinded, evaluated, oprf.prove(other, blinded, evaluated))


@pytest.mark.parametrize("at", range(0, 64, 7))
def test_a_changed_proof_is_refused(at):
    """Any changed byte of a proof is refused."""
    blinded = [bytes.fromhex(vectors.ZERO_BLINDED)]
    evaluated = [bytes.fromhex(vectors.ZERO_EVALUATED)]
    proof = bytearray(bytes.fromhex(vectors.VECTORS[0][5]))
    proof[at] ^= 1
    with pytest.raises(VerificationError):
        oprf.check(PUBLIC, blinded, evaluated, bytes(proof))


@pytest.mark.parametrize(
    "data", [b"", b"x", bytes(31), bytes(33), bytes(32), b"\xff" * 32, b"\1" + bytes(31)]
)
def test_what_is_no_element_never_reaches_the_library(data):
    """Strings of another length, the identity and encodings of nothing are refused."""
    with pytest.raises(VerificationError, match="not an element"):
        group.element(data)


@pytest.mark.parametrize("data", [b"", bytes(31), bytes(32), ORDER, b"\xff" * 32])
def test_what_is_no_scalar_never_reaches_the_library(data):
    """Zero and numbers that are not below the order are refused."""
    with pytest.raises(VerificationError, match="not a scalar"):
        group.scalar(data)


def test_a_program_by_others_agrees():
    """The package voprf opens our answers and checks our proofs, and we check its."""
    theirs = pytest.importorskip("voprf", reason="needs the extra `dev`").ristretto
    server = theirs.Evaluator.from_seed(bytes.fromhex(vectors.SEED), vectors.INFO)
    client, question = theirs.Client.blind(b"192.0.2.0/24")
    asked = group.elements(question.serialize())
    factor = group.random_scalar()
    ours = oprf.finalise(
        b"192.0.2.0/24", factor, oprf.evaluate(KEY, [oprf.blind(b"192.0.2.0/24", factor)])[0]
    )
    answer = server.evaluate(question)
    assert client.finalize(answer, server.public_key) == ours
    wire = answer.serialize()
    oprf.check(PUBLIC, asked, [wire[64:]], wire[:64])
