"""Networks of proxies and gateways: whose word about somebody else's request is taken."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache


def networks(given: tuple[str, ...]) -> tuple[str, ...]:
    """The texts as they are; raises for one that is no network."""
    for text in given:
        try:
            ipaddress.ip_network(text)
        except ValueError:
            raise ValueError(f"{text!r} is no network: write it as 10.0.0.0/8 or ::1/128") from None
    return given


class Networks:
    """Tells whether an address is inside one of some networks.

    Example:
        >>> ours = Networks(["10.0.0.0/8"])
        >>> "10.1.2.3" in ours, "::ffff:10.1.2.3" in ours, "192.0.2.1" in ours, "nonsense" in ours
        (True, True, False, False)
    """

    def __init__(self, given: Iterable[str]) -> None:
        self._networks = tuple(ipaddress.ip_network(text) for text in given)
        self._known = lru_cache(maxsize=4096)(self._look_up)

    def __contains__(self, address: str) -> bool:
        return self._known(address)

    def _look_up(self, address: str) -> bool:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
            return any(found.ipv4_mapped in network for network in self._networks)
        return any(found in network for network in self._networks)


__all__ = ["Networks", "networks"]
