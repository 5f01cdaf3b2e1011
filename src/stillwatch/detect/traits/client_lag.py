"""Client lag: how far behind its release curve a client stays."""

import numpy as np

from stillwatch.detect.trait import Tokens, TokenTrait
from stillwatch.detect.traffic import DAY, Traffic
from stillwatch.records import Family


def extract(traffic: Traffic) -> Tokens:
    """(client, weeks between the version's successor and the last use of the version), for known releases."""
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
        weeks = np.clip((ts[rows] - times[at]) // (7 * DAY), 0, 104)
        units.append(unit[rows])
        values.append((code + 1) * 1000 + weeks)
    if not units:
        return Tokens.empty()
    pairs, count = np.unique(
        np.stack([np.concatenate(units).astype(np.int64), np.concatenate(values)]), axis=1, return_counts=True
    )
    return Tokens(pairs[0].astype(np.int32), pairs[1].astype(np.int64), count.astype(np.int64))


def label(traffic: Traffic, value: int) -> str:
    """Client and weeks behind."""
    return f"{traffic.names.client.names[value // 1000 - 1]} {value % 1000} weeks behind"


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
