"""One look at a small state: what its summary is stamped with, and what it lets go of when it fails."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from stillwatch.errors import ConfigError, SourceError
from stillwatch.settings import RunSettings, Settings, settings_digest
from stillwatch.store import open_backend
from stillwatch.wiring import baseline, intake, watch_look
from stillwatch.wiring.evidence_inputs import preserve
from stillwatch.wiring.progress import Unheard
from stillwatch.wiring.watching import Visit, Watch, WatchOptions
from tests.conftest import KEY

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
SETTINGS = Settings(run=RunSettings(threads=1))
ENV = {"STILLWATCH_KEY": KEY}


class Desk:
    """A folder of logs, and the engines that were opened."""

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.logs, self.out = place / "logs", place / "report"
        self.logs.mkdir()
        rows = [
            {"exchange_id": f"e{n}", "started_at": (NOON - timedelta(minutes=n)).isoformat(),
             "account_id": f"a{n % 7}", "model": "m", "prompt": f"question {n}"} for n in range(40)
        ]  # fmt: skip
        (self.logs / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        self.engines: list[Any] = []
        real = open_backend

        def opened(*args: Any) -> Any:
            self.engines.append(real(*args))
            return self.engines[-1]

        monkeypatch.setattr(intake, "open_backend", opened)

    def visit(self, looks: int = 3) -> Visit:
        """A process that makes one visit and its look."""
        options = WatchOptions(
            [str(self.logs)], self.out, self.out.with_suffix(".state"), looks=looks, settle_s=-1e12
        )
        with Watch(options, settings=SETTINGS, progress=Unheard(), env=ENV, now=lambda: NOON) as made:
            return made.visit()

    def all_closed(self) -> bool:
        """Whether no engine answers any more."""
        for engine in self.engines:
            try:
                engine.con.execute("SELECT 1")
            except duckdb.ConnectionException:
                continue
            return False
        return len(self.engines) > 0


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, monkeypatch)


def test_a_look_is_stamped_with_the_users_settings_and_the_rate_that_holds(desk: Desk) -> None:
    """The digest is that of the settings file; the rate is the larger of the look's two shares of the day's."""
    looked = desk.visit().looked
    assert looked is not None
    summary = looked.result.summary
    assert summary["settings_digest"] == settings_digest(SETTINGS)
    assert summary["watch"]["shares"]["claim"] == summary["watch"]["shares"]["stand"] == 0.5
    assert summary["false_discovery_rate"] == pytest.approx(SETTINGS.detect.alpha_shape / 2)
    assert len(summary["inputs"][0]["digest"]) == 64


def test_evidence_keeps_no_inputs_of_one_of_several_looks(desk: Desk, tmp_path: Path) -> None:
    """No scan makes it again, and that is the reason that is given; the only look of a day is a scan and is kept."""
    several = desk.visit(3).looked
    given: dict[str, Any] = {
        "settings": SETTINGS, "accounts": (), "tables": {}, "format": None, "mapping": None, "env": ENV,
    }  # fmt: skip
    features = [str(desk.out.with_suffix(".state") / "features")]
    assert several is not None
    with pytest.raises(ConfigError, match="share of the day's error rates") as refused:
        preserve(features, tmp_path / "no", run=several.result.summary, progress=Unheard(), **given)
    assert "STATE/features" in refused.value.hint
    desk.out = tmp_path / "other"
    only = desk.visit(1).looked
    assert only is not None
    (tmp_path / "kept").mkdir()
    preserve(features, tmp_path / "kept", run=only.result.summary, progress=Unheard(), **given)
    assert (tmp_path / "kept" / "plan.json").is_file()


def test_no_engine_is_left_open(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by a look that is published, nor by one that fails while it judges or while it reads."""

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("cut")

    desk.visit()
    assert desk.all_closed()
    desk.out = desk.out.with_name("second")
    with monkeypatch.context() as cut, pytest.raises(RuntimeError, match="cut"):
        cut.setattr(watch_look, "judge", fails)
        desk.visit()
    assert desk.all_closed()
    (feature_file,) = desk.out.with_suffix(".state").rglob("*.parquet")
    feature_file.write_bytes(b"PAR1 and no more")
    with pytest.raises(SourceError, match="not a readable feature file"):
        desk.visit()
    assert desk.all_closed()
    assert len(desk.engines) == 3


def test_a_limit_that_is_too_small_is_the_users_to_mend(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look and the fit of a baseline say so in words, as a scan does: a watch tells it and goes on."""

    def full(*_: object, **__: object) -> None:
        raise duckdb.OutOfMemoryException("failed to allocate")

    monkeypatch.setattr(watch_look, "detect", full)
    with pytest.raises(ConfigError, match="cannot work within a memory limit of 8GB") as refused:
        desk.visit()
    assert "--memory-limit" in refused.value.hint
    monkeypatch.setattr(baseline, "load_traffic", full)
    with pytest.raises(ConfigError, match="cannot work within a memory limit of 8GB"):
        baseline.fit_baseline(
            [str(desk.logs)], settings=SETTINGS, accounts=(), out=tmp_path / "b.json.gz", name="b",
            as_of=date(2026, 3, 10), progress=Unheard(), env=ENV,
        )  # fmt: skip
