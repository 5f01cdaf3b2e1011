"""The same expressions on both engines: every relational step gives the same table, to the last bit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.detect.assemble import Group
from stillwatch.detect.families import assign_families
from stillwatch.detect.features import Featurizer
from stillwatch.detect.grants import apply_grants
from stillwatch.detect.lexicon import load_lexicon
from stillwatch.detect.profile import LeftOut
from stillwatch.detect.queue import multiplicities
from stillwatch.detect.run import Options, detect
from stillwatch.detect.shape import _all_cells, group_rows
from stillwatch.detect.traffic import Loader, Traffic, traffic_of
from stillwatch.detect.traits import load_traits
from stillwatch.detect.verdict import judge
from stillwatch.records import ACCOUNT_SCHEMA, EXCHANGE_SCHEMA
from stillwatch.store import open_backend
from stillwatch.store.spark import open_spark
from tests.contracts.factory import KEY, NOTHING, World, _micro, at
from tests.contracts.test_contract import TRAITS, arrays
from tests.contracts.town import town
from tests.scale.spark_cluster import configured, spark_or_skip

IDS = [t.id for t in TRAITS]


def crowded() -> World:
    """The town, with every fifth exchange sent twice under one id, and some of it refused."""
    world = town()
    for i, row in enumerate(world.rows[::5]):
        world.rows.append({**row, "started_at": at(days=3, hours=i / 10)})
    for i, row in enumerate(world.rows):
        if i % 7 == 0:
            row["status"] = (401, 429, 503)[i % 3]
    return world


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One local session for the suite."""
    spark_or_skip()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_CONF_DIR", str(configured(tmp_path_factory.mktemp("spark") / "conf")))
        engine = open_spark("local[1]", memory_limit="1GB")
        yield engine
        engine.close()


@pytest.fixture(scope="module")
def both(spark: Any) -> tuple[Traffic, Traffic]:
    """One world in the embedded engine, and on Spark, where its rows come in no order."""
    from stillwatch.wiring.cluster import CODED

    world, feat = crowded(), Featurizer(KEY, load_lexicon())
    batch = feat.batch(pa.RecordBatch.from_pylist(world.rows, schema=EXCHANGE_SCHEMA))
    context = (
        pa.Table.from_pylist(list(world.accounts.values()), schema=ACCOUNT_SCHEMA),
        [(m, _micro(t)) for m, t in world.releases],
        [(c, v, _micro(t)) for c, v, t in world.client_releases],
    )
    loader = Loader(open_backend(1, "1GB", None), feat)
    loader.add(batch)
    here = loader.finish(*context)
    rows = pa.Table.from_batches([batch]).append_column("seq", pa.array(np.arange(len(batch)))).cast(CODED)
    mixed = rows.take(pa.array(np.random.default_rng(1).permutation(len(rows))))
    spark.put("exchange", spark.session.createDataFrame(mixed).repartition(3))
    return here, traffic_of(spark, feat, len(rows), *context)


def same(here: Any, there: Any) -> None:
    """Equal arrays, in type and in every value."""
    assert here.dtype == there.dtype
    np.testing.assert_array_equal(here, there)


def test_traffic(both: tuple[Traffic, Traffic]) -> None:
    """Repeated ids go, units, span, median and first appearances are the same; so is every column, in order."""
    here, there = both
    assert here.duplicates == there.duplicates > 50
    for name in (
        "n_exchanges",
        "n_units",
        "start",
        "end",
        "middle",
        "present",
        "releases",
        "client_releases",
    ):
        assert getattr(here, name) == getattr(there, name), name
    for name in ("unit", "unit_order", "unit_region"):
        same(getattr(here, name), getattr(there, name))
    same(here.unit_counts(), there.unit_counts())
    same(here.first_seen(), there.first_seen())
    for traffic in both:
        assign_families(traffic)
    for name in ("seq", "xid", "acct", "unit", "ts", "status", "family", "payload", "temperature", "lang"):
        same(here.column(name), there.column(name))
    assert len(np.unique(here.column("family"))) > 3


@pytest.mark.parametrize("number", range(len(TRAITS)), ids=IDS)
def test_traits(number: int, both: tuple[Traffic, Traffic]) -> None:
    """What a trait extracts is the same."""
    here, there = (arrays(TRAITS[number], traffic) for traffic in both)
    assert len(here) == len(there)
    for one, other in zip(here, there, strict=True):
        same(one, other)


def test_work_queues(both: tuple[Traffic, Traffic]) -> None:
    """How payloads are dealt out over units is the same, whether or not the ranking was dealt out first."""
    found = []
    for traffic in both:
        t = traffic.table()
        sent = t.filter(t.family != 0, t.payload != 0).select("unit", "payload", key="family")
        found.append(multiplicities(traffic, sent))
    assert found[0].keys() == found[1].keys() and found[0]
    for key, one in found[0].items():
        for name in one.__slots__:
            np.testing.assert_array_equal(getattr(one, name), getattr(found[1][key], name))


def test_detection_and_verdict(both: tuple[Traffic, Traffic]) -> None:
    """Hubs, evidence, groups, the groups' rows and everything that is said of them are the same."""
    traits, options = load_traits(), Options(without=frozenset({"controller"}))
    here, there = (detect(traffic, traits, NOTHING, options) for traffic in both)
    assert here.groups and [a.reason for a in here.abstentions if "failed" in a.reason] == []
    for name in ("ptr", "units", "trait", "value", "size"):
        same(getattr(here.hubs, name), getattr(there.hubs, name))
    same(here.tests.log10, there.tests.log10)
    for name, column in here.rows.columns.items():
        same(column, there.rows.columns[name])
    for one, other in zip(here.rows.of_group, there.rows.of_group, strict=True):
        same(one, other)
    same(here.rows.family_units, there.rows.family_units)
    same(_all_cells(both[0]), _all_cells(both[1]))
    assert [s.features for s in here.streams] == [s.features for s in there.streams]
    grant: dict[str, Any] = {
        "grant_id": "g",
        "account_id": "p1",
        "org_id": None,
        "models": ["*"],
        "valid_from": at(),
    }
    grant |= {"valid_until": at(days=2), "max_exchanges": 3, "max_output_tokens": None}
    grants = pa.Table.from_pylist([grant])
    covered = [apply_grants(traffic, grants) for traffic in both]
    same(covered[0].seqs, covered[1].seqs)
    assert len(covered[0].seqs) == 3
    said = [judge(t, d, NOTHING, options, c) for t, d, c in zip(both, (here, there), covered, strict=True)]
    assert said[0] == said[1]


def test_who_is_left_out_of_a_comparison(both: tuple[Traffic, Traffic]) -> None:
    """Of those with whom a fleet is not compared the ones in no group are counted by family, as plain counting does."""
    none = np.zeros(0)
    for traffic in both:
        units = np.arange(traffic.n_units)
        group = Group(units[units % 3 == 0].astype(np.int32), 0, [])
        group.left_out = LeftOut(units % 3 < 2, none, none)
        rows = group_rows(traffic, [group])
        t = traffic.table()
        shown = traffic.fetch(t.select("family", "unit").distinct())
        others = shown["family"][shown["unit"] % 3 == 1]
        assert rows.left_out.tolist() == [int((others == family).sum()) for family in rows.families]
        assert rows.n_left_out == (units % 3 == 1).sum()
        assert rows.left_out.any(), "else nothing was counted"


def test_no_groups(both: tuple[Traffic, Traffic]) -> None:
    """Nothing found is nothing on either."""
    for traffic in both:
        rows = group_rows(traffic, [])
        assert rows.of_group == [] and all(len(column) == 0 for column in rows.columns.values())
