"""Whose request it is, from what the trusted gateway says. Nothing that a client can set alone is believed.

>>> settings = EnvoySettings(account="address", forwarded_hops=1)
>>> account_of(Headers([("x-forwarded-for", "198.51.100.7, 203.0.113.9, 192.0.2.1")]), settings)
'203.0.113.9'
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from stillwatch.ingest.client import key_digest
from stillwatch.settings import EnvoySettings

_MOST_NAME = 256
"""Characters of an account's name; it goes into the log."""


class Headers:
    """The headers of one message by lower-case name, with every value that came."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._held: dict[str, list[str]] = {}
        for name, value in pairs:
            self._held.setdefault(name.lower(), []).append(value)

    def one(self, name: str) -> str:
        """The value of a header; empty when it is missing, or came more than once: nobody knows which counts."""
        values = self._held.get(name, [])
        return values[0].strip() if len(values) == 1 else ""

    def all(self, name: str) -> str:
        """All values of a header that is a list."""
        return ",".join(self._held.get(name, []))

    def names(self) -> Iterable[str]:
        """The names that came."""
        return self._held.keys()

    def flat(self) -> dict[str, str]:
        """The headers that came once."""
        return {name: values[0] for name, values in self._held.items() if len(values) == 1}


def account_of(headers: Headers, settings: EnvoySettings) -> str:
    """The account; empty when nothing that counts says who it is."""
    if settings.account == "header":
        return _named(headers.one(settings.account_header.lower()))
    if settings.account == "credential":
        return key_digest(headers.flat()) or ""
    return _address(headers.all("x-forwarded-for"), settings.forwarded_hops)


def organisation_of(headers: Headers, settings: EnvoySettings) -> str | None:
    """The organisation that the gateway names, if it is told to."""
    return _named(headers.one(settings.org_header.lower())) or None if settings.org_header else None


def _named(value: str) -> str:
    return value if len(value) <= _MOST_NAME else ""


def _address(forwarded: str, hops: int) -> str:
    """The entry that the outermost trusted proxy wrote: so many from the right. What stands left of it is a claim.

    An IPv6 client owns a /64 and counts as one.
    """
    entries = [entry.strip() for entry in forwarded.split(",")]
    if len(entries) <= hops:
        return ""
    try:
        found = ipaddress.ip_address(entries[-1 - hops].removeprefix("[").partition("]")[0])
    except ValueError:
        return ""
    found = getattr(found, "ipv4_mapped", None) or found
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((int(found) >> 64 << 64, 64)))
    return str(found)
