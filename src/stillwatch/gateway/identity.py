"""Whose a request is: only a gateway that is trusted by the address of its connection may say so.

Examples
--------
>>> from stillwatch.settings import GatewaySettings
>>> who = Identity(GatewaySettings(), None)
>>> who.caller(("127.0.0.1", 4711), [(b"x-account-id", b"acct-1"), (b"x-org-id", b"org-1")])
Caller(account_id='acct-1', org_id='org-1')
>>> who.caller(("203.0.113.9", 4711), [(b"x-account-id", b"acct-1"), (b"x-forwarded-for", b"127.0.0.1")])
Caller(account_id='', org_id=None)
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from stillwatch.errors import ConfigError
from stillwatch.settings import GatewaySettings

Headers = Sequence[tuple[bytes, bytes]]
MOST_NAME = 256
"""Bytes of an account's or organisation's name; a longer one names nobody."""
_CREDENTIALS = (b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key")


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose a request is. An empty account is nobody's: the gateway did not name one."""

    account_id: str
    org_id: str | None = None


NAMELESS = Caller("")


class Identity:
    """Reads who is billed from what a connection and its headers say."""

    def __init__(self, settings: GatewaySettings, secret: bytes | None) -> None:
        self._networks = tuple(ipaddress.ip_network(text) for text in settings.trusted_proxies)
        self._account = settings.account_header.lower().encode()
        self._org = settings.org_header.lower().encode()
        self._key: bytes | None = None
        if settings.account_from == "credential":
            if secret is None:
                raise ConfigError(
                    'gateway.account_from = "credential" needs the digest key',
                    hint="make one with `stillwatch key new --out stillwatch.key` and name it as privacy.key_file",
                )
            self._key = blake2b(secret, digest_size=32, person=b"sw-credential-1").digest()
        self._trusted = lru_cache(maxsize=4096)(self._look_up)

    def trusted(self, peer: Any) -> bool:
        """Whether a connection comes from a gateway that may say whose a request is."""
        return isinstance(peer, (tuple, list)) and bool(peer) and self._trusted(str(peer[0]))

    def caller(self, peer: Any, headers: Headers) -> Caller:
        """Whose a request is. A header given twice names nobody: one of the two may be the client's own."""
        if self._key is not None:
            return self._by_credential(headers)
        if not self.trusted(peer):
            return NAMELESS
        account = only(headers, self._account)
        return Caller(account, only(headers, self._org) or None) if account else NAMELESS

    def _by_credential(self, headers: Headers) -> Caller:
        given = [value for name, value in headers if name.lower() in _CREDENTIALS]
        if len(given) != 1 or self._key is None:
            return NAMELESS
        word, _, rest = given[0].strip().partition(b" ")
        credential = rest.strip() if word.lower() == b"bearer" else given[0].strip()
        if not credential:
            return NAMELESS
        return Caller("key:" + hmac.new(self._key, credential, "sha256").hexdigest()[:32])

    def _look_up(self, peer: str) -> bool:
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            return any(address.ipv4_mapped in network for network in self._networks)
        return any(address in network for network in self._networks)


def only(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> str:
    """The value of a header that is there once; else nothing."""
    found = [value for name, value in headers if name.lower() == wanted]
    if len(found) != 1 or len(found[0]) > MOST_NAME:
        return ""
    return found[0].strip().decode("utf-8", "replace")
