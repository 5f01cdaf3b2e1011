"""Leads against exchanges: lines of logs as they are, and feature files by the digests of what leads name.

A feature file holds no address and no user agent, but digests of them under our own key. A lead's value has its digest
under the same key, so that it is found there without the log. An IPv4 block below a /24 is looked for address by
address; an IPv6 block between a /48 and one address cannot be.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.detect.digest import Key, digest_strings, digest_text
from stillwatch.detect.network import network_of
from stillwatch.records.leads import Lead, LeadMatch, Reliability

COLUMNS = {"asn": "client_asn", "ja4": "tls_fingerprint", "user_agent": "user_agent"}
FEATURES = ("acct", "ip", "net", "ua", "tls", "asn", "ts")
"""Columns of a feature file that are read."""
MOST_ADDRESSES = 2**20
"""Addresses that are looked for one by one: nobody who shares blocks makes a search as long as they like."""
_DIGESTS = {"ja4": "tls", "user_agent": "ua"}
_WHOLE_NETWORK = {4: 24, 6: 48}
"""Prefix of the networks that features know, by version of the protocol."""


class Look:
    """Counts where leads are met, batch by batch."""

    def __init__(self, leads: Sequence[Lead]) -> None:
        self.leads = leads
        self.accounts: set[str] = set()
        self.unseeable = 0
        """Leads that feature files cannot show."""
        self._met: dict[int, dict[str, int]] = {n: {} for n in range(len(leads))}
        self._exact: dict[str, dict[Any, list[int]]] = {}
        self._nets: dict[tuple[int, int], dict[int, list[int]]] = {}
        self._digests: dict[str, dict[int, list[int]]] = {}
        for n, lead in enumerate(leads):
            if lead.kind in ("ipv4", "ipv6"):
                net = ipaddress.ip_network(lead.value)
                place = self._nets.setdefault((net.version, net.prefixlen), {})
                place.setdefault(int(net.network_address), []).append(n)
            else:
                self._exact.setdefault(COLUMNS[lead.kind], {}).setdefault(_plain(lead), []).append(n)
        self._of_address = lru_cache(65_536)(self._address)

    def at(self, batch: pa.RecordBatch) -> None:
        """Look at a batch of exchanges."""
        names = batch.column("account_id").to_pylist()
        self.accounts.update(names)
        for column, values in self._exact.items():
            for name, value in zip(names, batch.column(column).to_pylist(), strict=True):
                self._count(name, values.get(value, ()))
        if self._nets:
            for name, value in zip(names, batch.column("client_ip").to_pylist(), strict=True):
                if value is not None:
                    self._count(name, self._of_address(value))

    def under(self, key: Key) -> None:
        """Prepare for feature files whose digests were made under this key."""
        self._digests, self.unseeable = {}, 0
        left = MOST_ADDRESSES
        for n, lead in enumerate(self.leads):
            column, values = _digests_of(lead, key, left)
            self.unseeable += not values
            left -= len(values) if column == "ip" else 0
            for value in values:
                self._digests.setdefault(column, {}).setdefault(value, []).append(n)

    def at_features(self, batch: pa.RecordBatch) -> None:
        """Look at a batch of a feature file, after `under`."""
        accounts = batch.column("acct").cast(pa.string())
        self.accounts.update(name for name in accounts.unique().to_pylist() if name)
        for column, wanted in self._digests.items():
            values = batch.column(column).to_numpy(zero_copy_only=False)
            for row in np.flatnonzero(np.isin(values, np.fromiter(wanted, np.int64, len(wanted)))):
                if name := accounts[int(row)].as_py():
                    self._count(name, wanted[int(values[row])])

    def _count(self, account: str, leads: Iterable[int]) -> None:
        for n in leads:
            self._met[n][account] = self._met[n].get(account, 0) + 1

    def _address(self, text: str) -> tuple[int, ...]:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return ()
        found: list[int] = []
        for (version, length), place in self._nets.items():
            if version == address.version:
                shift = address.max_prefixlen - length
                found += place.get(int(address) >> shift << shift, ())
        return tuple(found)

    def matches(self, reliable: Mapping[str, float]) -> list[LeadMatch]:
        """What was met, the most telling first."""
        made = [
            LeadMatch(
                lead, reliable[lead.source], tuple(sorted(self._met[n])), sum(self._met[n].values()),
                len(self.accounts), Reliability(reliable[lead.source]).bits(len(self._met[n]), len(self.accounts)),
            )
            for n, lead in enumerate(self.leads) if self._met[n]
        ]  # fmt: skip
        return sorted(made, key=lambda m: (-m.bits, m.lead.object_id))


def _plain(lead: Lead) -> Any:
    return int(lead.value.upper().removeprefix("AS")) if lead.kind == "asn" else lead.value


def _digests_of(lead: Lead, key: Key, most: int) -> tuple[str, list[int]]:
    """Column of a feature file, and what stands there when it shows the lead; nothing when no column can."""
    if lead.kind == "asn":
        return "asn", [number] if (number := _plain(lead)) > 0 else []  # what is missing has a number too
    if lead.kind in _DIGESTS:
        column = _DIGESTS[lead.kind]
        return column, [digest_text(key, column, lead.value)]
    net = ipaddress.ip_network(lead.value)
    whole = _WHOLE_NETWORK[net.version]
    if net.prefixlen == whole:
        return "net", [digest_text(key, "net", network_of(str(net.network_address)))]
    if net.prefixlen < whole or (net.version == 6 and net.prefixlen < 128):
        return "net", []
    if net.num_addresses > most:
        return "ip", []
    return "ip", digest_strings(pa.array(map(str, net), pa.string()), key, "ip").tolist()


__all__ = ["FEATURES", "Look"]
