"""From the output folder of a scan to clusters that two members can compare."""

import os
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from stillwatch.detect.network import digest_networks
from stillwatch.errors import ConfigError
from stillwatch.lab import generate, load_scenario
from stillwatch.report.files import load_result
from stillwatch.settings import Settings
from stillwatch.share.join.clusters import asked, leads_of, prepare
from stillwatch.share.join.evidence import parts
from stillwatch.share.join.rule import join
from stillwatch.wiring.features import ingest
from stillwatch.wiring.join_clusters import JOIN_KEY, clusters_of, unused, value_of
from stillwatch.wiring.progress import Unheard
from stillwatch.wiring.scanning import scan
from tests.share.join.making import EPOCH, tags_of, two_holders

pytest.importorskip("rbcl", reason="needs the extra `join`")
ENV = {**os.environ, "STILLWATCH_KEY": "ab" * 32}
MEMBERS = ("north", "south")


@pytest.fixture(scope="module")
def halves(tmp_path_factory) -> dict[str, Path]:
    """One network of 120 accounts, dealt with everybody else over two members, each with a scan of its own."""
    root = tmp_path_factory.mktemp("halves")
    world = root / "world"
    generate(load_scenario("evasion_days", {"every_campaign.accounts": "120", "ordinary.accounts": "500"}), seed=3,
             out=world, processes=1)  # fmt: skip
    log, table = pq.read_table(world / "exchanges"), pq.read_table(world / "accounts.parquet")
    names = sorted(set(table["account_id"].to_pylist()))
    random.Random(1).shuffle(names)
    places = {}
    for n, member in enumerate(MEMBERS):
        mine = pa.array(names[n::2])
        places[member] = root / member
        places[member].mkdir()
        for rows, name in ((log, "log"), (table, "accounts")):
            pq.write_table(
                rows.filter(pc.is_in(rows["account_id"], value_set=mine)), places[member] / f"{name}.parquet"
            )
        scan([str(places[member] / "log.parquet")], settings=Settings(), out=places[member] / "run",
             accounts=[str(places[member] / "accounts.parquet")], progress=Unheard(), env=ENV)  # fmt: skip
    return places


def made(place: Path, **more):
    """The clusters of a member."""
    return clusters_of(place / "run", [str(place / "log.parquet")], [str(place / "accounts.parquet")],
                       settings=Settings(), progress=Unheard(), **more)  # fmt: skip


def test_two_halves_of_a_network_meet_through_two_key_holders(halves, tmp_path):
    """Each member learns that the other sees its network, under the name that its own run gave it."""
    holders = two_holders(tmp_path, budget=10_000)
    prepared = {}
    for member, place in halves.items():
        clusters = made(place)
        values = asked(clusters)
        tags = dict(zip(values, tags_of(holders, values, member), strict=True))
        prepared[member] = prepare(member, EPOCH, clusters, tags)
    week = join(EPOCH, [each.contribution for each in prepared.values()])
    assert not week.set_aside
    for member, place in halves.items():
        [lead] = leads_of(week.for_member(member), member, prepared[member].book)
        campaigns = {c.campaign_id for c in load_result(place / "run").campaigns}
        assert lead.subject in campaigns and lead.member != member


def bare(value) -> bytes:
    """A value without the number of its part."""
    return value.value.rpartition(b"#")[0]


def seen_of(value: bytes, seen: dict[int, set[str]]) -> set[str]:
    """Who shows a value."""
    return seen[int.from_bytes(value.partition(b":")[2], "big", signed=True)]


def test_a_value_has_as_many_parts_as_its_share_of_the_evidence(halves):
    """Of each account's unit, spread over all prompts it shows, as ten lines of plain Python count it."""
    place = halves["south"]
    [cluster] = made(place)
    inside = set(cluster.accounts)
    log = pq.read_table(place / "log.parquet").combine_chunks()
    table = pq.read_table(place / "accounts.parquet").combine_chunks()
    mine: dict[str, set[int]] = {}
    for rows, column in ((log, "client_ip"), (table, "signup_ip")):
        nets = digest_networks(pa.array(rows[column].to_pylist(), pa.string()), JOIN_KEY).tolist()
        for account, net in zip(rows["account_id"].to_pylist(), nets, strict=True):
            if net and account in inside:
                mine.setdefault(account, set()).add(net)
    shares: dict[bytes, float] = {}
    for nets in mine.values():
        for net in nets:
            value = value_of("net", net)
            shares[value] = shares.get(value, 0.0) + 1 / len(nets) / len(cluster.accounts)
    own = {bare(v) for v in cluster.values if v.kind == "address"}
    expected = parts("address", {value: share for value, share in shares.items() if value in own})
    assert {v for v in cluster.values if v.kind == "address"} == set(expected)


def test_what_is_planted_is_written_as_members_write_it(halves):
    """A block planted by its address has the parts that a cluster behind it would hand in."""
    place = halves["north"]
    address = pq.read_table(place / "log.parquet")["client_ip"][0].as_py()
    net = int(digest_networks(pa.array([address]), JOIN_KEY)[0])
    assert {bare(v) for v in unused("address", address)} == {value_of("net", net)}
    assert unused("address", "192.0.2.0/24") == unused("address", "192.0.2.77")
    assert len(set(unused("device", "x") + unused("identity", "Example.org"))) == 20
    assert unused("identity", "Example.org") == unused("identity", "example.org")
    with pytest.raises(ConfigError, match="'content'"):
        unused("content", "a prompt")


def test_addresses_are_those_that_hardly_anybody_outside_the_cluster_shows(halves):
    """The same set as ten lines of plain Python make from the log and the account table."""
    place = halves["north"]
    [cluster] = made(place)
    inside = {m.account_id for m in load_result(place / "run").members if m.tier != "watch"}
    expected = set()
    for name, column in (("log", "client_ip"), ("accounts", "signup_ip")):
        table = pq.read_table(place / f"{name}.parquet").combine_chunks()
        seen: dict[int, set[str]] = {}
        nets = digest_networks(pa.array(table[column].to_pylist(), pa.string()), JOIN_KEY).tolist()
        for account, net in zip(table["account_id"].to_pylist(), nets, strict=True):
            if net:
                seen.setdefault(net, set()).add(account)
        expected |= {net for net, who in seen.items() if len(who & inside) * 2 >= len(who) and who & inside}
    got = {bare(v) for v in cluster.values if v.kind == "address"}
    every = {b"net:" + int(net).to_bytes(8, "big", signed=True) for net in expected}
    assert got <= every and len(got) > 3
    assert every - got <= {value for value in every if len(seen_of(value, seen) & inside) <= 1}


def test_what_many_others_show_is_left_out(halves):
    """Asking for less of a cluster's own takes more in: without the limit, shared offices and exits come along."""
    strict, lax = made(halves["north"])[0], made(halves["north"], own_share=0.0)[0]
    assert set(strict.values) != set(lax.values)
    addresses = [{bare(v) for v in each.values if v.kind == "address"} for each in (strict, lax)]
    assert addresses[0] <= addresses[1]


def test_no_value_holds_text_of_the_log(halves):
    """What goes into the blinded question is a name of a column, eight bytes and the number of a part."""
    for cluster in made(halves["south"]):
        assert cluster.values and all(len(bare(v).partition(b":")[2]) == 8 for v in cluster.values)


def test_a_cluster_of_nine_stays(halves, tmp_path):
    """Small groups say too much about single customers."""
    run = tmp_path / "run"
    run.mkdir()
    for file in (halves["north"] / "run").iterdir():
        (run / file.name).write_bytes(file.read_bytes())
    members = pq.read_table(run / "members.parquet")
    pq.write_table(
        members.filter(pc.not_equal(members["tier"], "watch")).slice(0, 9), run / "members.parquet"
    )
    assert (
        clusters_of(run, [str(halves["north"] / "log.parquet")], settings=Settings(), progress=Unheard())
        == ()
    )


def test_feature_files_and_standard_input_are_refused_with_what_to_name_instead(halves, tmp_path):
    """Features are digests under the member's own key."""
    kept = tmp_path / "kept"
    ingest([str(halves["north"] / "log.parquet")], settings=Settings(), out=kept, format=None, mapping=None,
           overwrite=False, progress=Unheard(), env=ENV)  # fmt: skip
    for inputs in ([str(kept)], ["-"]):
        with pytest.raises(ConfigError) as caught:
            clusters_of(halves["north"] / "run", inputs, settings=Settings(), progress=Unheard())
        assert "name" in (caught.value.hint or "")


def test_the_way_values_are_written_is_pinned():
    """Two members of different versions meet only while this stands: another number goes into the key when it falls."""
    digest = digest_networks(pa.array(["203.0.113.9"]), JOIN_KEY)
    assert digest.dtype == np.int64 and digest.tolist() == [PINNED_NET]


PINNED_NET = 1682941873026203835
