"""Any shared attribute: accounts joined by a payment instrument, organisation, /24 or TLS fingerprint they share.

The rule of Glasswally's hydra clusters, with its published weights, read from the contract's own fields. An account
with at least two neighbours forms a cluster, clusters only ever merge, and no value is too common to count: one
popular client joins everybody who uses it.

What is not in the contract is left out: HTTP/2 settings (0.12) and several cards for one account (0.25). Two rules work
on the first letters of a *hash* and mean nothing, and one adds suspicion to a country; both are kept because they are
what the method does, and neither is endorsed here.

References
----------
m0rs3c0d3/Glasswally, commit 300eedc: ``state/window.rs`` (clusters), ``workers/hydra.rs`` (score),
``engine/fusion.rs`` (confidence).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.lab.baselines.baseline import I64, Baseline, Group, Result, result
from stillwatch.lab.baselines.frame import LogFrame, codes
from stillwatch.lab.baselines.graph import members, sharing

LEAST_ACCOUNTS = 3
"""A smaller cluster scores zero in the published rule."""


def _subnets(frame: LogFrame) -> pa.ChunkedArray:
    """First three parts of an IPv4 address; null for anything else, as published."""
    ip = frame.table["client_ip"]
    found = pc.extract_regex(ip, r"^(?P<net>[^.]*\.[^.]*\.[^.]*)\.[^.]*$")
    return pc.struct_field(found, "net")


def _payments(frame: LogFrame) -> list[str | None]:
    values: list[str | None] = frame.people["payment_digest"].to_pylist()
    return values


def hydra_score(
    size: int, subnets: int, countries: Iterable[str], payments: Iterable[str | None], exchanges: int
) -> float:
    """The published score of a cluster, weighted with its confidence (exchanges / 100, at most 1). 0 to 1.

    >>> round(hydra_score(25, 5, ["US"], ["pay_a"] * 25, 1000), 2)
    0.77
    """
    if size < LEAST_ACCOUNTS:
        return 0.0
    cards = Counter(p for p in payments if p)
    score = min(size / 25.0, 1.0) * 0.40
    score += min(len(cards) * 0.07, 0.35) + min(subnets * 0.03, 0.15)
    score += 0.10 if "CN" in set(countries) else 0.0
    most = max(Counter(p[:3] for p in cards).values(), default=0)
    score += 0.20 if most >= 3 and most / max(len(cards), 1) >= 0.40 else 0.0
    score += 0.15 if max(cards.values(), default=0) >= 4 else 0.0
    virtual = max(Counter(p[:2] for p in cards).values(), default=0)
    score += 0.12 if len(cards) >= 4 and virtual >= 4 else 0.0
    confidence = min(exchanges / 100.0, 1.0)
    return min(score, 1.0) * (0.4 + 0.6 * confidence)


def run(frame: LogFrame) -> Result:
    """Score: the published cluster score. Flags every member of a cluster of at least three, as a cluster takedown
    does."""
    size = len(frame.accounts)
    net = codes(_subnets(frame))
    labels = _clusters(frame, net)
    scores = np.zeros(size)
    groups = []
    payments = _payments(frame)
    counts = frame.counts()
    by_label = _collect(labels, frame, net)
    for group in members(labels, np.ones(size, dtype=np.bool_), LEAST_ACCOUNTS):
        nets, countries = by_label.get(int(labels[group[0]]), (0, set()))
        chosen = list(group)
        score = hydra_score(
            len(group), nets, countries, [payments[a] for a in group], int(counts[chosen].sum())
        )
        scores[chosen] = score
        groups.append(Group(group, "joined by a payment, organisation, /24 or TLS fingerprint"))
    return result(scores, groups)


def _clusters(frame: LogFrame, net: I64) -> I64:
    """A label per account, by every attribute at once."""
    size = len(frame.accounts)
    everyone = np.arange(size)
    owners, values, shift = [], [], 0
    for owner, value in (
        (everyone, codes(frame.people["payment_digest"])),
        (everyone, codes(frame.people["org_id"])),
        (frame.account, net),
        (frame.account, frame.codes("tls_fingerprint")),
    ):
        known = value >= 0
        owners.append(owner[known])
        values.append(value[known] + shift)
        shift += int(value.max(initial=-1)) + 1
    return sharing(size, np.concatenate(owners), np.concatenate(values))


def _collect(labels: I64, frame: LogFrame, net: I64) -> dict[int, tuple[int, set[str]]]:
    """Per cluster: distinct subnets, and countries seen."""
    country = frame.codes("client_country")
    names = frame.table["client_country"].combine_chunks().dictionary_encode().dictionary.to_pylist()
    nets: Counter[int] = Counter()
    where: dict[int, set[str]] = {}
    label = labels[frame.account]
    for cluster, value in np.unique(np.column_stack([label, net]), axis=0).tolist():
        nets[cluster] += value >= 0
    for cluster, value in np.unique(np.column_stack([label, country]), axis=0).tolist():
        if value >= 0:
            where.setdefault(cluster, set()).add(names[value])
    return {c: (nets[c], where.get(c, set())) for c in nets}


BASELINE = Baseline(
    id="shared_attribute",
    title="Clusters by any shared attribute",
    version="1",
    source="m0rs3c0d3/Glasswally at 300eedc (hydra worker)",
    needs=(),
    run=run,
)
