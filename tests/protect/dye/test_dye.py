"""The dye desk: derivation, commitment before use, engines' configurations, injection, and the ledger."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.errors import ConfigError, UpstreamError, VerificationError
from stillwatch.protect.dye import SCHEMES, Desk, Master, Served, Subject, check_opening, inject
from stillwatch.protect.dye.master import expand, extract
from stillwatch.prove.marks import MARKS

MASTER = Master(bytes(range(32)))
AT = "2026-11-03T00:00:00+00:00"


class Notes(list):
    """A journal in memory."""

    def rows(self) -> list[dict[str, Any]]:
        """What was written down."""
        return [json.loads(json.dumps(row)) for row in self]

    def add(self, row: dict[str, Any]) -> None:
        """Write down."""
        self.append(row)


class Log:
    """A log that remembers, or fails."""

    def __init__(self, fails: bool = False) -> None:
        self.digests: list[str] = []
        self.fails = fails

    def commit(self, digest: str) -> Mapping[str, Any]:
        """Where the digest stands."""
        if self.fails:
            raise UpstreamError("no log", hint="later")
        self.digests.append(digest)
        return {"index": len(self.digests) - 1}


def test_derivation_is_the_published_one() -> None:
    """HKDF gives the bytes of RFC 5869's first test case, and those of the cryptography package."""
    salt, secret, info = bytes(range(13)), b"\x0b" * 22, bytes(range(0xF0, 0xFA))
    made = expand(extract(salt, secret), info, 42)
    assert made.hex().startswith("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf")
    hkdf = pytest.importorskip("cryptography.hazmat.primitives.kdf.hkdf")
    hashes = pytest.importorskip("cryptography.hazmat.primitives.hashes")
    assert made == hkdf.HKDF(hashes.SHA256(), 42, salt, info).derive(secret)


@given(st.lists(st.text(max_size=4), max_size=4), st.lists(st.text(max_size=4), max_size=4))
def test_no_two_purposes_share_bytes(one: list[str], other: list[str]) -> None:
    """However their parts are cut."""
    assert (MASTER.derive(16, *one) == MASTER.derive(16, *other)) == (one == other)


def test_a_master_is_long_and_silent() -> None:
    """A short one is refused, a broken one too, and neither shows in what is said."""
    with pytest.raises(ConfigError, match="16 bytes of 32"):
        Master(bytes(16))
    with pytest.raises(ConfigError) as caught:
        Master.from_hex("zebra-quartz", "FILE")
    assert "zebra" not in str(caught.value) and "(...)" in repr(MASTER)


def test_keys_differ_by_epoch_campaign_account_and_scheme() -> None:
    """Each is its own; none shows in a repr or in the journal."""
    log, notes = Log(), Notes()
    desk = Desk(MASTER, log, notes)
    subjects = [
        Subject(e, f"campaign:{c}", a) for e in "12" for c in ("C-1", "C-2") for a in (None, "acct-1")
    ]
    dyes = [desk.issue(s, "sglang-gumbel", 2, at=AT) for s in subjects]
    assert len({d.key for d in dyes}) == len(dyes) == len(set(log.digests))
    assert all(0 <= d.key < 2**63 for d in dyes)
    said = json.dumps(notes.rows()) + repr(dyes)
    assert not [d for d in dyes if str(d.key) in said or d.nonce in said]


def test_a_key_is_committed_before_it_is_handed_out() -> None:
    """Without the log nothing is handed out or written down; asked again, the same commitment is made."""
    notes = Notes()
    with pytest.raises(UpstreamError):
        Desk(MASTER, Log(fails=True), notes).issue(Subject("1", "campaign:C-1"), "sglang-gumbel", at=AT)
    assert not notes
    log = Log()
    first = Desk(MASTER, log, Notes()).issue(Subject("1", "campaign:C-1"), "sglang-gumbel", at=AT)
    again = Desk(MASTER, log, Notes()).issue(Subject("1", "campaign:C-1"), "sglang-gumbel", at="later")
    assert log.digests == [first.issue.commitment, again.issue.commitment] and first.key == again.key
    assert log.digests[0] == log.digests[1]


def test_an_opening_holds_and_a_false_one_does_not() -> None:
    """The key, its campaign, its epoch: whatever is changed, it opens another commitment."""
    dye = Desk(MASTER, Log(), Notes()).issue(Subject("1", "campaign:C-1"), "vllm-gumbel", at=AT)
    check_opening(dye.opening(), dye.issue.commitment)
    for change in ({"key": dye.key + 1}, {"name": "campaign:C-2"}, {"epoch": "2"}, {"width": 1}):
        with pytest.raises(VerificationError):
            check_opening({**dye.opening(), **change}, dye.issue.commitment)


def test_another_master_is_noticed() -> None:
    """So is a row that was changed, and one that is none."""
    notes = Notes()
    Desk(MASTER, Log(), notes).issue(Subject("1", "campaign:C-1"), "vllm-gumbel", at=AT)
    with pytest.raises(VerificationError, match="not issued from this master"):
        Desk(Master(bytes(32)), Log(), notes).issued()
    notes[0]["subject"]["name"] = "campaign:C-9"
    with pytest.raises(VerificationError):
        Desk(MASTER, Log(), notes).issued()
    with pytest.raises(VerificationError, match="damaged"):
        Desk(MASTER, Log(), Notes([{"scheme": 1}])).issued()


def test_one_subject_has_one_scheme_in_an_epoch() -> None:
    """A second one is refused, with what to do."""
    desk = Desk(MASTER, Log(), Notes())
    desk.issue(Subject("1", "campaign:C-1"), "sglang-gumbel", 2, at=AT)
    with pytest.raises(ConfigError, match="window 2") as caught:
        desk.issue(Subject("1", "campaign:C-1"), "sglang-gumbel", 4, at=AT)
    assert "epoch" in caught.value.hint


@pytest.mark.parametrize("name", ["", "a b", "a/b", "a\nb", "x" * 201, "a\u202eb"])
def test_names_are_plain(name: str) -> None:
    """What could be mistaken for a path, another name or a command of a terminal is refused."""
    with pytest.raises(ConfigError):
        Subject("1", name)
    with pytest.raises(ConfigError):
        Subject(name, "campaign:C-1")


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=list(SCHEMES))
def test_engines_are_told_key_and_window_in_their_own_words(scheme: Any) -> None:
    """And every scheme that is said to be read is read by a mark that exists."""
    made = scheme.server(7, 3)
    assert made["key"] == 7 and made[scheme.width_field] == 3
    assert scheme.mark is None or scheme.mark in MARKS
    assert ("{config}" in scheme.start) != ("{config!r}" in scheme.start) and json.loads(
        json.dumps(made)
    ) == made
    for width in (0, 65):
        with pytest.raises(ConfigError):
            scheme.server(7, width)


@pytest.mark.parametrize("field", ["watermark", "watermarking", "watermark_key", "watermarking_config"])
def test_what_a_client_says_of_marks_goes(field: str) -> None:
    """At the top and inside of what engines unpack; the key that policy chose comes in its place."""
    dye = Desk(MASTER, Log(), Notes()).issue(Subject("1", "campaign:C-1"), "sglang-gumbel", 2, at=AT)
    sent = {"model": "m", field: {"enabled": False, "key": 1}, "extra_body": {field: False}}
    body, changed = inject(sent, dye)
    assert body["watermark"] == {"enabled": True, "key": dye.key, "context_window": 2}
    assert body["extra_body"] == {} and set(changed) == {field, f"extra_body.{field}"}
    assert inject(sent, None)[0] == {"model": "m", "extra_body": {}} and field in sent


def test_an_engine_of_one_key_gets_no_key_by_request() -> None:
    """vLLM would refuse the field; the opt-out goes all the same."""
    dye = Desk(MASTER, Log(), Notes()).issue(Subject("1", "campaign:C-1"), "vllm-gumbel", at=AT)
    assert inject({"watermarking": False}, dye) == ({}, ("watermarking",))


def test_the_ledger_answers_about_windows_and_about_nothing_else() -> None:
    """Served windows are held, others are not; the last window of an answer taught nothing; it survives the disk."""
    rng = np.random.default_rng(5)
    texts = rng.integers(0, 50_000, (40, 30))
    served = Served(b"s" * 32, 3)
    served.add(texts.tolist())
    rows = np.lib.stride_tricks.sliding_window_view(texts, 3, axis=1)
    assert served.holds(rows[:, :-1].reshape(-1, 3)).all() and not served.holds(rows[:, -1]).any()
    assert not served.holds(rng.integers(0, 50_000, (5_000, 3))).any()
    data = served.to_bytes()
    again = Served.from_bytes(data, b"s" * 32, 3)
    assert (again.windows, again.tokens, again.answers) == (served.windows, 1_200, 40)
    assert again.holds(rows[:, :-1].reshape(-1, 3)).all()
    assert not Served.from_bytes(data, b"t" * 32, 3).holds(rows[:, 0]).any()
    for broken in (data[:-3], data[:5], b"x" * len(data)):
        with pytest.raises(VerificationError):
            Served.from_bytes(broken, b"s" * 32, 3)
    with pytest.raises(VerificationError):
        Served.from_bytes(data, b"s" * 32, 4)
