"""Framers: each imitation gives what it says, victims stay honest, and a known cost of framing is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import ConfigError
from stillwatch.lab import build_world, load_scenario
from stillwatch.lab.attackers.check import check_campaign
from stillwatch.lab.attackers.dials import LEVELS as DIALS
from stillwatch.lab.attackers.framer import SENSELESS, VICTIM_CLASS
from stillwatch.lab.attackers.imitation import CANNOT, Imitation
from stillwatch.lab.evasion_search import Axis, Budget
from stillwatch.lab.evasion_setup import Setup
from stillwatch.lab.evasion_trial import Seen
from stillwatch.lab.framing import LEVELS, SPACE, framed_of, framing, with_imitation
from stillwatch.lab.people import FREE_MAIL
from stillwatch.lab.scenario import CampaignSpec
from tests.lab.conftest import Make, Written, scenario

JOIN = "x join truth using (account_id) join accounts using (account_id)"


def _framed(make: Make, **copy: float) -> Written:
    spec = CampaignSpec(
        variant="code", kind="framing", victims=3, accounts=30, exchanges_per_account=40, level=1, imitation=copy,
        dials={"heartbeat_h": 0.0, "extraction_share": 0.9},
    )  # fmt: skip
    return make(days=2, campaigns=(spec,))


@pytest.fixture(scope="module")
def plain(make: Make) -> Written:
    """Framing accounts that imitate nobody."""
    return _framed(make)


def _shared(w: Written, what: str) -> float:
    """Share of framing accounts with a value of ``what`` that a victim has too."""
    victims = f"select {what} from {JOIN} where class = '{VICTIM_CLASS}'"
    hit, total = w.rows(
        f"select count(distinct account_id) filter ({what} in ({victims})), count(distinct account_id)"
        f" from {JOIN} where class = 'framing'"
    )[0]
    return float(hit / total)


def test_victims_are_honest(plain: Written) -> None:
    """Own organisations and cards, no campaign, no extraction, and the truth calls them framed."""
    rows = plain.rows(
        f"select count(*), count(distinct org_key), sum(extraction_exchanges), count(campaign_id), min(exchanges)"
        f" from truth where class = '{VICTIM_CLASS}'"
    )[0]
    assert rows[:4] == (3, 3, 0, 0)
    assert rows[4] >= 5
    assert plain.one("select count(*) from truth where class = 'framing' and is_extractor") > 25


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("exits", "regexp_extract(client_ip, '^\\d+\\.\\d+\\.\\d+')"),
        ("client", "user_agent || tls_fingerprint || coalesce(client_headers::varchar, '')"),
        ("signup", "created_at::date"),
    ],
)
def test_imitation_of_accounts_follows_its_dial(make: Make, plain: Written, name: str, what: str) -> None:
    """None at 0, about half at 0.5, all at 1."""
    assert _shared(plain, what) <= 0.1
    assert 0.2 <= _shared(_framed(make, **{name: 0.5}), what) <= 0.8
    assert _shared(_framed(make, **{name: 1.0}), what) >= 0.9


def test_mail_domains_are_imitated_only_where_they_are_public() -> None:
    """Under a public provider every framer has its victim's domain; a company's own domain cannot be had."""
    spec = CampaignSpec(
        variant="code", kind="framing", victims=9, accounts=36, exchanges_per_account=5, level=1,
        imitation={"email": 1.0},
    )  # fmt: skip
    victims, framers = build_world(scenario(campaigns=(spec,)), seed=5).blocks
    public = [victims.email[k % 9] in FREE_MAIL for k in range(framers.size)]
    assert 0 < sum(public) < len(public)
    assert [framers.email[k] == victims.email[k % 9] for k in range(framers.size)] == public


def test_templates_are_the_victims_own(make: Make, plain: Written) -> None:
    """Framing requests open with a victim's system prompt or instruction."""
    opening = "coalesce(system_prompt, left(prompt, 30))"
    assert _shared(plain, opening) == 0
    assert _shared(_framed(make, template=1.0), opening) > 0.8


def test_payloads_are_repeated_and_requests_shadowed(make: Make, plain: Written) -> None:
    """What a victim asked comes again from a framer; a framer follows a victim within a minute."""
    again = (
        "select count(*) from x a join truth ta on a.account_id = ta.account_id and ta.class = 'framing'"
        " join x b on a.prompt = b.prompt join truth tb on b.account_id = tb.account_id"
        f" and tb.class = '{VICTIM_CLASS}'"
    )
    near = (
        "select avg(exists(select 1 from x b join truth tb using (account_id)"
        f" where tb.class = '{VICTIM_CLASS}' and x.started_at > b.started_at"
        " and x.started_at < b.started_at + interval 61 second)::int) from x join truth using (account_id)"
        " where truth.class = 'framing'"
    )
    assert plain.one(again) == 0
    assert _framed(make, template=1.0, payload=0.3).one(again) > 50
    assert _framed(make, timing=0.8).one(near) > plain.one(near) + 0.3


def test_what_cannot_be_imitated_is_not_imitated(make: Make) -> None:
    """With everything turned up, framers share no card, phone, answer or sealed block with a victim."""
    w = _framed(make, **{f.name: 1.0 for f in fields(Imitation) if f.name != "timing"})
    for what in ("payment_digest", "phone_digest"):
        assert _shared(w, f"coalesce({what}, account_id)") == 0
    quoted = w.one(
        f"select count(*) from x a join truth ta using (account_id), x b join truth tb using (account_id)"
        f" where ta.class = '{VICTIM_CLASS}' and tb.class = 'framing' and length(a.completion) > 60"
        " and contains(coalesce(b.messages, b.prompt), a.completion)"
    )
    assert quoted == 0
    assert {"payment digest", "output provenance", "sealed blocks"} <= set(CANNOT)


def by_block(traffic: Path) -> Path:
    """A detector that can be framed: a block of ten or more accounts comes to review, one of 25 to act."""
    table = pq.read_table(traffic / "exchanges", columns=["account_id", "client_ip"]).to_pylist()
    users: dict[str, set[str]] = {}
    for row in table:
        users.setdefault(row["client_ip"].rsplit(".", 2)[0], set()).add(row["account_id"])
    hints = dict.fromkeys((r["account_id"] for r in table), "none")
    for accounts in sorted(users.values(), key=len):
        if len(accounts) >= 10:
            hints.update(dict.fromkeys(accounts, "act" if len(accounts) >= 25 else "review"))
    run = traffic.parent / "run"
    run.mkdir()
    columns = {"account_id": list(hints), "disposition_hint": list(hints.values())}
    pq.write_table(pa.table(columns), run / "accounts.parquet")
    return run


def _setup(detector: Any) -> Setup:
    spec = CampaignSpec(
        variant="code", kind="framing", victims=1, accounts=12, exchanges_per_account=10,
        dials={"heartbeat_h": 0.0, "ban_share": 0.0, "exits_per_block": 2.0},
    )  # fmt: skip
    plan = scenario(ordinary=10, campaigns=(spec,), completions="none")
    return Setup(detector, "by block", plan, (11,), (12, 13, 14), {})


@pytest.mark.slow
def test_the_cost_of_framing_is_found_where_it_is_known(tmp_path: Path) -> None:
    """A victim's block needs ten accounts for review and 25 for act, each ten dollars for an exit near the victim."""
    space = {"accounts": Axis(6, 60, integer=True), "imitate_exits": Axis(0, 1)}
    report = framing(_setup(by_block), seed=2, budget=Budget(22, 0), out=tmp_path, space=space)
    review, act = (report["levels"][level] for level in LEVELS)
    for level, needed in ((review, 9), (act, 24)):
        assert level["cost_usd"] > needed * 0.6 * 10
        assert level["cost_usd"] in [c["cost_usd"] for c in level["candidates"]]
        for c in level["candidates"]:
            s = c["settings"]
            assert s["accounts"] * s["imitate_exits"] > 0.6 * needed
            low, high = c["share_framed_interval"]
            assert low <= c["share_framed"] <= high
    assert act["cost_usd"] > review["cost_usd"]
    assert report["cannot_be_imitated"] == dict(CANNOT)
    assert (tmp_path / "framing.json").exists()


def test_a_detector_that_cannot_be_framed_is_not_said_to_be_proof(tmp_path: Path) -> None:
    """Nothing found is reported with what was tried, without a cost."""

    def blind(traffic: Path) -> Path:
        run = traffic.parent / "run"
        run.mkdir()
        empty = {"account_id": pa.array([], pa.string()), "disposition_hint": pa.array([], pa.string())}
        pq.write_table(pa.table(empty), run / "accounts.parquet")
        return run

    report = framing(_setup(blind), seed=2, budget=Budget(3, 0), out=tmp_path)
    for level in LEVELS:
        assert report["levels"][level]["cost_usd"] is None
        assert report["levels"][level]["tried"] == 3
        assert "no proof" in report["levels"][level]["reading"]


def test_victims_are_counted_by_level() -> None:
    """`act` counts for review as well."""
    hints: Mapping[str, str] = {"a": "review", "b": "act", "c": "none", "z": "act"}
    truth = tuple({"account_id": n, "class": VICTIM_CLASS if n != "z" else "framing"} for n in "abcz")
    got = framed_of(Seen(truth, hints, ({"cost_usd": 5.0},)))
    assert got.victims == 3
    assert dict(got.reached) == {"review": 2, "act": 1}


def test_the_search_space_covers_every_imitation() -> None:
    """No imitation is left out of the search; a scenario without framers is refused."""
    assert {k.removeprefix("imitate_") for k in SPACE if k.startswith("imitate_")} == {
        f.name for f in fields(Imitation)
    }
    spec = with_imitation(
        load_scenario("framing_small"), {"imitate_exits": 0.4, "accounts": 9}, {}
    ).campaigns[0]
    assert dict(spec.imitation)["exits"] == 0.4
    assert spec.accounts == 9
    with pytest.raises(ConfigError):
        with_imitation(load_scenario("evasion_small"), {}, {})


@pytest.mark.parametrize("name", SENSELESS)
def test_dials_that_make_no_sense_for_framing_are_refused(name: str) -> None:
    """In a scenario file, and in a spec made by hand."""
    spec = CampaignSpec(
        variant="code", kind="framing", victims=2, accounts=9, exchanges_per_account=9, dials={name: 0.5}
    )
    with pytest.raises(ConfigError, match=name):
        check_campaign(spec, "here")
    with pytest.raises(ConfigError, match=name):
        build_world(scenario(campaigns=(spec,)), seed=5)


def test_no_rung_lets_a_framer_harvest_on_the_victims_accounts() -> None:
    """Rung 8 once left the pool without members, and dealt its work to the account before them: a victim."""
    for level in range(len(DIALS)):
        spec = CampaignSpec(
            variant="code", kind="framing", victims=2, accounts=9, exchanges_per_account=9, level=level
        )
        if level >= 7:
            with pytest.raises(ConfigError, match="shells"):
                check_campaign(spec, "here")
            continue
        world = build_world(scenario(campaigns=(spec,)), seed=5)
        rows = world.events.sealed()
        victims = world.blocks[0]
        for _, batch in rows.batches(10_000):
            on_victims = batch["account"] < victims.first + victims.size
            assert on_victims.any()
            assert not batch["extraction"][on_victims].any()
