"""A witness signs what grew, and nothing else; whatever is sent is answered by a status of the protocol."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.errors import ConfigError, VerificationError
from stillwatch.evidence.log import Log
from stillwatch.evidence.note import Checkpoint, Kind, Verifier, note, opened, sign, split
from stillwatch.evidence.witness import MOST_BYTES, Witness
from tests.evidence.making import Crash, Disk, a_key, entries

ORIGIN, NAME, NOW = "log.example/evidence", "witness.example/w1", 1_780_000_000
LOG_KEY = Verifier(ORIGIN, a_key("log").public)


def a_witness(memory: Disk, logs: Sequence[Verifier] = (LOG_KEY,)) -> Witness:
    """A witness of the log of these tests."""
    return Witness(memory, a_key("witness"), NAME, logs, lambda: NOW + 0.5)


def a_log(count: int, first: bytes = b"entry 0") -> Log:
    """A log of so many leaves, which differs from the others by its first."""
    log = Log(Disk(), origin=ORIGIN)
    log.append([first, *entries(count - 1, 1)] if count else [])
    return log


def asked(
    log: Log, old: int, *, size: int | None = None, key: str = "log", steps: Sequence[bytes] | None = None
) -> bytes:
    """A request for a checkpoint of a log, with the proof from an older size."""
    size = log.size if size is None else size
    proof = log.consistency(old, size) if steps is None and 0 < old < size else steps or ()
    text = Checkpoint(log.origin, size, log.root(size)).text
    signed = note(text, [sign(text, a_key(key), log.origin)])
    lines = "".join(base64.b64encode(step).decode() + "\n" for step in proof)
    return f"old {old}\n{lines}\n{signed}".encode()


def test_it_signs_what_grew() -> None:
    """From nothing, on, and again what it has signed; its line holds under its key and says when."""
    memory, log = Disk(), a_log(700)
    witness = a_witness(memory)
    for old, size in ((0, 3), (3, 300), (300, 300), (300, 700)):
        body = asked(log, old, size=size)
        answer = witness.add_checkpoint(body)
        assert (answer.status, answer.media_type) == (200, "text/plain")
        text = split(body.decode().partition("\n\n")[2])[0]
        assert opened(note(text, [answer.body]), [Verifier.parse(witness.vkey)]) == (text, {NAME: NOW})
        assert a_witness(memory).seen[ORIGIN].size == size, "it is on the disk"
    assert Verifier.parse(witness.vkey).kind is Kind.COSIGNATURE


def test_a_log_that_was_cut_rewritten_or_split_is_not_signed() -> None:
    """Whatever its keeper sends; two checkpoints of one size are kept as proof; nothing changes by being refused."""
    memory, log, other = Disk(), a_log(500), a_log(600, b"another")
    witness = a_witness(memory)
    assert witness.add_checkpoint(asked(log, 0)).status == 200
    before = dict(memory.files)
    same = asked(other, 500, size=500)
    for body, status, said in (
        (asked(log, 0, size=200), 409, "500\n"),
        (asked(log, 200), 409, "500\n"),
        (asked(log, 500, size=200, steps=()), 400, ""),
        (asked(other, 500), 422, ""),
        (asked(other, 500, steps=()), 422, ""),
        (asked(log, 500, steps=[bytes(32)]), 422, ""),
    ):
        answer = witness.add_checkpoint(body)
        assert (answer.status, answer.body if said else "") == (status, said)
        assert (answer.media_type == "text/x.tlog.size") == (status == 409)
    assert memory.files == before
    assert (witness.add_checkpoint(same).status, witness.add_checkpoint(same).body) == (409, "500\n")
    kept = [data for name, data in memory.files.items() if name.startswith("forks/")]
    assert kept == [same.partition(b"\n\n")[2]]
    assert {k: v for k, v in memory.files.items() if not k.startswith("forks/")} == before


def test_whose_log_it_is() -> None:
    """One that is not watched, and one that another key signed."""
    witness = a_witness(Disk())
    foreign = Log(Disk(), origin="somebody.else/log")
    foreign.append(entries(2))
    assert witness.add_checkpoint(asked(foreign, 0)).status == 404
    assert witness.add_checkpoint(asked(a_log(2), 0, key="another")).status == 403
    rotated = a_witness(Disk(), [LOG_KEY, Verifier(ORIGIN, a_key("new").public)])
    assert rotated.add_checkpoint(asked(a_log(2), 0, key="new")).status == 200
    assert rotated.add_checkpoint(asked(a_log(3), 2)).status == 200


def test_an_empty_log() -> None:
    """Has one root, and no other is signed."""
    text = Checkpoint(ORIGIN, 0, bytes(32)).text
    signed = note(text, [sign(text, a_key("log"), ORIGIN)])
    assert a_witness(Disk()).add_checkpoint(f"old 0\n\n{signed}".encode()).status == 409
    assert a_witness(Disk()).add_checkpoint(asked(a_log(0), 0)).status == 200


@pytest.mark.parametrize("left", [0, 1])
def test_a_crash_before_it_is_kept_signs_nothing(left: int) -> None:
    """And afterwards the witness stands where it stood."""
    memory, log = Disk(), a_log(9)
    a_witness(memory).add_checkpoint(asked(log, 0, size=5))
    memory.left = left
    witness = a_witness(memory)
    if left:
        assert witness.add_checkpoint(asked(log, 5, size=7)).status == 200
    with pytest.raises(Crash):
        witness.add_checkpoint(asked(log, 7 if left else 5))
    memory.left = None
    assert witness.seen == a_witness(memory).seen
    assert a_witness(memory).seen[ORIGIN].size == (7 if left else 5)
    assert witness.add_checkpoint(asked(log, 7 if left else 5)).status == 200


BODY = asked(a_log(40), 7)


@given(st.integers(0, len(BODY)), st.integers(0, len(BODY)), st.binary(max_size=8))
def test_whatever_is_sent_is_answered(start: int, end: int, more: bytes) -> None:
    """By a status of the protocol, and it is not signed unless it is the request."""
    memory = Disk()
    witness = a_witness(memory)
    witness.add_checkpoint(asked(a_log(40), 0, size=7))
    body = BODY[:start] + more + BODY[end:]
    answer = witness.add_checkpoint(body)
    assert answer.status in (200, 400, 403, 404, 409, 422)
    assert answer.status != 200 or witness.seen[ORIGIN] == Checkpoint(ORIGIN, 40, a_log(40).root())


@pytest.mark.parametrize("body", [
    b"", b"old 0", b"old 0\n\n", b"old 00\n\nx", b"old -1\n\nx", b"new 0\n\nx", b"old 7\nnot base64\n\n" + BODY,
    b"old 7\nAAAA\n\n" + BODY.partition(b"\n\n")[2], b"\xff\xfe", BODY + b"x" * MOST_BYTES,
    b"old 7\n" + b"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\n" * 64 + b"\n" + BODY.partition(b"\n\n")[2],
])  # fmt: skip
def test_what_is_no_request(body: bytes) -> None:
    """Is refused as malformed."""
    assert a_witness(Disk()).add_checkpoint(body).status == 400


def test_it_does_not_start_from_what_it_cannot_read() -> None:
    """Nor without a log, under a name that is none, or on the key of a witness."""
    memory = Disk()
    a_witness(memory).add_checkpoint(asked(a_log(5), 0))
    torn = Disk({name: data[:20] for name, data in memory.files.items()})
    with pytest.raises(VerificationError, match="cannot be read"):
        a_witness(torn)
    with pytest.raises(ConfigError, match="at least one log"):
        a_witness(Disk(), [])
    with pytest.raises(ConfigError, match="not of a log"):
        a_witness(Disk(), [Verifier(ORIGIN, a_key("log").public, Kind.COSIGNATURE)])
    with pytest.raises(VerificationError):
        Witness(Disk(), a_key("witness"), "two words", [LOG_KEY], lambda: 0)
