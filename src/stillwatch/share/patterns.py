"""What another laboratory may look for, as a STIX pattern made from a typed value.

A value is parsed, never pasted: a pattern says what it was meant to say whatever a value holds. Wide networks, private
ones and documentation-only kinds are refused, because a pattern that hits half the world accuses it.

Limits: nothing here can know that an address is a university's, or the exit of a large service. A person says why it
belongs to the campaign, and every indicator ends.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from stillwatch.errors import ConfigError

WIDEST_V4, WIDEST_V6 = 24, 48
"""Prefix lengths: nothing wider is an indicator."""
_DOMAIN = re.compile(r"(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_JA4 = re.compile(r"[tqd](?:[0-9s][0-9d]|s[23]|d[123])[di][0-9]{4}[a-z0-9]{2}_[0-9a-f]{12}_[0-9a-f]{12}")
_AGENT = re.compile(r"[\x20-\x7e]{8,256}")


def pattern(kind: str, value: str) -> str:
    """The pattern of a value.

    Raises:
        ConfigError: no such kind, or the value is not of it; the value is not quoted.

    >>> pattern("asn", "AS64500")
    '[autonomous-system:number = 64500]'
    >>> pattern("user_agent", "it's 1.0")
    "[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = 'it\\\\'s 1.0']"
    """
    if kind not in KINDS:
        raise ConfigError(
            f"{kind!r} cannot be an indicator", hint=f"choose one of {', '.join(sorted(KINDS))}"
        )
    try:
        return KINDS[kind](value.strip())
    except ValueError as error:
        raise ConfigError(f"not usable as {kind}: {error}", hint="see the page on sharing") from None


def _asn(value: str) -> str:
    digits = value.upper().removeprefix("AS")
    if not re.fullmatch(r"[1-9][0-9]{0,9}", digits) or int(digits) >= 2**32:
        raise ValueError("an AS number is AS1 to AS4294967295")
    return f"[autonomous-system:number = {digits}]"


def _domain(value: str) -> str:
    if not _DOMAIN.fullmatch(value.lower()):
        raise ValueError("not a domain name; write other scripts in their xn-- form")
    return f"[domain-name:value = '{value.lower()}']"


def _v4(value: str) -> str:
    return _network(ipaddress.IPv4Network, value, WIDEST_V4, "ipv4-addr")


def _v6(value: str) -> str:
    return _network(ipaddress.IPv6Network, value, WIDEST_V6, "ipv6-addr")


def _network(
    kind: type[ipaddress.IPv4Network] | type[ipaddress.IPv6Network], value: str, widest: int, stix: str
) -> str:
    try:
        network = kind(value)
    except ValueError:
        raise ValueError("not an address, or a network whose host part is not zero") from None
    documentation = any(network.version == d.version and network.subnet_of(d) for d in _DOCUMENTATION)  # type: ignore[arg-type]  # one version
    if network.prefixlen < widest:
        raise ValueError(f"wider than /{widest}")
    if not network.is_global and not documentation:
        raise ValueError("not a public network")
    return f"[{stix}:value = '{network if network.prefixlen < network.max_prefixlen else network[0]}']"


_DOCUMENTATION = tuple(
    map(ipaddress.ip_network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"))
)
"""Networks that examples and tests use."""


def _ja4(value: str) -> str:
    if not _JA4.fullmatch(value):
        raise ValueError("not a JA4 fingerprint")
    return f"[network-traffic:x_ja4 = '{value}']"


def _agent(value: str) -> str:
    if not _AGENT.fullmatch(value):
        raise ValueError("8 to 256 printable characters")
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = '{escaped}']"


KINDS: dict[str, Callable[[str], str]] = {
    "asn": _asn, "domain": _domain, "ipv4": _v4, "ipv6": _v6, "ja4": _ja4, "user_agent": _agent,
}  # fmt: skip
