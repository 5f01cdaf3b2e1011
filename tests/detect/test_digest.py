"""Keyed digests: the published vectors, the separation of domains, and what a key shows of itself."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.detect.digest import Key, digest_strings, digest_text, domain_key, sip_bytes, sip_word
from tests.detect.making import KEY

U64 = np.uint64
K0, K1 = U64(0x0706050403020100), U64(0x0F0E0D0C0B0A0908)

VECTORS = (
    "310e0edd47db6f72",
    "fd67dc93c539f874",
    "5a4fa9d909806c0d",
    "2d7efbd796666785",
    "b7877127e09427cf",
    "8da699cd64557618",
    "cee3fe586e46c9cb",
    "37d1018bf50002ab",
    "6224939a79f5f593",
    "b0e4a90bdf82009e",
    "f3b9dd94c5bb5d7a",
    "a7ad6b22462fb3f4",
    "fbe50e86bc8f1e75",
    "903d84c02756ea14",
    "eef27a8e90ca23f7",
    "e545be4961ca29a1",
    "db9bc2577fcc2a3f",
)
"""SipHash-2-4 of the bytes 00, 01, ... of length 0 to 16 under the key 00 ... 0f, as the authors print them."""


@pytest.mark.parametrize("length", range(len(VECTORS)))
def test_the_published_vectors_hold(length: int) -> None:
    """Every length around the eight-byte block gives the authors' value."""
    data = np.arange(max(length, 1), dtype=np.uint8)
    assert int(sip_bytes(data, 0, length, K0, K1)).to_bytes(8, "little").hex() == VECTORS[length]


def test_a_slice_of_a_buffer_is_digested_where_it_stands() -> None:
    """Bytes before and after the slice do not matter."""
    data = np.arange(40, dtype=np.uint8)
    alone = data[5:28].copy()
    assert sip_bytes(data, 5, 28, K0, K1) == sip_bytes(alone, 0, 23, K0, K1)


def test_a_word_is_its_eight_bytes() -> None:
    """The shortcut for one word gives what the byte function gives."""
    for word in np.random.default_rng(1).integers(0, 2**64, 200, dtype=np.uint64):
        data = np.frombuffer(int(word).to_bytes(8, "little"), np.uint8)
        assert sip_word(word, K0, K1) == sip_bytes(data, 0, 8, K0, K1)


def test_domains_do_not_share_digests() -> None:
    """One string under twenty domains has twenty digests, and another key has others again."""
    other = Key.derive(b"\x5b" * 32)
    names = [f"field{i}" for i in range(20)]
    found = {digest_text(key, name, "203.0.113.9") for key in (KEY, other) for name in names}
    assert len(found) == 40
    assert domain_key(KEY, "a") != domain_key(KEY, "b")
    assert domain_key(KEY, "a") != domain_key(other, "a")


def test_a_key_shows_its_name_and_nothing_else() -> None:
    """Neither key words nor the secret are in the printed form, and the name tells two keys apart."""
    secret = b"correct horse battery staple"
    key = Key.derive(secret)
    for shown in (repr(key), str(key), f"{key}", repr([key])):
        assert key.key_id in shown
        for word in (key.k0, key.k1):
            assert str(word) not in shown
            assert f"{word:x}" not in shown
        assert "horse" not in shown
    assert len({Key.derive(bytes([i]) * 16).key_id for i in range(64)}) == 64
    assert Key.derive(secret) == key
    assert key.key_id not in f"{key.k0:016x}{key.k1:016x}"


def test_a_short_secret_is_refused() -> None:
    """Fifteen bytes are too few."""
    with pytest.raises(ValueError, match="16 bytes"):
        Key.derive(b"x" * 15)


TEXTS = ["", "a", None, "héllo wörld", "日本語", "\x00", "x" * 5000, "203.0.113.9", None, "🦆"]


@pytest.mark.parametrize(
    "array",
    [
        pa.array(TEXTS),
        pa.array(TEXTS, pa.large_string()),
        pa.array(TEXTS, pa.string_view()),
        pa.array(["before", None, *TEXTS, "after"]).slice(2, len(TEXTS)),
        pa.array(["before", *TEXTS], pa.large_string()).slice(1),
        pa.array(TEXTS).dictionary_encode(),
    ],
    ids=["string", "large", "view", "slice", "large-slice", "dictionary"],
)
def test_a_column_is_digested_as_its_strings_are(array: pa.Array) -> None:
    """However Arrow holds the strings; missing and empty ones are both 0."""
    wanted = [digest_text(KEY, "ip", text) if text is not None else 0 for text in TEXTS]
    assert digest_strings(array, KEY, "ip").tolist() == wanted
    assert wanted[0] == 0
    assert sum(value == 0 for value in wanted) == 3


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.null()])
def test_columns_without_a_string(kind: pa.DataType) -> None:
    """An empty column gives nothing, a null column gives zeros, and so does one of empty strings."""
    assert digest_strings(pa.array([], kind), KEY, "d").tolist() == []
    assert digest_strings(pa.nulls(3, kind), KEY, "d").tolist() == [0, 0, 0]
    assert digest_strings(pa.array(["", ""], pa.string()), KEY, "d").tolist() == [0, 0]


def test_a_lone_surrogate_has_a_digest() -> None:
    """A string that cannot be UTF-8 is digested rather than refused."""
    assert digest_text(KEY, "d", "\ud800") not in (0, digest_text(KEY, "d", "\ud801"))
