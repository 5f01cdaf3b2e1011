"""The traffic of one scan as detect sees it: features in an engine, accounts as arrays, units, releases."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.detect.digest import Key, digest_strings, digest_text
from stillwatch.detect.features import FEATURE_SCHEMA, MISSING, Featurizer, Names
from stillwatch.detect.lexicon import Lexicon
from stillwatch.detect.network import digest_networks
from stillwatch.detect.tables import Columns, Engine, fetched
from stillwatch.records import ACCOUNT_SCHEMA

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
ROW_GROUP = 122_880
"""Rows of one row group of DuckDB."""
UNKNOWN_TIME = np.iinfo(np.int64).min

FREE_MAIL = frozenset(
    "gmail.com googlemail.com outlook.com hotmail.com live.com yahoo.com icloud.com me.com proton.me "
    "protonmail.com gmx.de gmx.net web.de mail.ru yandex.ru qq.com 163.com 126.com sina.com foxmail.com "
    "naver.com daum.net hanmail.net aol.com zoho.com fastmail.com orange.fr free.fr libero.it".split()
)
"""Mail providers anyone may use; sharing one says nothing."""

REGION = {code: index for index, codes in enumerate((
    "US CA MX BR AR CL CO PE VE EC UY PY BO",
    "GB IE FR DE ES IT NL BE PT AT CH SE NO DK FI PL CZ RO HU GR UA RU TR IL ZA NG KE EG MA SA AE",
    "CN JP KR TW HK SG MY TH VN PH ID IN PK BD LK AU NZ MO KZ",
)) for code in codes.split()}  # fmt: skip
"""Country to region of like day rhythm: Americas 0, Europe and Africa 1, Asia and Pacific 2."""


@dataclass
class AccountFrame:
    """The account table as arrays over account codes; digests 0 and codes -1 when missing."""

    created: np.ndarray
    payment: np.ndarray
    email_domain: np.ndarray
    free_mail: np.ndarray
    phone: np.ndarray
    signup_net: np.ndarray
    programme: np.ndarray
    status: np.ndarray
    """0 unknown, 1 active, 2 suspended, 3 banned."""
    status_changed: np.ndarray
    verified: np.ndarray
    """True for verification ``identity`` or ``business``."""
    region: np.ndarray
    org: np.ndarray
    known: np.ndarray
    """True for accounts that have a row."""


@dataclass
class Traffic:
    """Everything a trait may look at."""

    engine: Engine
    """Its table ``exchange`` holds FEATURE_SCHEMA plus ``seq``, ``unit``, ``family`` and ``payload``."""
    key: Key
    lexicon: Lexicon
    names: Names
    accounts: AccountFrame
    unit: np.ndarray
    """int32[accounts]: unit of each account."""
    n_units: int
    unit_order: np.ndarray
    """uint64[units]: keyed hash that orders units without looking at data."""
    unit_region: np.ndarray
    start: int
    end: int
    """Half-open window in microseconds."""
    n_exchanges: int
    present: frozenset[str]
    """Contract fields seen in the input."""
    releases: dict[int, int] = field(default_factory=dict)
    """Model code to release time."""
    client_releases: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """Client name to (packed version, release time), sorted by version."""
    duplicates: int = 0
    sampling_labels: dict[int, str] = field(default_factory=dict)
    cache: dict[str, Any] = field(default_factory=dict)
    threads: int = 1
    """How many threads numeric steps may take."""

    @property
    def middle(self) -> int:
        """Median exchange time: the border between the two time blocks."""
        if "middle" not in self.cache:
            self.cache["middle"] = _median(self) if self.n_exchanges else 0
        return int(self.cache["middle"])

    def table(self) -> Any:
        """The exchange table as an expression."""
        return self.engine.table("exchange")

    def fetch(self, expression: Any) -> dict[str, np.ndarray]:
        """The result of an expression as arrays by column name."""
        return fetched(self.engine, expression)

    def column(self, name: str) -> np.ndarray:
        """One column of the exchange table in row order, which is that of ``seq``.

        As long as the traffic: for what no expression can say. Everything else asks for groups, or for a few rows.
        """
        return self.engine.column("exchange", name)

    @property
    def heft(self) -> np.ndarray:
        """int64[units]: accounts of a household; a declared organisation counts once however many it has."""
        if "heft" not in self.cache:
            accounts = np.bincount(self.unit, minlength=self.n_units)
            declared = np.zeros(self.n_units, np.bool_)
            declared[self.unit[self.accounts.org >= 0]] = True
            self.cache["heft"] = np.where(declared, 1, accounts).astype(np.int64)
        got: np.ndarray = self.cache["heft"]
        return got

    def enough(self, units: np.ndarray, low: int) -> bool:
        """At least `MIN_UNITS` units that hold ``low`` accounts between them."""
        return len(units) >= MIN_UNITS and int(self.heft[units].sum()) >= low

    def unit_counts(self) -> np.ndarray:
        """int64[units]: exchanges of each unit."""
        return self._by_unit()[0]

    def first_seen(self) -> np.ndarray:
        """int64[units]: time of each unit's first exchange; the end of time where there is none."""
        return self._by_unit()[1]

    def _by_unit(self) -> tuple[np.ndarray, np.ndarray]:
        if "by_unit" not in self.cache:
            t = self.table()
            got = self.fetch(t.group_by("unit").agg(n=t.count(), first=t.ts.min()))
            count = np.zeros(self.n_units, np.int64)
            first = np.full(self.n_units, np.iinfo(np.int64).max)
            count[got["unit"]], first[got["unit"]] = got["n"], got["first"]
            self.cache["by_unit"] = (count, first)
        out: tuple[np.ndarray, np.ndarray] = self.cache["by_unit"]
        return out


def _median(traffic: Traffic) -> int:
    """The median time: which minute it lies in, by counting, and then which moment of that minute."""
    t = traffic.table()
    minute = (t.ts - traffic.start) // MINUTE
    got = traffic.fetch(t.group_by(minute=minute).agg(n=t.count()).order_by("minute"))
    upto = np.cumsum(got["n"])
    ranks = ((traffic.n_exchanges - 1) // 2, traffic.n_exchanges // 2)
    low, high = (int(i) for i in np.searchsorted(upto, ranks, side="right"))
    times = traffic.fetch(
        t.filter(minute >= int(got["minute"][low]), minute <= int(got["minute"][high]))
        .select("ts")
        .order_by("ts")
    )["ts"]
    before = int(upto[low]) - int(got["n"][low])
    return int(np.median([times[rank - before] for rank in ranks]))


class Loader:
    """Fills the embedded engine batch by batch, then makes the `Traffic`."""

    def __init__(self, engine: Any, featurizer: Featurizer) -> None:
        self.engine = engine
        self.featurizer = featurizer
        self.rows = 0
        self._waiting: list[pa.RecordBatch] = []
        self._n_waiting = 0
        engine.append("exchange", FEATURE_SCHEMA.empty_table().append_column("seq", pa.array([], pa.int64())))

    def add(self, features: pa.RecordBatch) -> None:
        """Append one feature batch. Rows wait until there is a row group of them, which the engine takes at once.

        It takes whole row groups and nothing beyond: one that is begun would be compressed again with the next rows.
        """
        self._waiting.append(features)
        self._n_waiting += len(features)
        while self._n_waiting >= ROW_GROUP:
            self._append(ROW_GROUP)

    def _append(self, most: int) -> None:
        if not self._waiting:
            return
        waiting = pa.Table.from_batches(self._waiting)
        rows, rest = waiting.slice(0, most), waiting.slice(most)
        seq = pa.array(np.arange(self.rows, self.rows + len(rows), dtype=np.int64))
        self.engine.append("exchange", rows.append_column("seq", seq))
        self.rows += len(rows)
        self._waiting, self._n_waiting = rest.to_batches(), len(rest)

    def finish(
        self,
        accounts: pa.Table | None,
        releases: Iterable[tuple[str, int]] = (),
        client_releases: Iterable[tuple[str, str, int]] = (),
    ) -> Traffic:
        """Hand over what was added."""
        self._append(self._n_waiting)
        return traffic_of(self.engine, self.featurizer, self.rows, accounts, releases, client_releases)


def traffic_of(
    engine: Engine, feat: Featurizer, loaded: int, accounts: pa.Table | None,
    releases: Iterable[tuple[str, int]], client_releases: Iterable[tuple[str, str, int]],
) -> Traffic:  # fmt: skip
    """Drop repeated exchange ids (the first counts), resolve units, and hand over.

    Args:
        engine: holds FEATURE_SCHEMA plus ``seq`` as table ``exchange``.
        feat: what made the features; its names are those of the codes.
        loaded: rows of that table.
    """
    raw = engine.table("exchange")
    twice = raw.group_by("xid").agg(keep=raw.seq.min(), times=raw.count()).filter(lambda t: t.times > 1)
    engine.discard("exchange", raw.join(twice, "xid").filter(lambda t: t.seq != t.keep).select("seq"))
    raw = engine.table("exchange")
    rows = int(fetched(engine, raw.agg(rows=raw.count()))["rows"][0])
    frame = account_frame(accounts, feat)
    n_accounts = len(feat.names.account.names)
    org = frame.org.copy()
    if "org_id" in feat.seen_fields:
        told = raw.filter(raw.org >= 0, raw.acct >= 0)
        got = fetched(engine, told.group_by("acct").agg(org=told.org.min()))
        codes, values = got["acct"], got["org"]
        missing = org[codes] < 0
        org[codes[missing]] = values[missing]
    frame.org = org
    unit_label = np.where(org >= 0, org.astype(np.int64), len(feat.names.org.names) + np.arange(n_accounts))
    unit_label = _households(unit_label, org, frame.payment)
    _, first, inverse = np.unique(unit_label, return_index=True, return_inverse=True)
    unit = inverse.astype(np.int32).ravel()
    n_units = len(first)
    by_name = sorted(range(n_accounts), key=lambda a: feat.names.account.names[a], reverse=True)
    names = [""] * n_units
    for a in by_name:
        names[unit[a]] = "a:" + feat.names.account.names[a]
    for a in np.flatnonzero(org >= 0).tolist():
        names[unit[a]] = "o:" + feat.names.org.names[org[a]]
    order = digest_strings(pa.array(names, pa.string()), feat.key, "unit-order").astype(np.uint64)
    engine.discard("exchange", raw.filter(raw.acct < 0).select("seq"))
    engine.widen("exchange", ["acct"], _UnitOf(unit), _UNIT)
    t = engine.table("exchange")
    start, end = 0, 1
    if rows:
        span = fetched(engine, t.agg(first=t.ts.min(), last=t.ts.max()))
        start, end = int(span["first"][0]), int(span["last"][0]) + 1
    region = np.full(n_units, -1, np.int8)
    np.maximum.at(region, unit, frame.region)
    versions: dict[str, list[tuple[int, int]]] = {}
    for client, version, at in client_releases:
        parts = [int("".join(c for c in p if c.isdigit()) or 0) for p in version.split(".")[:3]] + [0, 0, 0]
        packed = parts[0] * 1_000_000 + parts[1] * 1_000 + min(parts[2], 999)
        versions.setdefault(client.lower(), []).append((packed, at))
    return Traffic(
        engine=engine, key=feat.key, lexicon=feat.lexicon, names=feat.names, accounts=frame, unit=unit,
        n_units=n_units, unit_order=order, unit_region=region, start=start, end=end, n_exchanges=rows,
        present=frozenset(feat.seen_fields) | _account_fields(accounts),
        releases={feat.names.model.index[m]: at for m, at in releases if m in feat.names.model.index},
        client_releases={c: sorted(v) for c, v in versions.items()},
        duplicates=loaded - rows,
        sampling_labels={v: k for k, v in feat.sampling_labels.items()},
    )  # fmt: skip


_UNIT = pa.schema([("unit", pa.int32())])


@dataclass(frozen=True)
class _UnitOf:
    """The unit of each exchange, by its account."""

    unit: np.ndarray

    def __call__(self, rows: Columns) -> Columns:
        return {"unit": self.unit[rows["acct"]]}


MIN_UNITS = 3
"""Independent units that a group needs, whatever the number of its accounts."""
HOUSEHOLD = 4
"""A payment instrument of at most this many accounts is one customer: such links are never evidence."""


def _households(label: np.ndarray, org: np.ndarray, payment: np.ndarray) -> np.ndarray:
    """One unit for up to `HOUSEHOLD` accounts that belong to no organisation and share an instrument.

    A customer with three accounts and one card is common and honest; treating such accounts as independent
    would let a handful of customers who run the same benchmark look like one controller.
    """
    loose = np.flatnonzero((org < 0) & (payment != 0))
    if not len(loose):
        return label
    _, first, inverse, count = np.unique(
        payment[loose], return_index=True, return_inverse=True, return_counts=True
    )
    inverse = inverse.ravel()
    small = count[inverse] <= HOUSEHOLD
    out = label.copy()
    out[loose[small]] = label[loose[first[inverse[small]]]]
    return out


def _account_fields(accounts: pa.Table | None) -> frozenset[str]:
    if accounts is None or not len(accounts):
        return frozenset()
    return frozenset(
        f"account.{name}"
        for name in accounts.schema.names
        if accounts.column(name).null_count < len(accounts)
    )


def account_frame(accounts: pa.Table | None, feat: Featurizer) -> AccountFrame:
    """Account rows aligned with account codes; accounts that never sent an exchange are left out."""
    names, key = feat.names, feat.key
    n = len(names.account.names)
    out: dict[str, np.ndarray] = {
        **{k: np.full(n, UNKNOWN_TIME, np.int64) for k in ("created", "status_changed")},
        **{k: np.zeros(n, np.int64) for k in ("payment", "email_domain", "phone", "signup_net", "programme")},
        **{k: np.zeros(n, np.bool_) for k in ("free_mail", "verified", "known")},
        "status": np.zeros(n, np.int8),
        "region": np.full(n, -1, np.int8),
        "org": np.full(n, MISSING, np.int32),
    }
    if accounts is not None and len(accounts):
        table = accounts.select(ACCOUNT_SCHEMA.names).combine_chunks()
        ids = table.column("account_id").to_pylist()
        at = np.array([names.account.index.get(i, -1) for i in ids], dtype=np.int64)
        rows = np.flatnonzero(at >= 0)
        at = at[rows]
        table = table.take(pa.array(rows))

        def column(name: str) -> pa.Array:
            chunked = table.column(name)
            return pa.concat_arrays(chunked.chunks) if chunked.num_chunks else pa.array([], chunked.type)

        out["known"][at] = True
        for name, source in (("created", "created_at"), ("status_changed", "status_changed_at")):
            out[name][at] = column(source).cast(pa.int64()).fill_null(UNKNOWN_TIME).to_numpy()
        for name, source in (("payment", "payment_digest"), ("phone", "phone_digest")):
            out[name][at] = digest_strings(column(source), key, source)
        domains = pc.utf8_lower(column("email_domain"))
        out["email_domain"][at] = digest_strings(domains, key, "email_domain")
        out["free_mail"][at] = pc.is_in(domains, value_set=pa.array(sorted(FREE_MAIL))).to_numpy(
            zero_copy_only=False
        )
        out["signup_net"][at] = digest_networks(column("signup_ip"), key)
        out["programme"][at] = digest_strings(column("programme"), key, "programme")
        out["verified"][at] = pc.is_in(
            column("verification"), value_set=pa.array(["identity", "business"])
        ).to_numpy(zero_copy_only=False)
        states = {"active": 1, "suspended": 2, "banned": 3}
        out["status"][at] = [states.get(v, 0) for v in column("status").to_pylist()]
        out["region"][at] = [REGION.get(v or "", -1) for v in column("country").to_pylist()]
        orgs = column("org_id")
        out["org"][at] = names.org.codes(orgs)
    return AccountFrame(**out)


def value_digest(traffic: Traffic, domain: str, label: str) -> int:
    """Digest of a closed-vocabulary label under this scan's key."""
    return digest_text(traffic.key, domain, label)
