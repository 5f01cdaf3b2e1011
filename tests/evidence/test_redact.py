"""Withholding hides and binds; opening shows what was withheld and nothing else."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.errors import ConfigError
from stillwatch.evidence.redact import chosen, commitment, withhold
from stillwatch.evidence.standalone import verify_package as check

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "ip", "c/~d"]), inner)
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_document(document: object) -> None:
    """What is withheld is gone, everything else stays, and each opening fits its commitment in the verifier too."""
    clean, openings = withhold(document, "d.json", {"ip"}, os.urandom)
    assert not _held(clean)
    assert len({o.where for o in openings}) == len(openings)
    assert withhold(document, "d.json", (), os.urandom) == (document, [])
    for o in openings:
        assert o.commitment == check.commitment(bytes.fromhex(o.salt), o.where, o.value)
        json.loads(o.value)


def _held(value: object) -> bool:
    if isinstance(value, dict):
        return any(
            (k == "ip" and v is not None and set(v) != {"withheld"}) or _held(v) for k, v in value.items()
        )
    return isinstance(value, list) and any(map(_held, value))


def test_guessing_every_address_says_nothing() -> None:
    """Everything that is published about a withheld address is tried against all addresses of its network: under every
    digest that a guesser could compute without the salt none fits; and equal addresses look different."""
    document = [{"ip": "198.51.100.7"}, {"ip": "198.51.100.7"}]
    clean, openings = withhold(document, "d.json", {"ip"}, os.urandom)
    published = json.dumps(clean) + json.dumps(
        [{"where": o.where, "commitment": o.commitment} for o in openings]
    )
    assert openings[0].commitment != openings[1].commitment
    known = {o.commitment for o in openings} | {o.commitment[:16] for o in openings}
    for address in ipaddress.ip_network("198.51.96.0/20"):
        value = f'"{address}"'
        for o in openings:
            data = o.where.encode() + b"\0" + value.encode()
            keys = (b"", bytes(32), o.where.encode(), value.encode(), bytes.fromhex(o.commitment))
            guesses = {hmac.new(k, data, hashlib.sha256).hexdigest() for k in keys}
            guesses |= {hashlib.sha256(x).hexdigest() for x in (data, value.encode(), str(address).encode())}
            assert not guesses & known
        assert str(address) not in published


def test_no_salt_is_used_twice_and_none_is_short() -> None:
    """HMAC pads short keys with zeros, so that two short salts could open to one commitment; only 32 bytes do."""
    _, openings = withhold([{"ip": n} for n in range(500)], "d.json", {"ip"}, os.urandom)
    assert len({o.salt for o in openings}) == 500
    for salt in (b"", bytes(31), bytes(33), bytes(64)):
        with pytest.raises(ValueError, match="32 bytes"):
            commitment(salt, "x", "1")
        with pytest.raises(check.Refused):
            check.commitment(salt, "x", "1")


def test_a_commitment_binds_its_place() -> None:
    """The value of one field cannot be shown as that of another."""
    salt = bytes(range(32))
    assert commitment(salt, "a", "1") != commitment(salt, "b", "1")
    assert commitment(salt, "a", "1") != commitment(salt, "a", "2")


def test_choosing_what_to_open() -> None:
    """By place, by everything under it, by a star for one step; a pattern that fits nothing is said."""
    rows = [{"ip": "x", "n": {"ip": "y"}}, {"ip": "z"}]
    _, openings = withhold(rows, "d.json", {"ip"}, os.urandom)
    where = [o.where for o in openings]
    assert sorted(where) == ["d.json#/0/ip", "d.json#/0/n/ip", "d.json#/1/ip"]
    assert [o.where for o in chosen(openings, ["d.json#/*/ip"])] == ["d.json#/0/ip", "d.json#/1/ip"]
    assert len(chosen(openings, ["d.json#/0"])) == 2
    for pattern in ("d.json#/2", "e.json", "d.json#/0/i"):
        with pytest.raises(ConfigError, match="nothing that was withheld"):
            chosen(openings, [pattern])
