"""Notes, checkpoints and cosignatures, against a published vector and against forgery."""

from __future__ import annotations

import pytest

from stillwatch.errors import VerificationError
from stillwatch.evidence.merkle import EMPTY
from stillwatch.evidence.note import Checkpoint, Kind, Verifier, cosign, note, opened, sign, split
from tests.evidence.making import a_key

VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SIGNED = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
"""The vector of the signed-note format's documentation."""
TEXT = Checkpoint("log.example/evidence", 3, EMPTY).text


def test_the_published_vector() -> None:
    """Its key opens its note, and one changed letter does not."""
    assert opened(SIGNED, [Verifier.parse(VKEY)])[1] == {"PeterNeumann": None}
    assert Verifier.parse(VKEY).vkey == VKEY
    with pytest.raises(VerificationError, match="wrong"):
        opened(SIGNED.replace("cryptography", "Cryptography"), [Verifier.parse(VKEY)])


def test_a_checkpoint_with_a_witness() -> None:
    """The log's line and the witness's, which carries the time it saw it."""
    log, witness = a_key("log"), a_key("witness")
    signed = note(
        TEXT, [sign(TEXT, log, "log.example"), cosign(TEXT, witness, "witness.example", 1_700_000_000)]
    )
    text, who = opened(
        signed,
        [Verifier("log.example", log.public), Verifier("witness.example", witness.public, Kind.COSIGNATURE)],
    )
    assert Checkpoint.parse(text) == Checkpoint("log.example/evidence", 3, EMPTY)
    assert who == {"log.example": None, "witness.example": 1_700_000_000}


def test_unknown_keys_prove_nothing() -> None:
    """No trusted key, no opening."""
    signed = note(TEXT, [sign(TEXT, a_key("log"), "log.example")])
    for trusted in ([], [Verifier("log.example", a_key("other").public)]):
        with pytest.raises(VerificationError, match="no key that you trust"):
            opened(signed, trusted)


def test_a_witness_cannot_be_given_another_time() -> None:
    """The time is signed with the checkpoint."""
    witness = a_key("witness")
    known = [Verifier("w", witness.public, Kind.COSIGNATURE)]
    (_, mark, signature) = split(note(TEXT, [cosign(TEXT, witness, "w", 5)]))[1][0]
    import base64

    moved = base64.b64encode(mark + (6).to_bytes(8, "big") + signature[8:]).decode()
    with pytest.raises(VerificationError, match="wrong"):
        opened(note(TEXT, [f"\u2014 w {moved}\n"]), known)


@pytest.mark.parametrize(
    "bad",
    [
        "", "text", "text\n\n", TEXT + "\n- x AAAAAAAA\n", TEXT + "\n\u2014 x !!!!\n", TEXT + "\n\u2014 a b c d\n",
        "x" * 70_000,
    ],
)  # fmt: skip
def test_malformed_notes(bad: str) -> None:
    """Each is refused, none is read halfway."""
    with pytest.raises(VerificationError):
        split(bad)


@pytest.mark.parametrize(
    "bad", ["a\nb\nc\n", "a\n01\n" + TEXT.split("\n")[2] + "\n", "\n3\nAAAA\n", "a\n-1\nAAAA\n"]
)
def test_malformed_checkpoints(bad: str) -> None:
    """Sizes have one form, roots one length."""
    with pytest.raises(VerificationError):
        Checkpoint.parse(bad)


@pytest.mark.parametrize("bad", ["", "a+b", "a+00000000+AAAA", VKEY.replace("c74f20a3", "c74f20a4")])
def test_malformed_keys(bad: str) -> None:
    """A key whose parts do not fit is no key."""
    with pytest.raises(VerificationError):
        Verifier.parse(bad)
