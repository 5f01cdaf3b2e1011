"""Suites: reading them, running cells, going on, several processes, failures, time to detect, the page."""

from __future__ import annotations

import json
import re
import shutil
import sys
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import ConfigError, VerificationError
from stillwatch.lab import generate
from stillwatch.lab.discipline import LEDGER, Family, Ledger, open_truth, stamp
from stillwatch.lab.leaderboard import leaderboard, render_page
from stillwatch.lab.leaderboard.table import _delay
from stillwatch.lab.scenario import CampaignSpec
from stillwatch.lab.scoring import rate_of
from stillwatch.lab.suite import Moment, choose, detection_delay, load_suite, run_suite, suites
from stillwatch.lab.suite import run as run_module
from stillwatch.lab.suite import world as world_module
from stillwatch.lab.suite.prefix import write_prefix
from tests.lab.conftest import scenario

WORLD = """
description = "A campaign of ten among 60 ordinary accounts, for a test."
start = 2026-03-10
days = 1
[ordinary]
accounts = 60
exchanges_per_day = 3.0
[[campaigns]]
variant = "code"
accounts = 10
exchanges_per_account = 12
"""
SUITE = """
title = "two small worlds"
version = 3
detectors = ["stillwatch"]
[[worlds]]
scenario = "tiny.toml"
seeds = [201, 202]
[[ablations]]
id = "half"
title = "finds half"
settings = { "detect.kappa" = 1.0 }
"""
COUNTING = """
import sys, pathlib
import pyarrow as pa, pyarrow.parquet as pq
traffic, out = map(pathlib.Path, sys.argv[1:])
assert not (traffic / "truth").exists() and not (traffic / "world.json").exists()
counts = pq.read_table(traffic / "exchanges")["account_id"].value_counts()
rows = [c.as_py() for c in counts]
pq.write_table(pa.table({"account_id": [r["values"] for r in rows],
                         "score": [float(r["counts"]) for r in rows]}), out / "scores.parquet")
"""


@dataclass
class Runner:
    """A detector that groups accounts whose user agent is shared by ten accounts or more."""

    version: str = "9.9"
    runs: list[tuple[Path, dict]] = field(default_factory=list)
    prepared: list[Path] = field(default_factory=list)

    def check(self, settings: Mapping[str, Any], drop_traits: tuple[str, ...]) -> None:
        if set(settings) - {"detect.kappa"}:
            raise ConfigError("no such setting")

    def prepare(self, traffic: Path, out: Path) -> None:
        self.prepared.append(traffic)
        out.mkdir()

    def __call__(
        self, traffic: Path, out: Path, settings: Mapping[str, Any], drop_traits: tuple[str, ...], *,
        features: Path | None = None,
    ) -> None:  # fmt: skip
        assert not (traffic / "truth").exists(), "a detector never sees the truth"
        assert features is None or (features.is_dir() and traffic not in features.parents)
        self.runs.append((traffic, dict(settings)))
        out.mkdir(parents=True)
        ids = sorted(set(pq.read_table(traffic / "exchanges")["account_id"].to_pylist()))
        chosen = ids[:: 2 if settings else 1]
        pq.write_table(
            pa.table({"campaign_id": ["g"] * len(chosen), "account_id": chosen}), out / "members.parquet"
        )


@pytest.fixture
def suite_file(tmp_path: Path) -> Path:
    """A suite and its scenario."""
    (tmp_path / "tiny.toml").write_text(WORLD)
    (tmp_path / "pair.toml").write_text(SUITE)
    return tmp_path / "pair.toml"


@pytest.fixture
def held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every scenario is one for validation."""
    for module in (run_module, world_module):
        monkeypatch.setattr(module, "split_of", lambda _: "validate")


def test_shipped_suites_can_be_read() -> None:
    """Each has a title, worlds whose scenarios exist, and detectors; the ladder has every rung there is."""
    from stillwatch.lab import load_scenario
    from stillwatch.lab import scenarios as all_scenarios

    assert {"smoke", "ladder", "honest", "load", "compare", "mixtures", "observed", "sealed"} == set(suites())
    for name, title in suites().items():
        suite = load_suite(name)
        assert title
        assert [load_scenario(w.scenario).name for w in suite.worlds]
    rungs = {w.scenario for w in load_suite("ladder").worlds}
    assert rungs == {s for s in all_scenarios() if s.startswith("ladder_L")}
    reported = {w.scenario for w in load_suite("observed").worlds}
    assert reported == {s for s in all_scenarios() if s.startswith("observed_")}
    assert all(s > 22 for w in load_suite("ladder").worlds for s in w.seeds), "no seed of the development"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("seeds = [201, 202]|seeds = 3", "seeds is 3"),
        ("seeds = [201, 202]|seeds = [1, 1]", "a world is listed twice"),
        ("seeds = [201, 202]|seeds = []", "no seeds"),
        ("seeds = [201, 202]|sede = [1]", "unknown keys sede"),
        ("version = 3|version = 3\ndetector = 1", "unknown keys detector"),
        ('id = "half"|id = "Half It"', "needs an id"),
        ("[[worlds]]|[[planets]]", "worlds must be tables"),
        ("version = 3|version = ", "not valid TOML"),
        ('seeds = [201, 202]|seeds = "9-3"', "no seeds"),
        ("seeds = [201, 202]|seeds = [1]\nscale = 0.0", "scale is 0.0"),
        ('seeds = [201, 202]|seeds = [1]\nscale = "half"', "scale is 'half'"),
        ("seeds = [201, 202]|seeds = [1]\nscale = true", "scale is True"),
        ("seeds = [201, 202]|seeds = [1]\ndelay = [2.0]", "delay is"),
        ("seeds = [201, 202]|seeds = [1]\ndelay = 0.5", "delay is 0.5"),
        ("version = 3|version = 'three'", "version is 'three'"),
        ('["stillwatch"]|"stillwatch"', "detectors is no list"),
        ('["stillwatch"]|[3]', "detectors is no list"),
        ("tiny.toml|absent.toml", "no file absent.toml"),
        ("tiny.toml|laddder_*", "no scenario fits laddder_"),
    ],
)
def test_suites_that_cannot_be_used_are_refused(suite_file: Path, change: str, said: str) -> None:
    """With what is wrong in them."""
    old, new = change.split("|")
    suite_file.write_text(SUITE.replace(old, new))
    with pytest.raises(ConfigError, match=said) as refused:
        load_suite(suite_file)
    assert refused.value.hint or any(s in said for s in ("twice", "needs an id", "TOML", "tables")), (
        "and what to do"
    )
    with pytest.raises(ConfigError, match="no suite absent"):
        load_suite("absent")


def test_a_suite_runs_goes_on_and_says_how_far_it_is(suite_file: Path, tmp_path: Path) -> None:
    """Four cells; the second time nothing is left to do; a new version of the detector runs again."""
    suite, runner = load_suite(suite_file), Runner()
    said: list[Moment] = []
    detectors = choose(suite, runner, ids=["stillwatch", "stillwatch/half"])
    cells = run_suite(suite, detectors, tmp_path / "out", runner=runner, told=said.append, now=lambda: "then")
    assert [(c["seed"], c["detector"]["id"]) for c in cells] == [
        (201, "stillwatch"), (201, "stillwatch/half"), (202, "stillwatch"), (202, "stillwatch/half"),
    ]  # fmt: skip
    assert [c["score"]["recall"] for c in cells][::2] == [1.0, 1.0]
    assert all(0 < c["score"]["recall"] < 1 for c in cells[1::2])
    assert [m.done for m in said] == [0, 1, 2, 3]
    assert said[0].left_s is None
    assert said[-1].left_s is not None
    assert not any(p.exists() for p, _ in runner.runs), "traffic is thrown away"
    entries = Ledger(tmp_path / "out" / LEDGER).entries()
    assert [(e["purpose"], e["seed"], e["at"]) for e in entries[::2]] == [
        ("report", 201, "then"),
        ("report", 202, "then"),
    ]

    again = run_suite(suite, detectors, tmp_path / "out", runner=runner, told=said.append)
    assert (again, len(runner.runs)) == (cells, 4)
    newer = Runner(version="10")
    run_suite(suite, choose(suite, newer), tmp_path / "out", runner=newer)
    assert len(newer.runs) == 2


def test_a_cut_off_line_and_a_failed_cell_run_again(suite_file: Path, tmp_path: Path) -> None:
    """A killed run leaves a half line; a failed cell leaves its reason; neither is taken for done."""
    suite, out = load_suite(suite_file), tmp_path / "out"

    class Failing(Runner):
        def __call__(self, *_: Any, **__: Any) -> None:
            raise RuntimeError("out of luck")

    detectors = choose(suite, Failing())
    cells = run_suite(suite, detectors, out, runner=Failing())
    assert [c["error"] for c in cells] == ["RuntimeError: out of luck"] * 2
    good = Runner()
    run_suite(suite, detectors, out, runner=good)
    assert len(good.runs) == 2
    lines = (out / "cells.jsonl").read_text().splitlines()
    (out / "cells.jsonl").write_text("\n".join(lines[:-1]) + "\n" + lines[-1][:40])
    cells = run_suite(suite, detectors, out, runner=good)
    assert len(good.runs) == 3
    assert all("score" in c for c in cells)


def test_commands_run_in_several_processes(suite_file: Path, tmp_path: Path) -> None:
    """Two worlds at a time give the cells that one at a time gives; the ledger's chain holds."""
    script = tmp_path / "counting.py"
    script.write_text(COUNTING)
    suite = load_suite(suite_file)
    command = f"counting={sys.executable} {script} {{traffic}} {{out}}"
    detectors = choose(suite, None, commands=[command])
    one = run_suite(suite, detectors, tmp_path / "one")
    two = run_suite(suite, detectors, tmp_path / "two", jobs=2)
    assert [c["score"]["ranking"] for c in one] == [c["score"]["ranking"] for c in two]
    assert [c.get("error") for c in two] == [None, None]
    assert len(Ledger(tmp_path / "two" / LEDGER).entries()) == 2


def test_a_program_that_was_changed_runs_again(suite_file: Path, tmp_path: Path) -> None:
    """Its files are its version: nobody reads the figures of an earlier program as those of the present one."""
    script, suite = tmp_path / "mine.py", load_suite(suite_file)
    command = f"mine={sys.executable} {script} {{traffic}} {{out}}"
    digests = []
    for text in (COUNTING, COUNTING + "# changed"):
        script.write_text(text)
        (detector,) = choose(suite, None, commands=[command])
        run_suite(suite, [detector], tmp_path / "out")
        digests.append(detector.digest)
    assert digests[0] != digests[1]
    assert len((tmp_path / "out" / "cells.jsonl").read_text().splitlines()) == 4


def test_the_detector_of_the_manual_runs(suite_file: Path, tmp_path: Path) -> None:
    """The program that docs/lab.md shows is run as it stands there."""
    manual = (Path(__file__).parents[2] / "docs" / "lab.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(import sys\n.*?)```", manual, re.DOTALL)
    (tmp_path / "mine.py").write_text(program)
    suite = load_suite(suite_file)
    command = f"mine={sys.executable} {tmp_path / 'mine.py'} {{traffic}} {{out}}"
    cells = run_suite(suite, choose(suite, None, commands=[command]), tmp_path / "out")
    assert [c.get("error") for c in cells] == [None, None]
    assert all(c["score"]["decides"] for c in cells)


def test_a_failing_command_is_told_by_its_last_line(suite_file: Path, tmp_path: Path) -> None:
    """And so is one that does not exist, or writes nothing; the other detectors run on."""
    suite = load_suite(suite_file)
    commands = [
        f"dying={sys.executable} -c 'import sys; sys.exit(\"no memory\")' {{traffic}} {{out}}",
        "absent=/no/such/program {traffic} {out}",
        "silent=true {traffic} {out}",
    ]
    runner = Runner()
    cells = run_suite(
        suite, choose(suite, runner, ids=["stillwatch"], commands=commands), tmp_path / "out", runner=runner
    )
    told = {c["detector"]["id"]: c.get("error", "") for c in cells}
    assert "ended with status 1: no memory" in told["dying"]
    assert "cannot be started" in told["absent"]
    assert "neither members.parquet nor scores.parquet" in told["silent"]
    assert told["stillwatch"] == ""
    table = leaderboard(cells, {"name": "x"})
    assert {f["detector"] for f in table["failed"]} == {"dying", "absent", "silent"}
    assert all(f["hint"] and "stillwatch-lab-" not in f["error"] for f in table["failed"]), (
        "no folder that is gone"
    )


def test_detectors_are_chosen_by_id(
    suite_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Ours, an ablation, a baseline of the registry, all of them; anything else gets a hint."""
    module = types.ModuleType("stillwatch.lab.baselines")

    def run_baseline(id: str, traffic: Path, out: Path) -> None:
        Runner()(traffic, out, {}, ())

    entry = types.SimpleNamespace(title="Requests per hour", version="1", source="a paper")
    module.BASELINES = {"rate_limit": entry, "ecod": entry}  # type: ignore[attr-defined]
    module.run_baseline = run_baseline  # type: ignore[attr-defined]
    suite, runner = load_suite(suite_file), Runner()
    monkeypatch.setitem(sys.modules, "stillwatch.lab.baselines", module)
    chosen = choose(suite, runner, ids=["stillwatch", "ablations", "baselines"])
    assert [d.id for d in chosen] == ["stillwatch", "stillwatch/half", "ecod", "rate_limit"]
    assert chosen[0].version == "9.9"
    cells = run_suite(suite, chosen[-1:], tmp_path / "out")
    assert [c["detector"]["title"] for c in cells] == ["Requests per hour"] * 2
    assert cells[0]["score"]["recall"] == 1.0
    for ids, said in (
        (["x"], "unknown detector x"),
        (["stillwatch/x"], "no ablation"),
        (["ecod", "ecod"], "twice"),
    ):
        with pytest.raises(ConfigError, match=said):
            choose(suite, runner, ids=ids)
    with pytest.raises(ConfigError, match="not at hand"):
        choose(suite, None)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("mine {traffic} {out}", "not a detector's command"),
        ("mine=run {traffic}", "where the traffic and the output go"),
        ("mine=run '{traffic} {out}", "quotes do not match"),
        ("Mine It=run {traffic} {out}", "not a name for a detector"),
        ("Mine=run {traffic} {out}", "not a name for a detector"),
        ("stillwatch=run {traffic} {out}", "stillwatch is the name of another detector"),
        ("baselines=run {traffic} {out}", "baselines is the name of another detector"),
        ("ecod=run {traffic} {out}", "ecod is the name of another detector"),
    ],
)
def test_commands_that_cannot_be_run_are_refused(suite_file: Path, command: str, said: str) -> None:
    """Before anything is generated."""
    with pytest.raises(ConfigError, match=said):
        choose(load_suite(suite_file), None, commands=[command])


def test_a_setting_that_does_not_exist_is_refused_before_anything_runs(suite_file: Path) -> None:
    """The runner is asked."""
    suite_file.write_text(SUITE.replace("detect.kappa", "detect.kapa"))
    with pytest.raises(ConfigError, match="no such setting"):
        choose(load_suite(suite_file), Runner(), ids=["ablations"])


@pytest.mark.usefixtures("held_out")
def test_a_suite_refuses_families_that_were_tuned_on(suite_file: Path, tmp_path: Path) -> None:
    """One seed opened for tuning anywhere that is known takes the family; --purpose tune goes on, marked."""
    suite, runner = load_suite(suite_file), Runner()
    detectors, out = choose(suite, runner), tmp_path / "out"
    cells = run_suite(suite, detectors, out, runner=runner)
    assert {c["score"]["standing"]["mark"] for c in cells} == {"held out"}
    elsewhere = tmp_path / "mine.jsonl"
    Ledger(elsewhere).append({"purpose": "tune", "scenario": "tiny", "seed": 202})
    with pytest.raises(ConfigError, match="tiny, seeds 201 to 202: truth was opened for tuning"):
        run_suite(suite, detectors, out, runner=runner, ledgers=[elsewhere])
    cells = run_suite(suite, detectors, out, runner=runner, ledgers=[elsewhere], purpose="tune")
    assert {c["score"]["standing"]["mark"] for c in cells} == {"tuning"}
    with pytest.raises(ConfigError, match="opened for tuning"):
        run_suite(suite, detectors, out, runner=runner)


@pytest.mark.usefixtures("held_out")
def test_a_ledger_cut_short_is_noticed(suite_file: Path, tmp_path: Path) -> None:
    """Every kept cell knows its opening: lines cut off at the end, or a ledger that is gone, are refused."""
    suite, runner = load_suite(suite_file), Runner()
    detectors, out = choose(suite, runner), tmp_path / "out"
    run_suite(suite, detectors, out, runner=runner)
    path = out / LEDGER
    whole = path.read_text()
    for less in (whole.splitlines()[0] + "\n", ""):
        path.write_text(less)
        with pytest.raises(VerificationError, match="kept cells are gone"):
            run_suite(suite, detectors, out, runner=runner)
    path.write_text(whole)
    assert run_suite(suite, detectors, out, runner=runner)


def test_the_words_about_time() -> None:
    """Before the first cell nobody can say how long it takes."""
    assert Moment(0, 4, "L0 seed 1, a", None).words == "1 of 4: L0 seed 1, a"
    assert Moment(3, 4, "L0 seed 1, a", 20.0).words.endswith("about 1 min left")


@pytest.fixture(scope="module")
def campaign_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day with one campaign of which accounts are banned and replaced."""
    place = tmp_path_factory.mktemp("delay") / "world"
    attack = CampaignSpec(variant="code", accounts=20, exchanges_per_account=40, ban_share=0.3)
    generate(scenario(ordinary=40, rate=4.0, campaigns=(attack,)), seed=11, out=place)
    stamp(place, Family("test", 11, 1.0))
    return place


def test_a_prefix_holds_nothing_from_later(campaign_world: Path, tmp_path: Path) -> None:
    """No exchange, account, ban, release or grant of the time after the cut."""
    log = pq.read_table(campaign_world / "exchanges")["started_at"].to_pylist()
    cut = int(sorted(log)[len(log) // 2].timestamp() * 1e6)
    world = tmp_path / "world"
    shutil.copytree(campaign_world, world)
    moments = {"past": "2026-01-01T00:00:00Z", "future": "2027-01-01T00:00:00Z", "always": None}
    grants = [json.dumps({"grant_id": name, "valid_from": when}) for name, when in moments.items()]
    (world / "grants.jsonl").write_text("\n".join(grants) + "\n")
    write_prefix(world, tmp_path / "prefix", cut)
    lines = (tmp_path / "prefix" / "grants.jsonl").read_text().splitlines()
    assert [json.loads(line)["grant_id"] for line in lines] == ["past", "always"]
    kept = pq.read_table(tmp_path / "prefix" / "exchanges")["started_at"].to_pylist()
    assert max(kept).timestamp() * 1e6 < cut
    assert len(kept) == sum(t.timestamp() * 1e6 < cut for t in log)
    before = {r["account_id"]: r for r in pq.read_table(campaign_world / "accounts.parquet").to_pylist()}
    after = {r["account_id"]: r for r in pq.read_table(tmp_path / "prefix" / "accounts.parquet").to_pylist()}
    late = {a for a, r in before.items() if r["created_at"].timestamp() * 1e6 >= cut}
    assert late
    assert after.keys() == before.keys() - late
    undone = [a for a, r in after.items() if before[a]["status"] == "banned" and r["status"] == "active"]
    assert undone
    for row in after.values():
        assert row["status_changed_at"] is None or row["status_changed_at"].timestamp() * 1e6 < cut
    for name in ("releases.jsonl", "client_releases.jsonl"):
        told = [json.loads(x)["released_at"] for x in (tmp_path / "prefix" / name).read_text().splitlines()]
        assert all(datetime.fromisoformat(t).timestamp() * 1e6 < cut for t in told)


def test_the_delay_of_a_detector_that_waits(campaign_world: Path, tmp_path: Path) -> None:
    """It calls accounts member once the log has 300 exchanges of the campaign: what was taken lies in the interval."""
    opened = open_truth(campaign_world, purpose="report")
    mine = {a for a, c in zip(opened.truth.ids, opened.truth.campaign, strict=True) if c}
    asked: list[int] = []

    def waiting(traffic: Path, out: Path) -> None:
        out.mkdir()
        ids = pq.read_table(traffic / "exchanges")["account_id"].to_pylist()
        seen = [a for a in ids if a in mine]
        asked.append(len(seen))
        who = sorted(set(seen)) if len(seen) >= 300 else []
        table = {"campaign_id": pa.array(["g"] * len(who)), "account_id": pa.array(who, pa.string())}
        pq.write_table(pa.table({k: v.cast(pa.string()) for k, v in table.items()}), out / "members.parquet")
        hints = {"account_id": who[:1], "disposition_hint": ["review"] * len(who[:1])}
        pq.write_table(
            pa.table({k: pa.array(v, pa.string()) for k, v in hints.items()}), out / "accounts.parquet"
        )

    found = detection_delay(campaign_world, opened, waiting, tmp_path, shares=(0.1, 0.25, 0.5, 1.0))
    (campaign,) = found["campaigns"]
    member = campaign["member"]
    assert member["taken_more_than"]["exchanges"] < 300 <= member["taken_at_most"]["exchanges"]
    assert member == campaign["review"]
    assert asked == sorted(asked)
    assert asked[-1] == member["taken_at_most"]["exchanges"], (
        "a campaign that was seen is not looked for again"
    )
    assert 0 < member["taken_at_most"]["extraction_exchanges"] <= member["taken_at_most"]["exchanges"]
    assert member["taken_at_most"]["output_tokens"] > member["taken_at_most"]["extraction_output_tokens"] > 0
    assert member["share_at_most"] == pytest.approx(
        member["taken_at_most"]["exchanges"] / campaign["exchanges"]
    )
    (account,) = found["by_account"]
    assert account["exchanges"] == member["taken_at_most"]["exchanges"], "no account was member before"
    assert account["exchanges"] + account["not_looked_for"]["exchanges"] == campaign["exchanges"]
    assert found["looks"][-1]["honest_members"]["hits"] == 0
    assert found["successors"], "six accounts are banned and replaced"
    for row in found["successors"]:
        assert row["replaces"] in mine
        if row["linked"]:
            assert row["sent_more_than"] <= row["sent_at_most"] <= row["exchanges"]
        else:
            assert row["sent_at_most"] is None
    assert not list(tmp_path.iterdir()), "prefixes are thrown away"


def test_after_the_last_look_nothing_is_missed_and_nothing_found(
    campaign_world: Path, tmp_path: Path
) -> None:
    """Everything is seen at the first look; accounts that began later were not looked for, which is no miss."""
    opened = open_truth(campaign_world, purpose="report")
    mine = {a for a, c in zip(opened.truth.ids, opened.truth.campaign, strict=True) if c}

    def quick(traffic: Path, out: Path) -> None:
        out.mkdir()
        who = sorted(mine & set(pq.read_table(traffic / "exchanges")["account_id"].to_pylist()))
        pq.write_table(
            pa.table({"campaign_id": ["g"] * len(who), "account_id": who}), out / "members.parquet"
        )
        hints = pa.table({"account_id": who, "disposition_hint": ["review"] * len(who)})
        pq.write_table(hints, out / "accounts.parquet")

    found = detection_delay(campaign_world, opened, quick, tmp_path, shares=(0.1, 0.5, 1.0))
    (campaign,), (account,) = found["campaigns"], found["by_account"]
    assert (len(found["looks"]), campaign["looks"]) == (1, 1)
    assert campaign["looked_until"] == pytest.approx(0.1, abs=0.02)
    assert account["accounts_member"] == account["accounts_looked_for"] < account["accounts"] == len(mine)
    assert account["exchanges"] == campaign["member"]["taken_at_most"]["exchanges"]
    assert (account["share"], account["not_looked_for"]["exchanges"]) == (
        1.0, campaign["exchanges"] - account["exchanges"],
    )  # fmt: skip
    late = [s for s in found["successors"] if not s["looks"]]
    assert late, "replacements that began after the only look"
    for row in late:
        assert (row["linked"], row["sent_more_than"], row["sent_at_most"]) == (None, None, None)
    assert all(s["linked"] for s in found["successors"] if s["looks"])


def test_a_look_that_cannot_be_is_refused(campaign_world: Path, tmp_path: Path) -> None:
    """No look at all, shares beyond the log, hours that are no number."""
    opened = open_truth(campaign_world, purpose="report")
    for shares, hours in (((), ()), ((0.0,), ()), ((1.5,), ()), ((), (float("nan"),)), ((), (-1.0,))):
        with pytest.raises(ConfigError, match="look"):
            detection_delay(campaign_world, opened, lambda *_: None, tmp_path, shares=shares, hours=hours)


def test_a_campaign_that_is_never_seen_has_no_delay(campaign_world: Path, tmp_path: Path) -> None:
    """None, not the whole log; looks may be hours."""
    opened = open_truth(campaign_world, purpose="report")

    def blind(traffic: Path, out: Path) -> None:
        out.mkdir()
        empty = pa.array([], pa.string())
        pq.write_table(pa.table({"campaign_id": empty, "account_id": empty}), out / "members.parquet")

    found = detection_delay(campaign_world, opened, blind, tmp_path, shares=(), hours=(6.0, 12.0))
    assert len(found["looks"]) == 2
    assert (found["campaigns"][0]["member"], found["campaigns"][0]["review"]) == (None, None)
    assert 0 < found["campaigns"][0]["looked_until"] < 1
    account = found["by_account"][0]
    assert account["share"] == 1.0
    assert account["not_looked_for"]["exchanges"] > 0, "the log goes on after twelve hours"
    begun = [s for s in found["successors"] if s["looks"]]
    assert begun
    assert not any(s["linked"] for s in begun)


class Page(HTMLParser):
    """Collects what a page would fetch, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.fetches: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetches += [v or "" for k, v in attrs if k in ("src", "href", "srcset", "xlink:href", "action")]


@pytest.mark.usefixtures("held_out")
def test_the_page_stands_alone_and_escapes(suite_file: Path, tmp_path: Path) -> None:
    """Nothing is fetched; a detector that calls itself a script stays text; equal tables give equal bytes."""
    suite = load_suite(suite_file)
    runner = Runner(version="<script>alert(1)</script>\u202e")
    cells = run_suite(
        suite, choose(suite, runner, ids=["stillwatch", "ablations"]), tmp_path / "out", runner=runner
    )
    table = leaderboard(
        cells,
        {
            "name": "pair",
            "title": "t",
            "version": 3,
            "purpose": "report",
            "generator": "1",
            "ledger": "0" * 64,
        },
    )
    assert json.loads(json.dumps(table)) == table
    text = render_page(table)
    assert render_page(json.loads(json.dumps(table))) == text
    page = Page()
    page.feed(text)
    assert page.fetches == []
    assert "script" not in page.tags
    assert "\u202e" not in text
    assert page.tags.count("svg") == 3
    assert not re.search(r"https?://|@import|url\(", text)
    assert "cannot be measured" in text
    assert "Over all held-out families" in text


def test_the_table_adds_counts_before_it_divides(suite_file: Path, tmp_path: Path) -> None:
    """Rates of a family are sums over its worlds; worlds for development never enter the total."""
    suite, runner = load_suite(suite_file), Runner()
    cells = run_suite(suite, choose(suite, runner, ids=["stillwatch/half"]), tmp_path / "out", runner=runner)
    table = leaderboard(cells, {"name": "pair"})
    (row,) = table["rows"]
    assert (row["family"], row["mark"], row["seeds"]) == ("tiny", "development", [201, 202])
    for figure in ("recall", "false_positives"):
        parts = [c["score"]["operating_points"]["member"][figure] for c in cells]
        whole = row["operating_points"]["member"][figure]
        assert whole["hits"] == sum(p["hits"] for p in parts)
        assert whole["total"] == sum(p["total"] for p in parts)
        assert whole["low"] < whole["share"] < whole["high"]
    assert row["recall_at"]["0.001"]["measured"] is False
    assert row["discovery"]["claimed"] == 2
    parts = [c["score"]["collateral"]["all"] for c in cells]
    assert row["orgs_wronged"]["claimed"]["hits"] == sum(p["orgs_claimed"] for p in parts) > 0
    for one, hits in zip(cells, (1, 0), strict=True):
        one["score"]["successors"] = {k: rate_of(hits, 2).row() for k in ("1-10", "11-100", "more")}
    (row,) = leaderboard(cells, {"name": "pair"})["rows"]
    assert {label: (r["hits"], r["total"]) for label, r in row["successors"].items()} == {
        "1-10": (1, 4),
        "11-100": (1, 4),
        "more": (1, 4),
    }


def test_looks_of_a_suite_come_with_its_cells(suite_file: Path, tmp_path: Path) -> None:
    """Asked for per family; the table has their median."""
    suite_file.write_text(SUITE.replace("seeds = [201, 202]", "seeds = [201]\ndelay = [0.5, 1.0]"))
    suite, runner = load_suite(suite_file), Runner()
    cells = run_suite(suite, choose(suite, runner), tmp_path / "out", runner=runner)
    delay = leaderboard(cells, {"name": "pair"})["rows"][0]["delay"]
    assert (delay["campaigns"], delay["unseen"], delay["not_looked_for"]) == (1, 0, 0)
    assert delay["median_share"] == pytest.approx(0.5, abs=0.02)


def test_a_median_that_falls_on_a_campaign_nobody_saw_is_none() -> None:
    """Campaigns that no look saw are later than the others; those that nobody looked for are left out."""
    seen = {"share_at_most": 0.1, "taken_at_most": {"exchanges": 10}}
    row = {"looks": 3, "member": seen}

    def middle(*campaigns: Mapping[str, Any]) -> Any:
        return _delay([{"delay": {"campaigns": list(campaigns)}}])

    assert middle(row, row | {"member": None}, row)["median_share"] == 0.1
    lost = middle(row, row | {"member": None}, row | {"member": None})
    assert (lost["median_share"], lost["median_exchanges"], lost["unseen"]) == (None, None, 2)
    unlooked = middle(row, row | {"member": None, "looks": 0}, row | {"member": None, "looks": 0})
    assert (unlooked["median_exchanges"], unlooked["unseen"], unlooked["not_looked_for"]) == (10, 0, 2)
    assert middle(row | {"looks": 0, "member": None}) is None
