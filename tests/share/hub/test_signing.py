"""A signature holds for one request, to one server, once, and in one form."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from stillwatch.errors import VerificationError
from stillwatch.share.hub import signing
from stillwatch.share.hub.signing import MemberKey

NOW = 1_800_000_000
ASKED = ("POST", "hub.example", "/hub/v1/feedback", "a=1", b'{"x": 1}')


@pytest.fixture
def key() -> MemberKey:
    """A key."""
    return MemberKey.new()


def test_what_was_signed_holds(key: MemberKey) -> None:
    """For the method, server, path, query and body that were signed."""
    headers = key.headers(*ASKED, NOW)
    assert signing.claimed(headers, NOW).key_id == signing.key_id(key.public)
    signing.check(headers, key.public, *ASKED)


@pytest.mark.parametrize(
    ("place", "other"),
    [(0, "GET"), (1, "holder.example"), (2, "/hub/v1/withdrawals"), (3, "a=2"), (4, b'{"x": 2}')],
)
def test_nothing_else_holds(key: MemberKey, place, other) -> None:
    """Not another method, path, query or body, and not another server: a key holder cannot pass it on."""
    headers = key.headers(*ASKED, NOW)
    asked: list[Any] = list(ASKED)
    asked[place] = other
    with pytest.raises(VerificationError):
        signing.check(headers, key.public, *asked)


@pytest.mark.parametrize("away", [-121, 121, -(10**9)])
def test_another_time_is_refused(key: MemberKey, away) -> None:
    """A request of two minutes ago, or of two minutes ahead, is not heard."""
    with pytest.raises(VerificationError, match="another time"):
        signing.claimed(key.headers(*ASKED, NOW + away), NOW)


@pytest.mark.parametrize(
    ("header", "was", "now"),
    [
        ("signature-input", 'alg="ed25519"', 'alg="none"'), ("signature-input", 'alg="ed25519"', 'alg="hmac-sha256"'),
        ("signature-input", '"@authority" ', ""), ("signature-input", '"content-digest"', '"date"'),
        ("signature-input", "stillwatch-hub-1", "stillwatch-hub-0"), ("signature-input", "sw=", "sw2="),
        ("signature-input", "sw=", "other=();created=1, sw="), ("signature", "sw=:", "sw=:AAAA"),
    ],
)  # fmt: skip
def test_another_form_is_not_interpreted(key: MemberKey, header, was, now) -> None:
    """Other algorithms, fewer parts, several signatures."""
    headers = key.headers(*ASKED, NOW)
    headers[header] = headers[header].replace(was, now)
    with pytest.raises(VerificationError):
        signing.claimed(headers, NOW)


def test_a_changed_number_or_time_breaks_it(key: MemberKey) -> None:
    """A heard request cannot be made a new one."""
    headers = key.headers(*ASKED, NOW)
    other = key.headers(*ASKED, NOW + 1)
    with pytest.raises(VerificationError):
        signing.check(headers | {"signature-input": other["signature-input"]}, key.public, *ASKED)
    with pytest.raises(VerificationError):
        signing.check(key.headers(*ASKED, NOW), MemberKey.new().public, *ASKED)


def test_the_signed_text_is_that_of_the_standard(key: MemberKey) -> None:
    """The signature base, written out by hand after RFC 9421 section 2.5, verifies with the key alone."""
    headers = key.headers(*ASKED, NOW)
    params = headers["signature-input"].removeprefix("sw=")
    base = (
        '"@method": POST\n"@authority": hub.example\n"@path": /hub/v1/feedback\n"@query": ?a=1\n'
        f'"content-digest": {headers["content-digest"]}\n"@signature-params": {params}'
    )
    raw = base64.b64decode(headers["signature"][4:-1])
    Ed25519PublicKey.from_public_bytes(signing.public_bytes(key.public)).verify(raw, base.encode())


def test_a_key_travels_as_one_file_and_one_line(key: MemberKey) -> None:
    """The private half comes back from its file; neither shows in text."""
    again = MemberKey.from_pem(key.pem())
    assert again.public == key.public and len(key.public) == 44
    assert "PRIVATE" not in repr(key) and key.public not in repr(key)
