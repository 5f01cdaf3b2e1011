"""Whose a request is: only what the client cannot set alone may say so.

A gateway that is trusted by the address of its connection names the account in a header; or the account is the digest
of the API key, by the same name as in a scan of the logs; or, for a service without accounts, the client's address.
A request that names two is refused: the server behind would choose one of them, and it need not be the one looked at.

Examples
--------
>>> from stillwatch.settings import EnvoySettings, GatewaySettings
>>> who = Identity(GatewaySettings())
>>> who.caller(("127.0.0.1", 4711), [(b"x-account-id", b"acct-1"), (b"x-org-id", b"org-1")])
Caller(account_id='acct-1', org_id='org-1')
>>> who.caller(("203.0.113.9", 4711), [(b"x-account-id", b"acct-1"), (b"x-forwarded-for", b"127.0.0.1")])
Caller(account_id='', org_id=None)
>>> forwarded = [(b"x-forwarded-for", b"198.51.100.7, 203.0.113.9, 192.0.2.1")]
>>> behind_envoy(forwarded, EnvoySettings(account="address", forwarded_hops=1)).account_id
'203.0.113.9'
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from stillwatch.gateway.body import Refused
from stillwatch.ingest.client import key_digest
from stillwatch.settings import EnvoySettings, GatewaySettings
from stillwatch.settings.networks import Networks

Headers = Sequence[tuple[bytes, bytes]]
MOST_NAME = 256
"""Bytes of an account's or organisation's name; a longer one names nobody."""
TWO_KEYS = "this request carries two different keys: send one"
TWICE = "this request names its account twice: leave that to the gateway in front"
_CREDENTIALS = frozenset({b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose a request is. An empty account is nobody's: nothing that counts named one."""

    account_id: str
    org_id: str | None = None


NAMELESS = Caller("")


class Identity:
    """Reads who is billed from what a connection and its headers say."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._trusted = Networks(settings.trusted_proxies)
        self._account = settings.account_header.lower().encode()
        self._org = settings.org_header.lower().encode()
        self._by_key = settings.account_from == "credential"

    def trusted(self, peer: Any) -> bool:
        """Whether a connection comes from a gateway that may say whose a request is."""
        return isinstance(peer, (tuple, list)) and bool(peer) and str(peer[0]) in self._trusted

    def caller(self, peer: Any, headers: Headers) -> Caller:
        """Whose a request is. Raises `Refused` (400) where it names two."""
        if self._by_key:
            return by_credential(headers)
        return by_header(headers, self._account, self._org) if self.trusted(peer) else NAMELESS


def behind_envoy(headers: Headers, settings: EnvoySettings) -> Caller:
    """Whose a request is that Envoy sends on. Raises `Refused` (400) where it names two."""
    if settings.account == "credential":
        return by_credential(headers)
    if settings.account == "address":
        return by_address(headers, settings.forwarded_hops)
    org = settings.org_header.lower().encode() if settings.org_header else None
    return by_header(headers, settings.account_header.lower().encode(), org)


def by_header(headers: Headers, account: bytes, org: bytes | None) -> Caller:
    """As a trusted gateway names it; a header that is there twice is refused, since one may be the client's own."""
    if any(sum(name.lower() == wanted for name, _ in headers) > 1 for wanted in (account, org) if wanted):
        raise Refused(400, TWICE, code="two_accounts")
    name = only(headers, account)
    return Caller(name, (only(headers, org) or None) if org else None) if name else NAMELESS


def by_credential(headers: Headers) -> Caller:
    """The digest of the API key, the same as a scan makes; two different keys in one request are refused.

    >>> bearer, plain = [(b"authorization", b"Bearer sk-0123456789")], [(b"X-Api-Key", b"sk-0123456789")]
    >>> by_credential(bearer) == by_credential(plain)
    True
    """
    found = {
        key_digest({name.lower().decode(): value.decode("utf-8", "replace")})
        for name, value in headers
        if name.lower() in _CREDENTIALS
    } - {None}
    if len(found) > 1:
        raise Refused(400, TWO_KEYS, code="two_keys")
    return Caller(str(found.pop())) if found else NAMELESS


def by_address(headers: Headers, hops: int) -> Caller:
    """The entry of ``X-Forwarded-For`` that the outermost trusted proxy wrote: so many from the right.

    What stands left of it is the client's own claim. An IPv6 client owns a /64 and counts as one.
    """
    entries = [entry.strip() for entry in every(headers, b"x-forwarded-for").split(",")]
    if len(entries) <= hops:
        return NAMELESS
    try:
        found = ipaddress.ip_address(entries[-1 - hops].removeprefix("[").partition("]")[0])
    except ValueError:
        return NAMELESS
    found = getattr(found, "ipv4_mapped", None) or found
    if isinstance(found, ipaddress.IPv6Address):
        return Caller(str(ipaddress.IPv6Network((int(found) >> 64 << 64, 64))))
    return Caller(str(found))


def only(headers: Iterable[tuple[bytes, bytes]], wanted: bytes, most: int = MOST_NAME) -> str:
    """The value of a header that is there once and not longer than ``most``; else nothing."""
    found = [value for name, value in headers if name.lower() == wanted]
    if len(found) != 1 or len(found[0]) > most:
        return ""
    return found[0].strip().decode("utf-8", "replace")


def every(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> str:
    """All values of a header that is a list."""
    return ",".join(value.decode("utf-8", "replace") for name, value in headers if name.lower() == wanted)
