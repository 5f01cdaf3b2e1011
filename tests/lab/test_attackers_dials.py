"""Every dial changes what it says and nothing else; rungs keep what lower rungs gave up; nonsense is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stillwatch.errors import ConfigError
from stillwatch.lab import build_world, load_scenario
from stillwatch.lab.attackers import LEVELS, Dials
from stillwatch.lab.attackers.dials import BOUNDS, override
from stillwatch.lab.attackers.poison import DECOY_CLASS
from stillwatch.lab.clients import FAMILIES
from stillwatch.lab.hashing import unit
from stillwatch.lab.people import Block
from stillwatch.lab.scenario import CampaignSpec
from stillwatch.lab.world import World
from tests.lab.conftest import Make, scenario

SPEC = CampaignSpec(variant="code", accounts=60, exchanges_per_account=30, level=0, templates=4)


def _world(dials: Mapping[str, float], **changes: Any) -> World:
    spec = replace(SPEC, dials=dials, **changes)
    return build_world(scenario(days=2, campaigns=(spec,)), seed=5)


def _events(world: World) -> dict[str, np.ndarray]:
    plan = world.events.sealed()
    out = plan.cut(0, len(plan))
    order = np.lexsort((out["nonce"], out["t"]))
    return {k: v[order] for k, v in out.items()}


def _accounts(block: Block) -> dict[str, list]:
    plan = block.plan_ip
    return {
        "payment": block.payment.tolist(), "created": block.created.tolist(), "programme": block.programme,
        "email": block.email, "family": block.family.tolist(), "variant": block.variant.tolist(),
        "device": block.device.tolist(), "exits": plan.base.tolist(), "spread": plan.spread.tolist(),
        "signup_ip": block.signup_ip.tolist(), "status": block.status, "status_at": block.status_at.tolist(),
        "phone": block.phone.tolist(), "plan": block.plan, "verification": block.verification,
        "org": block.org.tolist(), "country": block.country.tolist(),
    }  # fmt: skip


def _keys(events: dict[str, np.ndarray]) -> list[tuple[int, int]]:
    return list(zip(events["nonce"].tolist(), events["turn"].tolist(), strict=True))


def _asked(events: dict[str, np.ndarray]) -> set[tuple[int, int]]:
    return {k for k, status in zip(_keys(events), events["status"].tolist(), strict=True) if status == 200}


WORK = ("t", "seed", "nonce", "turn", "stream", "extraction", "model", "status", "account")

CLOUD = {"payment", "phone", "email", "verification", "plan", "programme", "family", "variant", "device"}
ONLY_ACCOUNTS = [
    ("own_card", 0.5, {"payment"}),
    ("aged", 0.5, {"created", "programme", "email"}),
    ("own_client", 0.5, {"family", "variant", "device"}),
    ("one_device", 0.0, {"device"}),
    ("residential", 0.1, {"exits", "signup_ip"}),
    ("exits_per_block", 2.0, {"exits", "signup_ip", "spread"}),
    ("cloud_share", 0.3, CLOUD),
]


@pytest.mark.parametrize(("dial", "value", "accounts"), ONLY_ACCOUNTS, ids=[r[0] for r in ONLY_ACCOUNTS])
def test_a_dial_of_identity_leaves_the_work_alone(dial: str, value: float, accounts: set[str]) -> None:
    """Account fields change that belong to the dial; the queue, its times and its dealing stay as they were."""
    still = {"passed_devices": 0.0, "ban_share": 0.0}
    before, after = _world(still), _world({**still, dial: value})
    old, new = _accounts(before.blocks[0]), _accounts(after.blocks[0])
    changed = {k for k in old if old[k] != new[k]}
    assert changed
    assert changed <= accounts
    a, b = _events(before), _events(after)
    assert {k for k in WORK if not np.array_equal(a[k], b[k])} == set()


def test_heartbeats_are_extra_and_change_nothing_else() -> None:
    """Without them the rest of the traffic is the same, event by event."""
    before, after = _world({"heartbeat_h": 4.0}), _world({"heartbeat_h": 0.0})
    assert _accounts(before.blocks[0]) == _accounts(after.blocks[0])
    a, b = _events(before), _events(after)
    hello = np.array([s.length == (0.0, 0.01) for s in before.streams])[a["stream"]]
    assert hello.sum() > 200
    assert np.array_equal(a["nonce"][~hello], b["nonce"])
    assert np.array_equal(a["t"][~hello], b["t"])


ONLY_WORK = [
    ("pivot", 0.0, {"model"}),
    ("human_hours", 1.0, {"t", "account", "status", "model"}),
    ("jitter_s", 1800.0, {"t", "account", "status", "model"}),
    ("failover", 0.0, {"t", "account", "status", "model"}),
    ("rotation", 0.0, {"t", "account", "status", "model"}),
    ("sticky_s", 60.0, {"t", "account", "status", "model"}),
    ("staged", 0.8, {"t", "account", "status", "model"}),
]


@pytest.mark.parametrize(("dial", "value", "columns"), ONLY_WORK, ids=[r[0] for r in ONLY_WORK])
def test_a_dial_of_work_leaves_accounts_and_payloads_alone(
    dial: str, value: float, columns: set[str]
) -> None:
    """Who the accounts are stays, and so does what is asked; only when, where and of which model changes."""
    still = {"heartbeat_h": 0.0, "ban_share": 0.0}
    before, after = _world(still), _world({**still, dial: value})
    assert _accounts(before.blocks[0]) == _accounts(after.blocks[0])
    a, b = _events(before), _events(after)
    done_a, done_b = (_asked(e) for e in (a, b))
    # Requests pushed over the end of the window by a delay fall away; nothing is asked that was not asked before.
    assert len(done_a ^ done_b) <= 0.06 * len(done_a)
    both = {k: i for i, k in enumerate(_keys(a))}
    rows = [(both[k], i) for i, k in enumerate(_keys(b)) if k in both]
    left, right = (np.array(x) for x in zip(*rows, strict=True))
    for column in {"seed", "stream", "extraction", "model"} - columns:
        assert np.array_equal(a[column][left], b[column][right]), column
    assert any(len(a[c]) != len(b[c]) or not np.array_equal(a[c], b[c]) for c in columns), (
        "the dial did nothing"
    )


def test_paraphrase_rewords_its_share_of_lines_and_keeps_payloads() -> None:
    """Seeds, times and accounts stay; about half of the extraction speaks through varied voices."""
    before, after = _world({}), _world({"paraphrase": 0.5})
    a, b = _events(before), _events(after)
    for column in set(WORK) - {"stream"}:
        assert np.array_equal(a[column], b[column]), column
    spoken = {name: n for name, n in after.library._ids.items() if name.endswith("True")}
    varied = np.isin([after.streams[s].voice for s in b["stream"]], list(spoken.values()))
    assert 0.25 < varied[b["extraction"]].mean() < 0.75
    assert not varied[~b["extraction"]].any()


def test_templates_sets_how_many_wordings_there_are() -> None:
    """One stream per template."""
    for wanted in (1, 7):
        e = _events(_world({"templates": wanted}))
        assert len(np.unique(e["stream"][e["extraction"]])) == wanted


def test_cover_follows_the_share_and_the_queue_does_not_slow_down() -> None:
    """Extraction share 0.2 means a fifth of the exchanges."""
    for share in (0.2, 0.9):
        e = _events(_world({"extraction_share": share, "heartbeat_h": 0.0}))
        assert abs(e["extraction"].mean() - share) < 0.06


def test_daily_cap_holds_on_average_and_the_rest_is_delay() -> None:
    """Ten a day where fifteen were wanted: a third less work, half as long again."""
    world = _world({"daily_cap": 10, "heartbeat_h": 0.0, "extraction_share": 1.0})
    row = world.campaigns[0]
    assert row["planned"] <= 60 * 2 * 10 * 1.1
    assert row["delay_days"]["daily_cap"] == pytest.approx(2 * (60 * 30 / row["planned"] - 1), abs=0.01)


def test_padding_wraps_requests_in_small_talk() -> None:
    """Conversations appear whose later turns are no extraction."""
    e = _events(_world({"padding": 0.7, "extraction_share": 1.0, "heartbeat_h": 0.0}))
    assert (e["turn"] > 0).mean() > 0.2
    assert not e["extraction"][e["turn"] > 0].any()
    assert e["extraction"][e["turn"] <= 0].all()


def test_staged_accounts_join_one_by_one() -> None:
    """With 0.8 the last accounts start after two thirds of the time; without, all start early."""
    late = []
    for staged in (0.0, 0.8):
        e = _events(_world({"staged": staged, "heartbeat_h": 0.0, "ban_share": 0.0, "sticky_s": 600}))
        first = np.array([e["t"][e["account"] == a].min() for a in np.unique(e["account"])])
        late.append(float(np.percentile(first - e["t"].min(), 90) / (e["t"].max() - e["t"].min())))
    assert late[0] < 0.25
    assert late[1] > 0.6


def test_duplicates_are_asked_twice() -> None:
    """The dial is the share of payloads."""
    e = _events(_world({"duplicate_share": 0.3, "extraction_share": 1.0, "heartbeat_h": 0.0}))
    seeds = e["seed"][e["status"] == 200]
    again = len(seeds) - len(np.unique(seeds))
    assert 0.22 < again / len(np.unique(seeds)) < 0.38


def test_turning_a_dial_up_hides_more_of_the_same_accounts() -> None:
    """Who has a card of its own at 0.3 still has it at 0.6."""
    own = []
    for share in (0.3, 0.6):
        payment = _world({"own_card": share}).blocks[0].payment
        values, counts = np.unique(payment, return_counts=True)
        own.append(set(np.flatnonzero(np.isin(payment, values[counts == 1])).tolist()))
    assert own[0] < own[1]


def test_shells_look_trusted_and_share_the_campaigns_traits() -> None:
    """Verified, old, declared apart; the campaign's exits and client; nothing of theirs is extraction."""
    world = _world({"shells": 0.5})
    main, shells = world.blocks[0], world.blocks[-1]
    assert shells.size == 30
    assert set(shells.verification) == {"business", "identity"}
    assert (shells.created < world.start - 90 * 86_400_000_000).all()
    assert len(np.unique(shells.declared)) == 30
    assert set(shells.plan_ip.base.tolist()) <= set(main.plan_ip.base.tolist())
    assert set(shells.family.tolist()) <= set(main.family.tolist())
    assert set(shells.org.tolist()) == set(main.org.tolist())
    e = _events(world)
    theirs = e["account"] >= shells.first
    assert theirs.sum() > 100
    assert not e["extraction"][theirs].any()
    assert len(np.unique(e["seed"][theirs])) <= 20


def test_decoy_users_are_honest_and_share_product_and_client() -> None:
    """The campaign's system prompt and program, their own organisations; no extraction, no campaign."""
    world = _world({"decoy": 1.0})
    users = next(b for b in world.blocks if b.kind == DECOY_CLASS)
    assert users.size == 60
    assert users.campaign is None
    assert len(np.unique(users.org)) == 60
    e = _events(world)
    campaign = {world.streams[s].system for s in np.unique(e["stream"][e["extraction"]])}
    theirs = (e["account"] >= users.first) & (e["account"] < users.first + users.size)
    assert len(campaign) == 1
    assert campaign & {world.streams[s].system for s in np.unique(e["stream"][theirs])}
    assert {FAMILIES[c >> 40].name for c in e["client"][e["extraction"]]} == {"ide-plugin"}
    assert not e["extraction"][theirs].any()


def test_independent_people_share_nothing_but_the_buyer(make: Make) -> None:
    """Rung 8: own card, own address block, own client settings, no wording in common; the truth knows the buyer."""
    spec = CampaignSpec(variant="code", accounts=60, exchanges_per_account=40, level=8)
    w = make(days=2, campaigns=(spec,))
    assert w.one("select count(*) from truth where is_extractor") > 30
    assert w.one("select count(distinct org_key) from truth") == 1
    assert (
        w.one(
            "select count(*) - count(distinct payment_digest) from accounts where payment_digest is not null"
        )
        <= 3
    )
    shared = w.one(
        "select coalesce(max(n), 0) from (select count(distinct account_id) n from x join marks using (exchange_id)"
        " where extraction and system_prompt is null group by left(prompt, 60))"
    )
    assert shared <= 4
    blocks, accounts = w.rows(
        "select count(distinct regexp_extract(client_ip, '^\\d+\\.\\d+\\.\\d+')), count(distinct account_id) from x"
    )[0]
    assert blocks > 0.8 * accounts


def test_rungs_keep_what_lower_rungs_gave_up() -> None:
    """From rung to rung every dial stays or moves further the way the ladder moves it."""
    hides_more = {  # +1: higher hides more, -1: lower hides more
        "own_card": 1, "aged": 1, "own_client": 1, "one_device": -1, "passed_devices": -1, "exits_per_block": -1,
        "pivot": -1, "paraphrase": 1, "sticky_s": -1, "rotation": -1, "failover": -1, "jitter_s": 1,
        "duplicate_share": 1, "extraction_share": -1, "shells": 1, "decoy": 1, "natural": 1, "ban_share": -1,
        "heartbeat_h": -1,
    }  # fmt: skip
    for low, high in pairwise(LEVELS):
        assert low != high
        for f in fields(Dials):
            a, b = getattr(low, f.name), getattr(high, f.name)
            assert a == b or (b - a) * hides_more[f.name] > 0, f.name


def test_every_dial_has_bounds_that_hold_its_rungs() -> None:
    """No rung lies outside what a scenario may ask for."""
    assert set(BOUNDS) == {f.name for f in fields(Dials)}
    for level in LEVELS:
        for name, (low, high) in BOUNDS.items():
            assert low <= getattr(level, name) <= high


@pytest.mark.parametrize("changes", [{"colour": 1.0}, {"own_card": 1.5}, {"pivot": -0.1}, {"pivot": True}])
def test_impossible_dials_are_refused(changes: dict[str, float]) -> None:
    """Unknown names and values out of bounds stop the start."""
    with pytest.raises(ConfigError):
        override(LEVELS[0], changes)


@pytest.mark.parametrize(
    "extra",
    [
        "also = ['telepathy']",
        "headers = 'forged'",
        "victims = 3",
        "level = 9",
        "kind = 'framing'",
        "[campaigns.dials]\ncolour = 1",
        "kind = 'framing'\nvictims = 2\n[campaigns.imitation]\nvoice = 1.0",
        "[campaigns.imitation]\nexits = 1.0",
    ],
)
def test_scenarios_refuse_campaigns_that_cannot_be_built(tmp_path: Path, extra: str) -> None:
    """Each with its file and place."""
    path = tmp_path / "odd.toml"
    plain = "start = 2026-03-10\ndays = 1\n[[campaigns]]\nvariant = 'code'\naccounts = 5\nexchanges_per_account = 3\n"
    path.write_text(plain + extra + "\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"odd\.toml: campaigns\[0\]"):
        load_scenario(path)


OBSERVED = [
    "hydra_24k", "daily_26", "burst_4k", "proxy_20k", "relay_6", "variants", "languages", "pivot", "replacement",
    "channels",
]  # fmt: skip


@pytest.mark.parametrize("name", OBSERVED)
def test_observed_attackers_have_their_published_size(name: str) -> None:
    """Accounts and exchanges of the scenario file are those of the source."""
    campaigns = load_scenario(f"observed_{name}").campaigns
    accounts = sum(c.accounts for c in campaigns)
    exchanges = sum(c.accounts * c.exchanges_per_account for c in campaigns)
    expected = {
        "hydra_24k": (24_000, 16e6, 17e6), "daily_26": (25_000, 28.7e6, 28.9e6), "burst_4k": (15_000, 16_000, 40_000),
        "proxy_20k": (20_000, 0, 1e9), "relay_6": (12, 107_000, 108_000), "languages": (300, 100_000, 130_000),
    }  # fmt: skip
    if name in expected:
        want, low, high = expected[name]
        assert accounts == want
        assert low <= exchanges <= high
    assert exchanges > 0


@pytest.mark.parametrize("name", [*(f"observed_{n}" for n in OBSERVED), "ladder_L7", "ladder_L8", "framing"])
def test_attack_scenarios_can_be_scaled_down_and_planned(name: str) -> None:
    """At a hundredth they are planned in seconds, with every campaign and its bill in the world."""
    plan = load_scenario(name)
    small = replace(plan, ordinary=replace(plan.ordinary, accounts=0), honest={})
    world = build_world(small, seed=11, scale=0.01)
    assert len(world.campaigns) == len(plan.campaigns)
    for row in world.campaigns:
        assert row["planned"] > 0
        assert sum(row["cost"].values()) == pytest.approx(row["cost_usd"], abs=0.01)


def test_ladders_differ_by_the_rung_alone() -> None:
    """L7 and L8 hold the same population and campaigns as L6."""
    low = load_scenario("ladder_L6")
    for level in (7, 8):
        high = load_scenario(f"ladder_L{level}")
        assert (high.ordinary, high.honest, high.days) == (low.ordinary, low.honest, low.days)
        assert tuple(replace(c, level=6) for c in high.campaigns) == low.campaigns


def test_bans_come_in_waves_when_asked_for() -> None:
    """Three waves: every ban at one of three moments."""
    world = _world({}, ban_share=0.5, ban_waves=3)
    at = world.blocks[0].status_at
    assert len(np.unique(at[at > 0])) <= 3
    assert (at > 0).sum() == 30


def test_a_dial_is_a_hash_of_the_account_and_not_of_its_place() -> None:
    """The same key is on the same side of the dial wherever it stands."""
    key = np.arange(10, dtype=np.uint64)
    assert np.array_equal((unit(key, 202) < 0.5)[::-1], unit(key[::-1], 202) < 0.5)


def test_the_page_has_every_dial_with_its_value_on_the_lowest_rung() -> None:
    """A dial, or a default, that changes without the page fails."""
    page = (Path(__file__).parents[2] / "docs" / "lab_attackers.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| ([0-9.]+) \|", page, flags=re.M))
    assert {name: float(value) for name, value in rows.items()} == {
        f.name: getattr(LEVELS[0], f.name) for f in fields(LEVELS[0]) if f.name not in ("ban_share", "heartbeat_h")
    }  # fmt: skip
