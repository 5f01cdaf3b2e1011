"""Small synthetic traffic for the contracts: a `World` is written like a story and becomes a `Traffic`.

Every exchange gets its own pseudo-word prompt unless told otherwise, so that accounts share nothing which a
test did not plant.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from stillwatch.detect import controller
from stillwatch.detect.assemble import Group
from stillwatch.detect.baseline import Baseline, Calibration
from stillwatch.detect.digest import Key
from stillwatch.detect.families import assign_families
from stillwatch.detect.features import Featurizer
from stillwatch.detect.hubs import Hubs, build_hubs, token_matrix
from stillwatch.detect.lexicon import load_lexicon
from stillwatch.detect.shape import group_rows, stream_of
from stillwatch.detect.traffic import Loader, Traffic
from stillwatch.detect.trait import EventTrait, QueueTrait, ShapeTrait, TokenTrait, Trait
from stillwatch.records import ACCOUNT_SCHEMA, EXCHANGE_SCHEMA
from stillwatch.store import open_backend

KEY = Key.derive(b"contracts: no secret at all, 32b")
START = datetime(2026, 9, 1, tzinfo=UTC)
NOTHING = Baseline(
    "contracts",
    "2026-09-01",
    "shipped",
    0,
    None,
    {},
    Calibration({}, {}, np.zeros(0), {}, np.zeros(0, np.int64)),
    "",
    "empty: tests only",
)
"""A baseline that knows nothing: how common a value is comes from the traffic itself."""

Rows = list[dict[str, Any]]


def at(*, days: float = 0, hours: float = 0, seconds: float = 0) -> datetime:
    """A moment of the story."""
    return START + timedelta(days=days, hours=hours, seconds=seconds)


def babble(seed: object, words: int = 12) -> str:
    """Pseudo-words that no lexicon knows and no two seeds share."""
    rng = random.Random(f"babble {seed}")
    return " ".join(
        "".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(4)) for _ in range(words)
    )


def chat(*turns: str) -> str:
    """Messages as the contract stores them: user and assistant in turn."""
    roles = ("user", "assistant")
    return orjson.dumps([{"role": roles[i % 2], "content": t} for i, t in enumerate(turns)]).decode()


@dataclass
class World:
    """Exchanges, accounts and releases of one story."""

    rows: Rows = field(default_factory=list)
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    releases: list[tuple[str, datetime]] = field(default_factory=list)
    client_releases: list[tuple[str, str, datetime]] = field(default_factory=list)

    def account(self, name: str, **fields: Any) -> None:
        """Say something about an account."""
        self.accounts.setdefault(name, {"account_id": name}).update(fields)

    def send(self, account: str, when: datetime, **fields: Any) -> None:
        """One exchange; a prompt of its own unless one is given."""
        number = len(self.rows)
        row = {
            "exchange_id": f"x{number}",
            "account_id": account,
            "started_at": when,
            "model": "m-1",
            "status": 200,
        }
        if "messages" not in fields:
            row["prompt"] = babble(f"{account} {number}")
        self.rows.append(row | fields)

    def traffic(
        self, *, order: Iterable[int] | None = None, batch: int = 1000, sliced: bool = False
    ) -> Traffic:
        """The story through the featuriser and the loader; rows in another order or in other batches if asked."""
        rows = self.rows if order is None else [self.rows[i] for i in order]
        feat = Featurizer(KEY, load_lexicon())
        loader = Loader(open_backend(1, "1GB", None), feat)
        whole = pa.RecordBatch.from_pylist(rows, schema=EXCHANGE_SCHEMA)
        for i in range(0, len(rows), batch):
            part = whole.slice(i, batch)
            loader.add(
                feat.batch(part if sliced else pa.RecordBatch.from_pylist(part.to_pylist(), EXCHANGE_SCHEMA))
            )
        accounts = pa.Table.from_pylist(list(self.accounts.values()), schema=ACCOUNT_SCHEMA)
        return loader.finish(
            accounts,
            [(m, _micro(t)) for m, t in self.releases],
            [(c, v, _micro(t)) for c, v, t in self.client_releases],
        )

    def without(self, fields: frozenset[str]) -> World:
        """The same story from logs that never held some contract fields (``account.`` and releases included)."""
        kept = World([{k: v for k, v in row.items() if k not in fields} for row in self.rows])
        for name, row in self.accounts.items():
            kept.account(name, **{k: v for k, v in row.items() if f"account.{k}" not in fields})
        kept.releases = [] if "release.released_at" in fields else self.releases
        kept.client_releases = [] if "client_release.version" in fields else self.client_releases
        return kept


def embedded(traffic: Traffic) -> Any:
    """The connection of the embedded engine, for what no expression says."""
    engine: Any = traffic.engine
    return engine.con


def _micro(when: datetime) -> int:
    return (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def names(traffic: Traffic) -> list[frozenset[str]]:
    """The accounts of each unit: a name that does not depend on the order of the input."""
    out: list[set[str]] = [set() for _ in range(traffic.n_units)]
    for code, unit in enumerate(traffic.unit):
        out[int(unit)].add(traffic.names.account.names[code])
    return [frozenset(accounts) for accounts in out]


def units_of(traffic: Traffic, accounts: Iterable[str]) -> np.ndarray:
    """Units of some accounts, sorted."""
    found: np.ndarray = np.unique(traffic.unit[[traffic.names.account.index[a] for a in accounts]])
    return found


def shared(trait: TokenTrait, traffic: Traffic) -> dict[int, frozenset[str]]:
    """Every value of a trait, and the accounts whose units show it."""
    who, got = names(traffic), trait.extract(traffic)
    out: dict[int, frozenset[str]] = {}
    for unit, value in zip(got.unit, got.value, strict=True):
        out[int(value)] = out.get(int(value), frozenset()) | who[int(unit)]
    return out


def joined(trait: EventTrait, traffic: Traffic) -> set[tuple[str, str]]:
    """Every (giver, taker) of an event trait by name."""
    who, got = names(traffic), trait.extract(traffic)
    return {
        ("+".join(sorted(who[g])), "+".join(sorted(who[t])))
        for g, t in zip(got.giver, got.taker, strict=True)
    }


def hubs_of(traffic: Traffic, traits: Iterable[Trait], *, low: int = 5) -> Hubs:
    """Hubs of the given traits, families assigned first."""
    if "family" not in traffic.table().columns:
        assign_families(traffic)
    chosen = tuple(t for t in traits if isinstance(t, TokenTrait))
    tokens = {t.id: t.extract(traffic) for t in chosen}
    return build_hubs(traffic, tokens, chosen, low=low, high=60_000, sample=5_000)


def one_hub(units: np.ndarray) -> Hubs:
    """Some units as a hub that no trait defines, as a group is tested."""
    return Hubs(
        np.array([0, len(units)]), units.astype(np.int32), np.array([-1], np.int16), np.zeros(1, np.int64),
        np.array([len(units)]), (), 0,
    )  # fmt: skip


def queue_scores(
    trait: QueueTrait, traffic: Traffic, traits: Iterable[Trait], *, low: int = 5
) -> dict[frozenset[str], float]:
    """log10 e-value of each hub that a queue trait can judge, by the accounts of the hub."""
    hubs, who = hubs_of(traffic, traits, low=low), names(traffic)
    found = trait.extract(traffic, hubs)
    return {
        frozenset().union(*(who[int(u)] for u in hubs.members(h))): judged.whole
        for h, judged in found.items()
    }


def shape_of(trait: ShapeTrait, traffic: Traffic, accounts: Iterable[str]) -> float:
    """The trait's number for the stream of some accounts."""
    if "family" not in traffic.table().columns:
        assign_families(traffic)
    group = Group(units_of(traffic, accounts), 0, [])
    rows = group_rows(traffic, [group])
    return float(stream_of(traffic, rows, group, rows.of_group[0]).features[trait.column])


def bet_on(trait: TokenTrait, traffic: Traffic, accounts: Iterable[str], *, kappa: float = 3.0) -> float:
    """log10 e-value of betting on one trait over a hub of some accounts, against the rest of the traffic."""
    units = units_of(traffic, accounts)
    hub = one_hub(units[np.argsort(traffic.unit_order[units], kind="stable")])
    matrices = {trait.id: token_matrix(traffic, trait, trait.extract(traffic))}
    tests = controller.test_hubs(
        traffic, hub, matrices, [], [], NOTHING, kappa=kappa, alpha=1e-4, use_traffic=True
    )
    return float(np.nan_to_num(tests.log10[0, 0]))


def seen(
    trait: Trait, traffic: Traffic, traits: Iterable[Trait], watched: Iterable[str]
) -> set[tuple[object, ...]]:
    """Everything a trait says of a traffic, in words that do not depend on codes or order."""
    who = names(traffic)
    if isinstance(trait, TokenTrait):
        t = trait.extract(traffic)
        return {(who[u], int(v), int(c)) for u, v, c in zip(t.unit, t.value, t.count, strict=True)}
    if isinstance(trait, EventTrait):
        e = trait.extract(traffic)
        found = {(who[g], who[k], int(ts)) for g, k, ts in zip(e.giver, e.taker, e.ts, strict=True)}
        return found | {(who[u], int(n)) for u, n in enumerate(e.exposure) if n}
    if isinstance(trait, QueueTrait):
        return {(k, round(v, 9)) for k, v in queue_scores(trait, traffic, traits).items()}
    return {(trait.column, round(shape_of(trait, traffic, watched), 9))}


Maker = Callable[[int], Mapping[str, Any]]


def crowd(
    planted: Maker,
    others: Maker,
    *,
    k: int = 6,
    n: int = 8,
    sends: int = 2,
    account: bool = False,
    org: bool = False,
) -> World:
    """``k`` planted accounts ``p0``.. and ``n`` others ``o0``..; the makers give the fields of account i.

    With ``account`` the fields belong to the account row, else to each exchange. With ``org`` the planted
    accounts say that they are one organisation.
    """
    world = World()
    for group, size, maker in (("p", k, planted), ("o", n, others)):
        for i in range(size):
            name, fields = f"{group}{i}", dict(maker(i))
            world.account(name, plan="pay", **(fields if account else {}))
            if org and group == "p":
                world.account(name, org_id="one house")
            for j in range(sends):
                given = {} if account else {a: v(j) if callable(v) else v for a, v in fields.items()}
                when = given.pop("when", at(days=i % 3, hours=i * 1.7 + j * 5))
                world.send(name, when, **given)
    return world
