"""The search finds known optima, can be cut short and taken up again, and reports on worlds it did not search."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import ConfigError
from stillwatch.lab import build_world, load_scenario
from stillwatch.lab.attackers.dials import BOUNDS
from stillwatch.lab.evasion import SPACE as DIALS
from stillwatch.lab.evasion import Yield, evasion, per_exchange, with_settings, yield_of
from stillwatch.lab.evasion_search import Axis, Budget, Outcome, pareto, search
from stillwatch.lab.evasion_setup import Setup
from stillwatch.lab.evasion_trial import Seen, run_trial
from stillwatch.lab.scenario import CampaignSpec, Scenario
from tests.lab.conftest import scenario

SPACE = {"x": Axis(0, 1), "y": Axis(0, 1), "n": Axis(1, 64, log=True, integer=True)}


def bowl(settings: Mapping[str, float]) -> Outcome:
    """One valley at x = 0.3, y = 0.8, n = 8."""
    d = (settings["x"] - 0.3) ** 2 + (settings["y"] - 0.8) ** 2 + 0.02 * math.log2(settings["n"] / 8) ** 2
    return Outcome((d,))


def test_guided_search_finds_a_known_optimum_better_than_chance() -> None:
    """After as many trials, the guided half is closer to the valley than random trials are, over seeds."""
    pytest.importorskip("optuna")
    guided, blind = [], []
    for seed in range(3):
        guided.append(min(t.values[0] for t in search(SPACE, bowl, seed=seed, budget=Budget(12, 38))))
        blind.append(min(t.values[0] for t in search(SPACE, bowl, seed=seed, budget=Budget(50, 0))))
    assert sum(guided) < sum(blind)
    assert max(guided) < 0.02


def test_two_aims_give_their_pareto_set() -> None:
    """Cost x against risk 1 - x: everything on the line is kept; points above it are not."""
    pytest.importorskip("optuna")

    def trade(s: Mapping[str, float]) -> Outcome:
        waste = 5 * (s["y"] - 0.5) ** 2
        return Outcome((s["x"] + waste, 1 - s["x"] + waste))

    trials = search({"x": Axis(0, 1), "y": Axis(0, 1)}, trade, seed=4, budget=Budget(15, 45))
    front = [trials[i] for i in pareto([t.values for t in trials])]
    assert len(front) >= 5
    assert sorted(abs(t.settings["y"] - 0.5) for t in front)[len(front) // 2] < 0.1


def test_pareto_against_the_definition() -> None:
    """A point is kept when nothing is at least as good everywhere and different; of equals the first."""
    points = [(3, 1), (1, 3), (2, 2), (2, 3), (3, 1), (0, 9)]
    assert pareto(points) == [0, 1, 2, 5]
    assert pareto([]) == []


def test_a_search_taken_up_again_makes_the_same_trials(tmp_path: Path) -> None:
    """Cut in the random part, in the guided part, and in the middle of a line."""
    pytest.importorskip("optuna")
    whole = search(SPACE, bowl, seed=3, budget=Budget(6, 6), store=tmp_path / "whole.jsonl")
    cut = tmp_path / "cut.jsonl"
    search(SPACE, bowl, seed=3, budget=Budget(4, 0), store=cut)
    search(SPACE, bowl, seed=3, budget=Budget(6, 2), store=cut)
    text = cut.read_text()
    cut.write_text(text[: len(text) - 20])
    assert search(SPACE, bowl, seed=3, budget=Budget(6, 6), store=cut) == whole
    assert cut.read_text() == (tmp_path / "whole.jsonl").read_text()


def test_a_store_of_another_search_is_refused(tmp_path: Path) -> None:
    """Another seed, space or subject is another search."""
    store = tmp_path / "s.jsonl"
    search(SPACE, bowl, seed=3, budget=Budget(2, 0), store=store)
    for change in ({"seed": 4}, {"about": "else"}):
        with pytest.raises(ConfigError, match="another search"):
            search(SPACE, bowl, **{"seed": 3, "budget": Budget(2, 0), "store": store, **change})  # type: ignore[arg-type]
    store.write_text("not json\n")
    with pytest.raises(ConfigError):
        search(SPACE, bowl, seed=3, budget=Budget(2, 0), store=store)


def test_the_budget_of_seconds_ends_the_search() -> None:
    """No trial begins after it."""
    assert search(SPACE, bowl, seed=1, budget=Budget(50, 0, seconds=0.0)) == []


def test_values_that_are_no_numbers_are_refused() -> None:
    """An evaluation that divides by nothing is a bug, not a trial."""
    with pytest.raises(ValueError, match="finite"):
        search(SPACE, lambda s: Outcome((float("nan"),)), seed=1, budget=Budget(1, 0))


def test_without_optuna_guided_search_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first trial, not after the last random one; random search needs nothing."""
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError) as caught:
        search(SPACE, bowl, seed=1, budget=Budget(3, 1))
    assert "stillwatch[lab]" in caught.value.hint
    assert len(search(SPACE, bowl, seed=1, budget=Budget(3, 0))) == 3


def counting(limit: int, seen: list[set[str]] | None = None) -> Any:
    """A cheap detector: whoever sends more than ``limit`` exchanges is hinted for review."""

    def detect(traffic: Path) -> Path:
        if seen is not None:
            seen.append({p.name for p in traffic.parent.rglob("*")})
        ids = pq.read_table(traffic / "exchanges", columns=["account_id"])["account_id"]
        counts = {r["values"]: r["counts"] for r in ids.value_counts().to_pylist()}
        run = traffic.parent / "run"
        run.mkdir()
        names = sorted(counts)
        hints = ["review" if counts[a] > limit else "none" for a in names]
        pq.write_table(pa.table({"account_id": names, "disposition_hint": hints}), run / "accounts.parquet")
        return run

    return detect


def _tiny() -> Scenario:
    spec = CampaignSpec(
        variant="code", accounts=10, exchanges_per_account=20, extraction_share=1.0,
        dials={"heartbeat_h": 0.0, "ban_share": 0.0},
    )  # fmt: skip
    return replace(scenario(ordinary=20, days=1, campaigns=(spec,), completions="none"), name="tiny")


@pytest.mark.slow
def test_the_frontier_lies_where_a_known_detector_puts_it(tmp_path: Path) -> None:
    """Against a limit of 20 an account, the most that is taken unseen comes from a mean safely below 20."""
    pytest.importorskip("optuna")
    setup = Setup(counting(20), "count 20", _tiny(), (11,), (12, 13, 14), {})
    space = {"exchanges_per_account": Axis(2, 200, log=True, integer=True)}
    report = evasion(setup, seed=1, budget=Budget(10, 14), out=tmp_path, space=space)
    best = max(report["frontier"], key=lambda p: p["search_values"]["taken_per_day"])
    assert 6 <= best["settings"]["exchanges_per_account"] <= 20
    assert all(p["settings"]["exchanges_per_account"] <= 22 for p in report["frontier"])
    assert report["trials"] == 24
    assert 0 < report["trials_under"] < 24
    for p in report["frontier"]:
        low, high = p["share_under_interval"]
        assert low <= p["share_under"] <= high
        assert high - low > 0.5  # three worlds prove little, and the report says so
    assert json.loads((tmp_path / "frontier.json").read_text()) == json.loads(json.dumps(report))
    lines = [json.loads(x) for x in (tmp_path / "trials.jsonl").read_text().splitlines()[1:]]
    svg = ElementTree.fromstring((tmp_path / "frontier.svg").read_text())  # noqa: S314 (our own file)
    circles = [e for e in svg.iter() if e.tag.endswith("circle")]
    tried = sum(t["values"][1] < 0 for t in lines)
    held = sum(p["held"] and p["cost_per_exchange_usd"] is not None for p in report["retried"])
    legend = 3
    assert len(circles) == legend + tried + held
    assert 0 < len(report["frontier"]) <= held
    again = evasion(setup, seed=1, budget=Budget(10, 14), out=tmp_path, space=space)
    assert again == report


def test_what_looked_good_once_is_tried_again_and_may_fail(tmp_path: Path) -> None:
    """A detector that is blind in one world only: several settings pass there, none holds, and nothing is reported."""
    worlds: list[int] = []

    def blind_once(traffic: Path) -> Path:
        worlds.append(1)
        return counting(10**9 if len(worlds) <= 4 else 0)(traffic)

    setup = Setup(blind_once, "blind once", _tiny(), (11,), (12, 13, 14), {})
    space = {"exchanges_per_account": Axis(5, 40, integer=True)}
    report = evasion(setup, seed=1, budget=Budget(4, 0), out=tmp_path, space=space)
    assert report["trials_under"] == 4
    assert len(report["retried"]) >= 2
    assert all(p["worlds_under"] == 0 and not p["held"] for p in report["retried"])
    assert report["frontier"] == []
    made = len(worlds)
    assert evasion(setup, seed=1, budget=Budget(4, 0), out=tmp_path, space=space) == report
    assert len(worlds) == made  # neither trials nor retries are made twice


def test_trials_under_other_conditions_are_never_mixed_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another scenario of the same name, another detector of the same name, other prices: another search."""
    space = {"exchanges_per_account": Axis(5, 40, integer=True)}
    setup = Setup(counting(0), "same", _tiny(), (11,), (12,), {}, digest="a")

    def go(changed: Setup) -> None:
        evasion(changed, seed=1, budget=Budget(1, 0), out=tmp_path, space=space)

    go(setup)
    go(setup)
    other = replace(setup.scenario, ordinary=replace(setup.scenario.ordinary, accounts=21))
    for change in ({"scenario": other}, {"digest": "b"}, {"base": {"own_card": 1.0}}):
        with pytest.raises(ConfigError, match="another search"):
            go(replace(setup, **change))
    monkeypatch.setattr("stillwatch.lab.evasion_setup.PRICES_DIGEST", "else")
    with pytest.raises(ConfigError, match="another search"):
        go(setup)


def test_dials_that_are_held_fixed_are_not_searched(tmp_path: Path) -> None:
    """Neither those of the scenario nor those of the setup; their values stay."""
    plan = _tiny()
    spec = replace(plan.campaigns[0], dials={"padding": 0.5, "heartbeat_h": 0.0})
    setup = Setup(counting(0), "x", replace(plan, campaigns=(spec,)), (11,), (12,), {"own_card": 1.0})
    report = evasion(setup, seed=1, budget=Budget(1, 0), out=tmp_path)
    (line,) = (tmp_path / "trials.jsonl").read_text().splitlines()[1:]
    tried = set(json.loads(line)["settings"])
    assert not tried & {"padding", "own_card", "extraction_share"}
    assert tried == set(DIALS) - {"padding", "own_card", "extraction_share"}
    assert report["held_fixed"] == {
        "padding": 0.5, "heartbeat_h": 0.0, "own_card": 1.0, "extraction_share": 1.0
    }  # fmt: skip
    assert with_settings(setup.scenario, {}, setup.base).campaigns[0].extraction_share == 1.0


def test_the_space_has_every_dial_an_evader_was_said_to_turn() -> None:
    """Paraphrase, templates, cover, client, exits, cards, pacing, low and slow, padding, staged start, the pivot."""
    asked = {
        "paraphrase", "templates", "extraction_share", "own_client", "residential", "exits_per_block", "own_card",
        "human_hours", "jitter_s", "exchanges_per_account", "padding", "staged", "pivot",
    }  # fmt: skip
    free = Setup(counting(0), "x", load_scenario("evasion_small"), (11,), (12,), {}).free(DIALS)
    assert asked <= set(free)
    for name, axis in free.items():
        low, high = BOUNDS.get(name, (0, 1e9))
        assert low <= axis.low < axis.high <= high


def test_the_compact_world_has_no_needless_give_away() -> None:
    """The careless campaign of the search shows no heartbeat, no common device, no customer's device and no ban."""
    world = build_world(load_scenario("evasion_small"), seed=11)
    (noted,) = world.campaigns
    dials = noted["dials"]
    assert {dials[n] for n in ("heartbeat_h", "one_device", "passed_devices", "ban_share")} == {0.0}
    crew = next(b for b in world.blocks if b.campaign == noted["campaign_id"])
    assert not crew.device.any()
    assert set(crew.status) == {"active"}
    assert with_settings(load_scenario("evasion_small"), {"pivot": 0.0}, {}).campaigns[0].dials["pivot"] == 0


def test_search_and_report_never_share_a_world() -> None:
    """A number is not reported on what it was tuned on."""
    with pytest.raises(ConfigError):
        Setup(counting(1), "x", _tiny(), (11, 12), (12,), {})
    with pytest.raises(ConfigError):
        Setup(counting(1), "x", _tiny(), (11,), (), {})


@pytest.mark.parametrize("split", ["validate", "sealed"])
def test_worlds_that_are_not_to_be_tuned_on_are_not_searched(split: str) -> None:
    """A search is tuning."""
    with pytest.raises(ConfigError, match=split):
        Setup(counting(1), "x", replace(_tiny(), split=split), (11,), (12,), {})


def test_the_detector_sees_no_truth() -> None:
    """Neither the folder nor a file of it nor what made the world lies in or beside the folder it is given."""
    seen: list[set[str]] = []
    run_trial(_tiny(), 11, counting(20, seen))
    assert seen
    assert not seen[0] & {"truth", "campaigns.jsonl", "world.json"}
    assert "accounts.parquet" in seen[0]


def test_yield_counts_extraction_of_unhinted_accounts_only() -> None:
    """Worked out by hand: 30 of 50 exchanges through accounts without a hint, in half a day."""
    rows = [("a", 30, "none"), ("b", 20, "review"), ("c", 0, "act")]
    truth = tuple(
        {"account_id": n, "campaign_id": "k", "extraction_exchanges": e, "exchanges": 40, "class": "campaign"}
        for n, e, _ in rows
    )
    bill = {
        "campaign_id": "k",
        "days": 0.5,
        "cost": {"cards": 60.0, "extraction_tokens": 2.0},
        "cost_usd": 62.0,
    }
    got = yield_of(Seen(truth, {n: h for n, _, h in rows}, (bill,)))
    assert got.taken_per_day == 60.0
    assert got.flagged_share == pytest.approx(0.4)
    assert per_exchange([got]) == pytest.approx((60 / 60 + 2) / 30)
    assert not got.under


def test_worlds_without_a_catch_count_in_the_price() -> None:
    """A setting that fails every second time costs twice as much; a mean over its good worlds would not say so."""
    good, bad = Yield(10, 10.0, 0.0, 5.0), Yield(0, 0.0, 1.0, 5.0)
    assert per_exchange([good, bad]) == pytest.approx(1.0)
    assert per_exchange([bad]) is None


def test_settings_reach_the_campaign_and_win_over_its_own_share() -> None:
    """Accounts, load and dials are set; what is held fixed stays; nothing else of the scenario changes."""
    plain = _tiny()
    settings = {"accounts": 9.0, "exchanges_per_account": 7.0, "own_card": 0.5, "extraction_share": 0.2}
    got = with_settings(plain, settings, {"pivot": 0.0})
    spec = got.campaigns[0]
    assert (spec.accounts, spec.exchanges_per_account, spec.extraction_share) == (9, 7.0, None)
    assert dict(spec.dials) == {
        "own_card": 0.5, "extraction_share": 0.2, "pivot": 0.0, "heartbeat_h": 0.0, "ban_share": 0.0
    }  # fmt: skip
    assert replace(got, campaigns=()) == replace(plain, campaigns=())


def test_the_compact_world_is_a_few_thousand_exchanges() -> None:
    """Small enough to be tried hundreds of times."""
    assert 2_000 < len(build_world(load_scenario("evasion_small"), seed=11).events) < 8_000
