"""The relay's mechanics, measured on generated worlds, and its compiled dealer against a plain one."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from stillwatch.lab.hashing import mix
from stillwatch.lab.relay_pool import Deal, Pool, Turn
from stillwatch.lab.relay_work import SLICE, Desk, Pace, Work, office_times
from stillwatch.lab.scenario import CampaignSpec
from stillwatch.lab.world import Stream, World
from tests.lab.conftest import Make, Written, scenario
from tests.oracles.relay_pool import deal_slowly

MINUTE, HOUR = 60_000_000, 3_600_000_000
US = "epoch_us(started_at)"


def _requests(seed: int, n: int, desks: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    turn = np.where(rng.random(n) < 0.3, rng.integers(0, 4, n), -1)
    return {
        "t": np.sort(rng.integers(0, 30 * HOUR, n)),
        "desk": rng.integers(0, desks, n),
        "session": rng.integers(0, n // 2, n),
        "nonce": mix(seed, np.arange(n)),
        "turn": turn,
        "extraction": rng.random(n) < 0.7,
    }


@pytest.mark.parametrize(
    "how",
    [
        Deal(HOUR, 1.0, 1.0, 0.05, 1, False),
        Deal(HOUR, 1.0, 1.0, 0.3, 3, False),
        Deal(0, 0.0, 0.0, 0.05, 1, False),
        Deal(600_000_000, 0.5, 0.5, 0.1, 2, False),
    ],
    ids=["sticky", "best of three", "fresh contexts", "half of everything"],
)
def test_the_compiled_dealer_decides_like_the_plain_one(how: Deal) -> None:
    """Same requests, same accounts, times and statuses, through bans, joins and slices."""
    for seed in range(4):
        rng = np.random.default_rng([seed, 1])
        size, desks, n = 14, 9, 1500
        members = rng.permutation(10)
        created = np.where(np.arange(size) < 8, -1, rng.integers(0, 20 * HOUR, size))
        appetite = rng.random(size)
        turns = [Turn(int(rng.integers(0, 25 * HOUR)), 10 + k, int(members[k])) for k in range(2)]
        turns += [
            Turn(5 * HOUR, 12),
            Turn(5 * HOUR, 13, int(members[0])),
            Turn(9 * HOUR, -1, int(members[3])),
        ]
        work = _requests(seed, n, desks)
        slow = deal_slowly(members.tolist(), created.tolist(), appetite.tolist(), how, turns, work)
        pool = Pool(members, created, appetite, desks, n, how, turns)
        fast = []
        for first in (0, 400, 1100):
            last = {0: 400, 400: 1100, 1100: n}[first]
            dealt = pool.deal({k: v[first:last] for k, v in work.items()})
            columns = (dealt.row + first, dealt.account, dealt.t, dealt.status)
            fast += list(zip(*(c.tolist() for c in columns), strict=True))
        assert fast == slow


def _world(days: int = 2) -> World:
    world = World(scenario(days=days), 5, 1.0)
    voice = world.library.get("math")
    for talk in (0.0, 0.5):
        world.stream(Stream(voice=voice, reply=voice, conversation=talk))
    return world


def test_slices_hold_every_request_once_in_time_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut into many slices, the work is the same requests in the same order as in one."""
    tables = []
    for size in (SLICE, 37):
        monkeypatch.setattr("stillwatch.lab.relay_work.SLICE", size)
        desks = [Desk(0, extraction=True), Desk(1), Desk(1, extraction=True, padded=True)]
        work = Work(_world(), np.random.default_rng(3), desks, 900, Pace(0.0, 0.1, 2), 0)
        slices = list(work.slices())
        tables.append({k: np.concatenate([s[k] for s in slices]) for k in slices[0]})
        assert (np.diff(tables[-1]["t"]) >= 0).all()
    assert len(tables[0]["t"]) > 600
    for key in ("t", "session", "nonce", "seed", "turn", "desk", "model"):
        assert sorted(tables[0][key].tolist()) == sorted(tables[1][key].tolist())


def test_padding_turns_are_no_extraction() -> None:
    """Small talk around a request counts as cover."""
    desks = [Desk(1, extraction=True, padded=True), Desk(1, extraction=True)]
    work = Work(_world(), np.random.default_rng(3), desks, 600, Pace(), 0)
    table = next(work.slices())
    padded = table["desk"] == 0
    assert not (table["extraction"] & padded & (table["turn"] > 0)).any()
    assert (table["extraction"] | padded).all()


def test_office_hours_are_days_in_the_zone() -> None:
    """No request at night, few at weekends; the span is respected."""
    start = 1_772_409_600_000_000  # Monday, 2 March 2026, UTC
    t = office_times(np.linspace(0, 1, 5000, endpoint=False), start, start + 14 * 24 * HOUR, 8)
    local = (t / HOUR + 8) % 24
    assert ((local >= 7) & (local < 22)).mean() > 0.999
    weekday = ((t / HOUR + 8) // 24).astype(int) % 7
    assert (weekday >= 5).mean() < 0.1
    assert t.max() < 14 * 24 * HOUR


@pytest.fixture(scope="module")
def pooled(make: Make) -> Written:
    """A plain campaign without customers: all lines on the relay, one day."""
    spec = CampaignSpec(
        variant="code", accounts=40, exchanges_per_account=120, level=0, extraction_share=1.0, ban_share=0.1,
        dials={"heartbeat_h": 4.0},
    )  # fmt: skip
    return make(days=2, campaigns=(spec,))


def test_rotation_takes_every_account_in_turn(pooled: Written) -> None:
    """Least recently used: accounts in use from start to end differ little in load."""
    loads = [
        r[0]
        for r in pooled.rows(
            "select count(*) from x join accounts using (account_id) where accounts.status = 'active'"
            " and system_prompt is distinct from 'x' group by account_id order by 1"
        )
    ]
    assert np.percentile(loads, 90) < 2.2 * np.percentile(loads, 25)


def test_a_refused_request_succeeds_elsewhere_within_half_a_minute(pooled: Written) -> None:
    """The same prompt, another account, at most 25 seconds later."""
    rows = pooled.rows(
        "select epoch(min(b.started_at) - a.started_at) from x a join x b on a.prompt = b.prompt and b.status = 200"
        " and b.account_id <> a.account_id and b.started_at > a.started_at"
        " join marks m on m.exchange_id = a.exchange_id"
        " where a.status <> 200 and m.extraction group by a.exchange_id, a.started_at"
    )
    assert len(rows) > 50
    assert max(r[0] for r in rows) <= 25


def test_an_account_rests_after_its_error(pooled: Written) -> None:
    """For the time that goes with the status an account takes nothing new (heartbeats are not the relay's queue)."""
    for status, rest in ((429, 60), (503, 60), (500, 300), (529, 600)):
        early = pooled.one(
            f"select count(*) from x a join x b using (account_id) join marks m on m.exchange_id = b.exchange_id"
            f" where a.status = {status} and m.extraction and b.started_at > a.started_at"
            f" and b.started_at < a.started_at + interval {rest - 1} second"
        )
        late = pooled.one(
            f"select count(*) from x a join x b using (account_id) where a.status = {status}"
            f" and b.started_at > a.started_at + interval {rest} second"
        )
        assert early == 0
        assert late > 0


def test_a_line_stays_an_hour_on_its_account() -> None:
    """Without errors a work line changes account only when its hour is over."""
    members, n = np.arange(6), 400
    work = _requests(3, n, 4)
    work["turn"][:], work["extraction"][:] = -1, True
    pool = Pool(members, np.full(6, -1), np.ones(6), 4, n, Deal(HOUR, 1.0, 1.0, 0.0, 1, False), [])
    dealt = pool.deal(work)
    for desk in range(4):
        mine = work["desk"][dealt.row] == desk
        t, who = dealt.t[mine], dealt.account[mine]
        moved = np.flatnonzero(np.diff(who) != 0) + 1
        begins = t[np.concatenate([[0], moved])]
        assert len(moved) >= 3
        assert (np.diff(begins) >= HOUR).all()


def test_heartbeats_come_every_few_hours(pooled: Written) -> None:
    """Every account says hello, four hours apart."""
    gaps = [
        r[0]
        for r in pooled.rows(
            "select gap from (select epoch(started_at - lag(started_at) over"
            " (partition by account_id order by started_at)) gap from x where length(prompt) < 8) where gap is not null"
        )
    ]
    assert len(gaps) > 200
    assert abs(float(np.median(gaps)) - 4 * 3600) < 60


def test_replacements_continue_the_queue(pooled: Written) -> None:
    """A spare works from the ban of its predecessor on, under the predecessor's wording, on payloads of its own."""
    bans = pooled.rows("select account_id, status_changed_at from accounts where status = 'banned'")
    assert len(bans) == 4
    assert pooled.one(
        "select count(*) from accounts a where created_at > (select min(started_at) from x) and exists"
        " (select 1 from x where x.account_id = a.account_id and x.started_at < a.created_at + interval 6 hour)"
    ) == len(bans)
    repeated = pooled.one(
        "select count(*) - count(distinct prompt) from x join marks using (exchange_id)"
        " where extraction and status = 200"
    )
    assert repeated <= 2


def test_platforms_flip_inside_an_account_when_headers_are_passed(make: Make) -> None:
    """A relay that passes its customers' headers shows several systems per account; one that rewrites shows one."""
    spread = []
    for headers in ("fixed", "passed"):
        spec = CampaignSpec(
            variant="code", accounts=8, exchanges_per_account=60, level=0, headers=headers,
            dials={"heartbeat_h": 0.0},
        )  # fmt: skip
        w = make(campaigns=(spec,))
        spread.append(
            w.one(
                "select avg(n) from (select count(distinct client_headers['x-stainless-os'] ||"
                " client_headers['x-stainless-runtime-version']) n from x where client_headers is not null"
                " group by account_id having count(*) > 20)"
            )
        )
    assert spread[0] == 1
    assert spread[1] > 3


def test_load_is_split_over_channels(make: Make) -> None:
    """Tenants of partner clouds carry their share, show no card or phone, and hand requests over to the others."""
    spec = CampaignSpec(
        variant="code", accounts=60, exchanges_per_account=40, level=0, dials={"cloud_share": 0.4}
    )
    w = make(campaigns=(spec,))
    by: dict[str, int] = dict(w.rows("select channel, count(distinct account_id) from x group by channel"))
    assert 12 <= by["bedrock"] + by["vertex"] <= 36
    assert by["api"] >= 24
    cloud = "select distinct account_id from x where channel in ('bedrock', 'vertex')"
    assert (
        w.one(
            f"select count(payment_digest) + count(phone_digest) from accounts where account_id in ({cloud})"
        )
        == 0
    )
    assert w.one(f"select count(*) from x where channel = 'api' and account_id in ({cloud})") == 0
    assert (
        w.one(
            "select count(*) from x a join x b using (prompt) where a.status <> 200 and b.status = 200"
            " and (a.channel = 'api') <> (b.channel = 'api') and b.started_at - a.started_at < interval 1 minute"
            " and length(prompt) > 20"
        )
        > 5
    )


def test_truth_plans_what_is_written(pooled: Written) -> None:
    """The truth's counts of the campaign are those of the log."""
    row = json.loads((pooled.folder / "truth" / "campaigns.jsonl").read_text())
    assert row["extraction_exchanges"] == pooled.one("select count(*) from marks where extraction")


def test_a_pool_without_members_is_refused() -> None:
    """It has nobody to deal to; the account before it is somebody else's."""
    nobody = np.array([], dtype=np.int64)
    with pytest.raises(ValueError, match="without members"):
        Pool(nobody, np.full(6, -1), np.ones(6), 4, 10, Deal(HOUR, 1.0, 1.0, 0.0, 1, False), [])
