"""Client lag: how far behind its release curve a client stays."""

import numpy as np

from stillwatch.detect.features import KNOWN_CLIENTS
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
    client, version = traffic.column("client"), traffic.column("client_version")
    unit, ts = traffic.column("unit"), traffic.column("ts")
    units, values = [], []
    for name, releases in traffic.client_releases.items():
        code = traffic.names.client.index.get(name)
        if code is None:
            continue
        rows = np.flatnonzero((client == code) & (version >= 0))
        versions = np.array([v for v, _ in releases])
        times = np.array([t for _, t in releases])
        at = np.searchsorted(versions, version[rows], side="right")
        stale = at < len(versions)
        rows, at = rows[stale], at[stale]
        stale = ts[rows] >= times[at]
        rows, at = rows[stale], at[stale]
        weeks = np.minimum((ts[rows] - times[at]) // (7 * DAY), 104)
        units.append(unit[rows])
        values.append(_base(traffic, name) | weeks)
    if not units:
        return Tokens.empty()
    pairs, count = np.unique(
        np.stack([np.concatenate(units).astype(np.int64), np.concatenate(values)]), axis=1, return_counts=True
    )
    return Tokens(pairs[0].astype(np.int32), pairs[1].astype(np.int64), count.astype(np.int64))


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
