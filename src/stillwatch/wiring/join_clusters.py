"""A scan's output folder and the logs it was made of, as clusters that can be joined with other members'.

The output folder holds no value that two members could compare: its digests are under the member's own key. So the logs
are read once more, and every trait is digested under a key that is published here. Such digests hide nothing by
themselves: they go into the blinded question and nowhere else. Values are what the traits of the scan see (a skeleton
of a prompt, not the prompt), so two members write the same thing the same way.

A value is taken when at least half of the accounts that show it are in the cluster: an office, a carrier or a popular
client that many others show joins nobody, and is not asked for. Kinds are families of traits, since a rule that wants
two kinds wants two that do not depend on each other.

>>> clusters = clusters_of(run, ["logs"], ["accounts.parquet"], settings=settings, progress=progress)  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.detect.digest import Key
from stillwatch.detect.kernel import COLUMNS
from stillwatch.detect.traffic import Traffic
from stillwatch.errors import ConfigError
from stillwatch.records import ScanResult, Tier
from stillwatch.report.files import load_result
from stillwatch.settings import Settings
from stillwatch.share.join.clusters import Cluster
from stillwatch.share.join.contribution import FEWEST_ACCOUNTS
from stillwatch.share.join.tags import Value
from stillwatch.wiring.intake import Intake, load_traffic
from stillwatch.wiring.profile import Clock
from stillwatch.wiring.progress import Progress, staging
from stillwatch.wiring.refusals import Refusals
from stillwatch.wiring.sources import Span, split_sources

JOIN_KEY = Key.derive(b"stillwatch-join-values-1: published")
"""Of every member, and public. Another number where the same trait would be digested otherwise."""
KINDS: dict[str, tuple[tuple[str, ...], int]] = {
    "address": (("net",), 1),
    "client": (("ua", "hdr", "tls", "device"), 2),
    "content": (("sys", "tools", *COLUMNS), 2),
}
"""Kind, the columns of features that are of it, and the fewest accounts of a cluster that show a value."""
MOST_OF_A_KIND = 1000
"""Values of one kind of one cluster, those of most accounts first."""
OWN_SHARE = 0.5
"""Of the accounts that show a value, the share that must be in the cluster."""
_HINTS = ("act", "review", "watch", "none")


def clusters_of(
    run: Path, inputs: Sequence[str], accounts: Sequence[str] = (), *, settings: Settings, progress: Progress,
    format: str | None = None, mapping: Path | None = None, since: datetime | None = None,
    until: datetime | None = None, own_share: float = OWN_SHARE,
) -> tuple[Cluster, ...]:  # fmt: skip
    """The groups of a run that may be joined, with their values; smaller and authorised ones stay.

    Args:
        inputs: The logs that the run was made of. Feature files hold digests under another key and are refused.
        accounts: The account tables that the run was given; they add where accounts were opened, and e-mail domains.

    Raises:
        ConfigError: feature files among the inputs.
        SourceError: not the output of a scan, or unusable logs.
    """
    result = load_result(run)
    span = Span(since, until)
    if "-" in inputs:
        raise ConfigError("the logs are read again for this", hint="name files, not standard input")
    if digests := split_sources(inputs, span)[0]:
        raise ConfigError(
            f"{digests[0].name} holds features under your own key, which nobody else can compare",
            hint="name the logs themselves",
        )
    members = _members(result)
    if not members:
        return ()
    with ExitStack() as stack:
        spill = stack.enter_context(staging(None))
        refused = stack.enter_context(Refusals(Path(spill) / "refused"))
        intake = Intake(inputs, settings, JOIN_KEY, format=format, mapping=mapping, stdin=None, progress=progress,
                        refused=refused, span=span)  # fmt: skip
        traffic, _ = load_traffic(
            intake, settings, spill, accounts=accounts, releases=None, client_releases=None, clock=Clock(progress)
        )  # fmt: skip
        stack.callback(traffic.engine.close)
        progress.step("traits of clusters")
        found = _values(traffic, members, own_share)
    hints = _standing(result)
    p_values = {c.campaign_id: 1.0 if c.p_value is None else c.p_value for c in result.campaigns}
    return tuple(
        Cluster(name, len(names), hints.get(name, "none"), p_values[name], tuple(found[name]))
        for name, names in members.items()
        if found.get(name)
    )


def _members(result: ScanResult) -> dict[str, list[str]]:
    """Accounts by group, each in the group that holds it most firmly; groups that may be joined alone."""
    mine: dict[str, tuple[float, str]] = {}
    open_ones = {c.campaign_id for c in result.campaigns if not c.granted}
    for m in result.members:
        if m.tier is not Tier.WATCH and m.campaign_id in open_ones:
            firm = (m.membership_bits, m.campaign_id)
            mine[m.account_id] = max(mine.get(m.account_id, firm), firm)
    groups: dict[str, list[str]] = {}
    for account, (_, group) in sorted(mine.items()):
        groups.setdefault(group, []).append(account)
    return {name: names for name, names in sorted(groups.items()) if len(names) >= FEWEST_ACCOUNTS}


def _standing(result: ScanResult) -> dict[str, str]:
    best: dict[str, str] = {}
    rows = result.accounts.select(["campaign_id", "disposition_hint"]).group_by(
        ["campaign_id", "disposition_hint"]
    )
    for row in rows.aggregate([]).to_pylist():
        group, hint = row["campaign_id"], row["disposition_hint"] or "none"
        if group is not None:
            best[group] = min(best.get(group, hint), hint, key=_HINTS.index)
    return best


def _values(traffic: Traffic, members: dict[str, list[str]], own_share: float) -> dict[str, list[Value]]:
    names = list(members)
    code = {account: c for c, account in enumerate(traffic.names.account.names)}
    group = np.full(len(code), -1, np.int64)
    for n, accounts in enumerate(members.values()):
        group[[code[a] for a in accounts if a in code]] = n
    inside = np.flatnonzero(group >= 0)
    clustered = traffic.engine.local(
        pa.table({"acct": inside.astype(np.int32), "cluster": group[inside].astype(np.int32)})
    )
    chosen: dict[tuple[int, str], dict[bytes, int]] = {}
    for kind, (columns, fewest) in KINDS.items():
        for column in columns:
            _take(chosen, kind, column, _shown(traffic, clustered, column, fewest, own_share))
    frame = traffic.accounts
    _take(chosen, "address", "net", _kept(group, frame.signup_net, 1, own_share))
    domains = np.where(frame.free_mail, 0, frame.email_domain)
    _take(chosen, "identity", "email_domain", _kept(group, domains, 2, own_share))
    out: dict[str, list[Value]] = {}
    for (n, kind), counted in sorted(chosen.items()):
        best = sorted(counted, key=lambda value: (-counted[value], value))[:MOST_OF_A_KIND]
        out.setdefault(names[n], []).extend(Value(kind, value) for value in best)
    return out


def _take(
    chosen: dict[tuple[int, str], dict[bytes, int]], kind: str, column: str, rows: list[tuple[int, int, int]]
) -> None:
    """Enter rows of (cluster, digest, accounts)."""
    for n, digest, accounts in rows:
        value = column.encode() + b":" + int(digest).to_bytes(8, "big", signed=True)
        counted = chosen.setdefault((int(n), kind), {})
        counted[value] = max(counted.get(value, 0), int(accounts))


def _shown(
    traffic: Traffic, clustered: Any, column: str, fewest: int, own_share: float
) -> list[tuple[int, int, int]]:
    """Values of a column of exchanges that belong to one cluster: its own, and not many others'."""
    t = traffic.table()
    pairs: Any = t.filter(t[column] != 0).select("acct", value=t[column].cast("int64")).distinct()
    theirs = pairs.inner_join(clustered, "acct")
    theirs = theirs.group_by("cluster", "value").agg(accounts=theirs.count())
    theirs = theirs.filter(theirs.accounts >= fewest)
    everybody = pairs.group_by("value").agg(total=pairs.count())
    both = theirs.inner_join(everybody, "value")
    got = traffic.fetch(
        both.filter(both.accounts >= both.total * own_share)
        .select("cluster", "value", "accounts")
        .order_by("cluster", "value")
    )
    return list(zip(got["cluster"].tolist(), got["value"].tolist(), got["accounts"].tolist(), strict=True))


def _kept(group: np.ndarray, values: np.ndarray, fewest: int, own_share: float) -> list[tuple[int, int, int]]:
    """The same for a column of accounts."""
    total: dict[int, int] = {}
    mine: dict[tuple[int, int], int] = {}
    for n, value in zip(group.tolist(), values.tolist(), strict=True):
        if value:
            total[value] = total.get(value, 0) + 1
            if n >= 0:
                mine[n, value] = mine.get((n, value), 0) + 1
    return [
        (n, value, accounts)
        for (n, value), accounts in sorted(mine.items())
        if accounts >= fewest and accounts >= total[value] * own_share
    ]


__all__ = ["JOIN_KEY", "clusters_of"]
