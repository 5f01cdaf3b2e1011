"""Keys: made on purpose, listed, rotated, revoked, never a default."""

from __future__ import annotations

from datetime import timedelta

import pytest

from stillwatch.errors import ConfigError, VerificationError
from stillwatch.evidence.keys import (
    Revocation,
    Role,
    SigningKey,
    keys_from,
    listed,
    may_sign,
    public_of,
    revoked,
    rows_of,
    verify_ed25519,
)
from tests.evidence.making import a_key
from tests.evidence.packing import DAY, key_rows

LATER = DAY + timedelta(days=1)


def test_a_key_goes_to_disk_and_back() -> None:
    """With and without a passphrase; the wrong one, none, or another kind of file is refused, and nothing is shown."""
    key = SigningKey.new()
    assert SigningKey.from_pem(key.pem()).public == key.public
    assert SigningKey.from_pem(key.pem(b"word"), b"word").public == key.public
    assert b"ENCRYPTED" in key.pem(b"word")
    for data, passphrase in ((key.pem(b"word"), b"other"), (key.pem(b"word"), None), (b"nonsense", None)):
        with pytest.raises(ConfigError):
            SigningKey.from_pem(data, passphrase)
    assert key.pem().hex() not in repr(key)
    assert SigningKey.new().key_id != key.key_id


def test_signatures() -> None:
    """Right for what was signed, by whom it was signed."""
    key = a_key()
    verify_ed25519(key.public, key.sign(b"x"), b"x", "text")
    for public, data in ((key.public, b"y"), (a_key("b").public, b"x"), (b"short", b"x")):
        with pytest.raises(VerificationError, match="text"):
            verify_ed25519(public, key.sign(b"x"), data, "text")


def test_the_list_survives_json_and_notices_damage() -> None:
    """A line whose key does not fit its id, or lacks a part, is damage."""
    rows = rows_of(key_rows())
    assert keys_from(rows) == key_rows()
    for bad in ({**rows[0], "key_id": rows[1]["key_id"]}, {**rows[0], "role": "king"}, {"key_id": "x"}):
        with pytest.raises(ConfigError):
            keys_from([bad])
    with pytest.raises(VerificationError):
        public_of("nonsense")


def test_who_may_sign() -> None:
    """Only a listed key, from its day on, until it is revoked."""
    rows = key_rows()
    assert may_sign(rows, rows[0].key_id, LATER).person == "A"
    with pytest.raises(ConfigError, match="not on the key list"):
        may_sign(rows, a_key("stranger").key_id, LATER)
    with pytest.raises(ConfigError, match="valid from"):
        may_sign(rows, rows[0].key_id, DAY - timedelta(days=1))
    gone = revoked(rows, rows[0].key_id[:8], Revocation.COMPROMISED, LATER)
    with pytest.raises(ConfigError, match="revoked"):
        may_sign(gone, rows[0].key_id, LATER)


def test_a_revocation_is_never_undone() -> None:
    """Nor is it given to a key that does not exist, or to several at once."""
    rows = key_rows()
    gone = revoked(rows, rows[0].key_id, Revocation.RETIRED, LATER, "next")
    assert (gone[0].revoked_as, gone[0].replaced_by, gone[1]) == (Revocation.RETIRED, "next", rows[1])
    with pytest.raises(ConfigError, match="was revoked"):
        revoked(gone, rows[0].key_id, Revocation.COMPROMISED, LATER)
    for which in ("", "zz"):
        with pytest.raises(ConfigError):
            revoked(rows, which, Revocation.RETIRED, LATER)


def test_a_new_line_names_person_role_and_day() -> None:
    """And a public key that OpenSSL reads."""
    row = listed(a_key(), "A. Rossi", Role.ACQUIRER, DAY)
    assert (row.person, row.role, row.valid_from) == ("A. Rossi", "acquirer", DAY.isoformat())
    assert public_of(row.public) == a_key().public
