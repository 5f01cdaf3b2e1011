"""A scan's output folder and the logs it was made of, as clusters that can be joined with other members'.

The output folder holds no value that two members could compare: its digests are under the member's own key. So the logs
are read once more, and every trait is digested under a key that is published here. Such digests hide nothing by
themselves: they go into the blinded question and nowhere else. Values are what the traits of the scan see (a skeleton
of a prompt, not the prompt), so two members write the same thing the same way.

A value is taken when at least half of the accounts that show it are in the cluster: an office, a carrier or a popular
prompt that many others show joins nobody, and is not asked for. It still has its share of the evidence of those that
show it (see ``share.join.evidence``). Kinds are families of traits, since a rule that wants two kinds wants two that do
not depend on each other.

>>> clusters = clusters_of(run, ["logs"], ["accounts.parquet"], settings=settings, progress=progress)  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.detect.digest import Key, digest_text
from stillwatch.detect.network import digest_networks
from stillwatch.detect.traffic import Traffic
from stillwatch.errors import ConfigError
from stillwatch.records import ScanResult, Tier
from stillwatch.report.files import load_result
from stillwatch.settings import Settings
from stillwatch.share.join.clusters import Cluster
from stillwatch.share.join.contribution import FEWEST_ACCOUNTS
from stillwatch.share.join.evidence import every_part, parts
from stillwatch.share.join.tags import Value
from stillwatch.wiring.intake import Intake, load_traffic
from stillwatch.wiring.profile import Clock
from stillwatch.wiring.progress import Progress, staging
from stillwatch.wiring.refusals import Refusals
from stillwatch.wiring.sources import Span, split_sources

Rows = Mapping[str, np.ndarray]
JOIN_KEY = Key.derive(b"stillwatch-join-values-1: published")
"""Of every member, and public. Another number where the same trait would be digested otherwise."""
COLUMNS: dict[str, tuple[tuple[str, ...], int]] = {
    "address": (("net",), 1),
    "device": (("device",), 2),
    "content": (("sys", "tools", "head", "longest"), 2),
    "identity": (("email_domain",), 2),
}
"""Kind, the columns that are of it, and the fewest accounts of a cluster that show a value. Software is none of them:
every user of one build shows it. Of a prompt two columns are taken: more would count one common sentence many times."""
OWN_SHARE = 0.5
"""Of the accounts that show a value, the share that must be in the cluster: a scan may miss half of a network."""
_HINTS = ("act", "review", "watch", "none")


def clusters_of(
    run: Path, inputs: Sequence[str], accounts: Sequence[str] = (), *, settings: Settings, progress: Progress,
    format: str | None = None, mapping: Path | None = None, since: datetime | None = None,
    until: datetime | None = None, own_share: float = OWN_SHARE, also: Mapping[str, Sequence[str]] | None = None,
) -> tuple[Cluster, ...]:  # fmt: skip
    """The groups of a run that may be joined, with their values; smaller and authorised ones stay.

    Args:
        inputs: The logs that the run was made of. Feature files hold digests under another key and are refused.
        accounts: The account tables that the run was given; they add where accounts were opened, and e-mail domains.
        also: Groups of accounts that the run did not make, by name, for example those of a case; their standing is
            ``none``. An account that is in a group of the run stays there.

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
    members = _with(_members(result), also or {})
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
        Cluster(name, tuple(names), hints.get(name, "none"), p_values.get(name, 1.0), tuple(found[name]))
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


def _with(groups: dict[str, list[str]], also: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    taken = {account for names in groups.values() for account in names}
    for name, accounts in also.items():
        rest = [account for account in accounts if account not in taken]
        if name not in groups and len(rest) >= FEWEST_ACCOUNTS:
            groups[name] = rest
            taken.update(rest)
    return groups


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
    """The parts of evidence of each cluster."""
    code = {account: c for c, account in enumerate(traffic.names.account.names)}
    group = np.full(len(code), -1, np.int64)
    for n, accounts in enumerate(members.values()):
        group[[code[a] for a in accounts if a in code]] = n
    inside = np.flatnonzero(group >= 0)
    clustered = traffic.engine.local(
        pa.table({"acct": inside.astype(np.int32), "cluster": group[inside].astype(np.int32)})
    )
    sizes = [len(accounts) for accounts in members.values()]
    found: list[list[Value]] = [[] for _ in members]
    for kind, (columns, fewest) in COLUMNS.items():
        shown = {column: _shown(traffic, clustered, column) for column in columns}
        for n, shares in enumerate(_shares(shown, sizes, len(code), fewest, own_share)):
            found[n] += parts(kind, shares)
    return dict(zip(members, found, strict=True))


def _shown(traffic: Traffic, clustered: Any, column: str) -> Rows:
    """Which account of which cluster shows which value of a column, and how many accounts of all show it."""
    frame = traffic.accounts
    kept = {"net": frame.signup_net, "email_domain": np.where(frame.free_mail, 0, frame.email_domain)}
    t = traffic.table()
    pairs: Any = None
    if column in t.columns:
        here = t.filter(t[column] != 0)
        pairs = here.select(acct=here["acct"].cast("int32"), value=here[column].cast("int64")).distinct()
    if column in kept:
        at = np.flatnonzero(kept[column])
        told = traffic.engine.local(pa.table({"acct": at.astype(np.int32), "value": kept[column][at]}))
        pairs = told if pairs is None else pairs.union(told, distinct=True)
    everybody = pairs.group_by("value").agg(total=pairs.count())
    both = pairs.inner_join(clustered, "acct").inner_join(everybody, "value")
    return traffic.fetch(
        both.select("acct", "cluster", "value", "total").order_by("cluster", "value", "acct")
    )


def _shares(
    shown: Mapping[str, Rows], sizes: Sequence[int], accounts: int, fewest: int, own_share: float
) -> list[dict[bytes, float]]:
    """Of each cluster, what share of its evidence of a kind each value has that is its own."""
    values_of = np.zeros(accounts, np.int64)
    for rows in shown.values():
        np.add.at(values_of, rows["acct"], 1)
    found: list[dict[bytes, float]] = [{} for _ in sizes]
    for column, rows in shown.items():
        if not len(rows["acct"]):
            continue
        new = (np.diff(rows["cluster"], prepend=-1) != 0) | (np.diff(rows["value"], prepend=0) != 0)
        new[0] = True
        start = np.flatnonzero(new)
        within = np.diff(np.append(start, len(new)))
        weight = np.add.reduceat(1.0 / values_of[rows["acct"]], start)
        for at in np.flatnonzero((within >= fewest) & (within >= rows["total"][start] * own_share)):
            n, value = int(rows["cluster"][start[at]]), int(rows["value"][start[at]])
            found[n][value_of(column, value)] = float(weight[at]) / sizes[n]
    return found


def value_of(column: str, digest: int) -> bytes:
    """A value as all members write it: the name of its column and eight bytes."""
    return column.encode() + b":" + digest.to_bytes(8, "big", signed=True)


def unused(kind: str, text: str) -> tuple[Value, ...]:
    """All parts of an address, a device or a mail domain that no traffic has, written as members write it.

    Raises:
        ConfigError: another kind: nobody tries out whole prompts.
    """
    if kind == "address":
        address = text.partition("/")[0]
        return every_part(kind, value_of("net", int(digest_networks(pa.array([address]), JOIN_KEY)[0])))
    column = {"device": "device", "identity": "email_domain"}.get(kind)
    if column is None:
        raise ConfigError(f"no value of kind {kind!r} can be planted", hint="address, device or identity")
    return every_part(
        kind, value_of(column, digest_text(JOIN_KEY, column, text.lower() if kind == "identity" else text))
    )


__all__ = ["JOIN_KEY", "clusters_of", "unused", "value_of"]
