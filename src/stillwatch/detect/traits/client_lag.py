"""Client lag: how far behind its release curve a client stays."""

import ibis
import numpy as np
import pyarrow as pa

from stillwatch.detect.clients import KNOWN_CLIENTS
from stillwatch.detect.traffic import DAY, Traffic, value_digest
from stillwatch.detect.trait import Tokens, TokenTrait
from stillwatch.records import Family

_WEEKS = 0xFF
"""The low byte of a value: weeks behind. The rest is the digest of the client's name."""


def _base(traffic: Traffic, client: str) -> int:
    return value_digest(traffic, "client_lag", client) & ~_WEEKS


def extract(traffic: Traffic) -> Tokens:
    """(client, weeks since the version's successor came out) per exchange, for known releases."""
    if not traffic.client_releases:
        return Tokens.empty()
    t = traffic.table()
    known = {
        traffic.names.client.index[n]: n for n in traffic.client_releases if n in traffic.names.client.index
    }
    used = t.filter(t.client_version >= 0).select("client", "client_version").distinct()
    seen = traffic.fetch(used.order_by("client", "client_version"))
    out = []
    for client, version in zip(seen["client"].tolist(), seen["client_version"].tolist(), strict=True):
        if client in known:
            later = [at for other, at in traffic.client_releases[known[client]] if other > version]
            out += [(client, version, later[0])] if later else []
    if not out:
        return Tokens.empty()
    clients, versions, since = zip(*out, strict=True)
    stale = pa.table({"client": pa.array(clients, pa.int32()), "client_version": versions, "since": since})
    late = t.select("unit", "ts", "client", "client_version").join(
        traffic.engine.local(stale), ["client", "client_version"]
    )
    late = late.filter(late.ts >= late.since)
    weeks = ibis.least((late.ts - late.since) // (7 * DAY), 104)
    got = traffic.fetch(late.group_by("unit", "client", weeks=weeks).agg(count=late.count()))
    base = {client: _base(traffic, name) for client, name in known.items()}
    value = np.array([base[c] for c in got["client"].tolist()], np.int64) | got["weeks"]
    order = np.lexsort((value, got["unit"]))
    return Tokens(got["unit"][order].astype(np.int32), value[order], got["count"][order].astype(np.int64))


def label(traffic: Traffic, value: int) -> str:
    """Client and weeks behind."""
    known = {_base(traffic, name): name for name in traffic.client_releases if name in KNOWN_CLIENTS}
    return f"{known.get(value & ~_WEEKS, 'a client')} {value & _WEEKS} weeks behind"


TRAIT = TokenTrait(
    id="client_lag",
    title="Frozen client",
    family=Family.TIMING,
    needs=frozenset({"user_agent", "client_release.version"}),
    what="Weeks for which a client version has been superseded while an account still uses it.",
    null="Shared software (a pinned dependency is an honest habit): helps to attribute, never convicts.",
    looks_alike=("pinned dependencies", "an app that ships one SDK version to all its users"),
    source="Relays freeze the headers they first saw; their versions fall behind the release curve.",
    extract=extract,
    group="software",
    label=label,
)
