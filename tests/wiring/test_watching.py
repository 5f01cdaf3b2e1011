"""When a watch looks, at which rates, and what passes from look to look. The look itself is a stand-in here."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stillwatch.detect.verdict import Verdict
from stillwatch.errors import ConfigError, SourceError, StillwatchError
from stillwatch.records import Kind, Member, Tier
from stillwatch.settings import RunSettings, Settings
from stillwatch.watch import Levels, Standing
from stillwatch.wiring import watching
from stillwatch.wiring.watch_look import Context, Looked, Plan, at_levels, combined
from stillwatch.wiring.watching import Visit, Watch, WatchOptions, watch, watch_status
from tests.cli.stub import a_campaign, a_result
from tests.conftest import KEY

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
SETTINGS = Settings(run=RunSettings(threads=1))
ENV = {"STILLWATCH_KEY": KEY}


class Told:
    """Progress that keeps what it was told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def step(self, name: str, total: float | None = None) -> None: ...
    def advance(self, amount: float) -> None: ...

    def note(self, text: str) -> None:
        self.notes.append(text)


class Bench:
    """A watch with a clock that is set by hand and looks that are written down."""

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch, looks: int = 3) -> None:
        self.logs = place / "logs"
        self.logs.mkdir()
        self.options = WatchOptions([str(self.logs)], place / "report", place / "report.state", looks=looks)
        self.now = NOON
        self.told = Told()
        self.plans: list[Plan] = []
        self.fail: Exception | None = None
        self.standing: tuple[Standing, ...] = ()
        monkeypatch.setattr(watching, "look", self._look)

    def _look(self, paths: list[Path], plan: Plan, **rest: Any) -> Looked:
        self.plans.append(plan)
        if self.fail is not None:
            raise self.fail
        result = a_result(timings={"total": 1.0}, watch=rest["about"] | {"look": plan.number})
        rest["out"].mkdir(exist_ok=True)
        (rest["out"] / "summary.json").write_text(json.dumps(result.summary, default=str))
        return Looked(result, self.standing, (), ())

    def write(self, number: int) -> None:
        """One more exchange."""
        row = {"exchange_id": f"e{number}", "started_at": (self.now - timedelta(minutes=5)).isoformat(),
               "account_id": f"a{number}", "model": "m", "prompt": "hello"}  # fmt: skip
        with (self.logs / "a.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")

    def visit(self, **change: Any) -> Visit:
        """A process that makes one visit."""
        options = replace(self.options, **change)
        with Watch(options, settings=SETTINGS, progress=self.told, env=ENV, now=lambda: self.now) as made:
            return made.visit()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def test_looks_come_at_their_times_and_share_the_day(bench: Bench) -> None:
    """One for each third of a day in which something is new; the first of a day has half of the rate."""
    for hour in range(36):
        bench.write(hour)
        bench.visit()
        bench.now += timedelta(hours=1)
    assert [(p.day, p.begun[11:13]) for p in bench.plans] == [
        ("2026-03-10", "12"), ("2026-03-10", "16"), ("2026-03-11", "00"), ("2026-03-11", "08"), ("2026-03-11", "16"),
    ]  # fmt: skip
    assert [p.levels.claim for p in bench.plans] == [0.5, 0.25, 0.5, 0.25, 0.25]
    assert all(p.levels.stand == 0.5 and p.levels.controller == pytest.approx(1 / 3) for p in bench.plans)


def test_nothing_new_is_not_looked_at(bench: Bench) -> None:
    """Neither an empty state nor one that was looked at already."""
    assert bench.visit().looked is None
    bench.write(1)
    assert bench.visit().looked is not None
    bench.now += timedelta(hours=8)
    assert bench.visit().looked is None
    bench.write(2)
    assert bench.visit().looked is not None


def test_what_lies_beside_the_logs_is_looked_at_again_when_it_changes(bench: Bench, tmp_path: Path) -> None:
    """A new grant, another account table, exchanges that left: each causes a look, and only once."""
    grants, accounts = tmp_path / "grants.jsonl", tmp_path / "accounts.jsonl"
    accounts.write_text("{}")
    context = Context(accounts=(str(accounts),), grants=str(grants))

    def later() -> bool:
        bench.now += timedelta(hours=8)
        return bench.visit(context=context).looked is not None

    bench.write(1)
    assert later()
    assert not later()
    grants.write_text("{}")
    assert later()
    assert not later()
    accounts.write_text("{ }")
    assert later()
    grants.unlink()
    assert later()
    assert not later()
    with sqlite3.connect(bench.options.state / "watch.sqlite") as db:
        db.execute("UPDATE segment SET rows = rows + 1")
    db.close()
    assert later()


def test_a_look_that_was_cut_short_is_made_again(bench: Bench) -> None:
    """By the next process: under the same number and time, at the same levels, before anything new is read."""
    bench.write(1)
    bench.fail = RuntimeError("cut")
    with pytest.raises(RuntimeError):
        bench.visit()
    bench.fail = None
    bench.write(2)
    bench.now += timedelta(hours=8)
    bench.visit()
    cut, again, fresh = bench.plans
    assert cut == again
    assert (fresh.number, fresh.levels.claim) == (again.number + 1, 0.25)


def test_more_looks_than_were_planned_do_not_overspend(bench: Bench) -> None:
    """When their number is changed within a day."""
    for number, looks in enumerate((1, 24, 24)):
        bench.write(number)
        bench.visit(looks=looks)
        bench.now += timedelta(hours=1)
    assert len(bench.plans) == 1
    assert "are spent" in bench.told.notes[-1]


def test_groups_pass_from_look_to_look(bench: Bench) -> None:
    """With the name, the time and the day under which they were known first."""
    group = Standing("G-1", "2026-03-10T12:00:00+00:00", "2026-03-10", frozenset({"a", "b"}))
    bench.standing = (group,)
    bench.write(1)
    bench.visit()
    bench.write(2)
    bench.now += timedelta(hours=8)
    bench.visit()
    assert [p.standing for p in bench.plans] == [(), (group,)]


def test_what_leaves_the_days_that_are_kept_is_gone(bench: Bench) -> None:
    """By the newest exchange, not by the clock: an archive is kept whole, and a clock that jumps drops nothing."""
    bench.write(1)
    bench.visit(keep_days=2)
    bench.now += timedelta(days=9)
    assert bench.visit(keep_days=2).retired == 0
    bench.write(2)
    assert bench.visit(keep_days=2).retired == 1
    assert watch_status(bench.options.state, bench.now)["counts"]["rows"] == 1


def test_only_its_own_folders_are_written_to(bench: Bench, tmp_path: Path) -> None:
    """A report or a state that holds something else is left as it is, and so is an earlier scan unless allowed."""
    bench.write(1)
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.txt").write_text("x")
    with pytest.raises(StillwatchError, match=r"holds 'mine\.txt'"):
        bench.visit(out=other)
    with pytest.raises(ConfigError, match=r"holds 'mine\.txt', which no watch wrote"):
        bench.visit(state=other)
    assert [p.name for p in other.iterdir()] == ["mine.txt"]
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "summary.json").write_text("{}")
    with pytest.raises(StillwatchError, match="already holds"):
        bench.visit()
    assert bench.visit(overwrite=True).looked is not None
    bench.write(2)
    bench.now += timedelta(hours=8)
    assert bench.visit().looked is not None


def test_it_does_not_read_itself(bench: Bench) -> None:
    """A report and a state that lie among the logs are none."""
    inside = {"out": bench.logs / "report", "state": bench.logs / "state"}
    for number in range(3):
        bench.write(number)
        visit = bench.visit(**inside)
        assert (visit.read.rows, visit.read.refused) == (1, 0)
        bench.now += timedelta(hours=8)
    assert watch_status(inside["state"], bench.now)["counts"]["logs"] == 1


def test_it_goes_on_until_somebody_says_enough(bench: Bench) -> None:
    """Visits follow each other at their distance; between them it waits, and gives signs of life."""
    seen: list[datetime] = []

    def wait(seconds: float, visit: Visit) -> bool:
        bench.now += timedelta(seconds=seconds)
        return len(seen) < 3

    bench.write(1)
    told: Callable[[Visit], None] = lambda visit: seen.append(visit.at)  # noqa: E731
    watch(bench.options, settings=SETTINGS, once=False, told=told, wait=wait, progress=bench.told, env=ENV,
          now=lambda: bench.now)  # fmt: skip
    assert seen == [NOON + timedelta(minutes=15 * i) for i in range(3)]


def test_a_visit_that_fails_is_made_up_for(bench: Bench) -> None:
    """It is told, nothing that it had read is lost, and its look is made at the next visit."""
    visits: list[Visit] = []

    def wait(seconds: float, visit: Visit) -> bool:
        bench.now += timedelta(hours=8)
        bench.write(len(bench.plans) + 10)
        bench.fail = SourceError("accounts.parquet", "cannot be read") if len(bench.plans) == 1 else None
        return len(visits) < 3

    bench.write(1)
    watch(bench.options, settings=SETTINGS, once=False, told=visits.append, wait=wait, progress=bench.told, env=ENV,
          now=lambda: bench.now)  # fmt: skip
    assert [p.number for p in bench.plans] == [1, 2, 2, 3, 4]
    assert bench.plans[1] == bench.plans[2]
    (note,) = [n for n in bench.told.notes if "failed" in n]
    assert "accounts.parquet: cannot be read" in note
    assert watch_status(bench.options.state, bench.now)["counts"]["rows"] == 4


def test_a_baseline_that_is_too_small_for_the_looks_is_named(bench: Bench) -> None:
    """The built-in one has few handfuls: with one look a day they are enough, with three they are not."""
    bench.visit(looks=1)
    assert bench.told.notes == []
    bench.visit(looks=3)
    assert (
        "fewer than 8 units can be called a campaign at the first look of a day only" in bench.told.notes[0]
    )
    assert "need 399 honest groups" in bench.told.notes[0]
    assert len(bench.told.notes) == 1


def test_the_rates_of_a_look() -> None:
    """Each is the day's rate times the look's share; nothing else of the settings changes."""
    looked = at_levels(SETTINGS, 0.25, Levels(0.25, 0.5, 0.2))
    assert looked.detect.alpha_shape == pytest.approx(0.0025)
    assert looked.detect.alpha_review == pytest.approx(0.0125)
    assert looked.detect.alpha_controller == pytest.approx(2e-5)
    back = looked.detect.model_copy(
        update={
            name: getattr(SETTINGS.detect, name)
            for name in ("alpha_shape", "alpha_review", "alpha_controller")
        }
    )
    assert looked.model_copy(update={"detect": back}) == SETTINGS


def _verdict(kind: Kind, hint: str) -> Verdict:
    campaigns = tuple(
        a_campaign(campaign_id=name, kind=kind, exchange_count=n) for n, name in ((9, "G-1"), (5, "G-2"))
    )
    members = tuple(
        Member(f"G-{n}", account, Tier.MEMBER, 9.0, 0.9 if kind is Kind.CAMPAIGN else 0.0, 3, NOON, NOON, ())
        for n, account in ((1, "a"), (2, "b"))
    )
    accounts = pa.table(
        {"account_id": ["a", "b", "c"], "exchange_count": [3, 3, 1], "campaign_id": ["G-1", "G-2", None],
         "disposition_hint": [hint, hint, "none"], "abstentions": pa.array([[], [], []], pa.list_(pa.string()))}
    )  # fmt: skip
    return Verdict(campaigns, members, (), (), accounts)


def test_a_claim_of_the_day_is_judged_at_the_days_first_level() -> None:
    """Its rows come from the looser verdict, those of every other group from the stricter one."""
    strict, loose = _verdict(Kind.POOL, "watch"), _verdict(Kind.CAMPAIGN, "review")
    both = combined(strict, loose, {"G-1"})
    assert [(c.campaign_id, c.kind) for c in both.campaigns] == [("G-1", Kind.CAMPAIGN), ("G-2", Kind.POOL)]
    assert [(m.campaign_id, m.extraction_share) for m in both.members] == [("G-1", 0.9), ("G-2", 0.0)]
    assert both.accounts.column("disposition_hint").to_pylist() == ["review", "watch", "none"]
    assert both.accounts.drop_columns("disposition_hint") == strict.accounts.drop_columns("disposition_hint")
    assert combined(strict, loose, set()) == strict
