"""What is new in logs is read once: appended lines, turned-over logs, compressed files, late and repeated exchanges."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from stillwatch.errors import ConfigError, UpstreamError
from stillwatch.settings import PrivacySettings, RunSettings, Settings
from stillwatch.store import places
from stillwatch.store.watch_state import WatchState
from stillwatch.wiring import watch_reading
from stillwatch.wiring.features import ingest
from stillwatch.wiring.intake import key_of, micro
from stillwatch.wiring.watch_reading import Logs, Visited
from tests.conftest import KEY

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
SETTINGS = Settings(run=RunSettings(threads=1))
ENV = {"STILLWATCH_KEY": KEY}


class Quiet:
    """Progress that nobody hears."""

    def step(self, name: str, total: float | None = None) -> None: ...
    def advance(self, amount: float) -> None: ...
    def note(self, text: str) -> None: ...


@dataclass
class Desk:
    """A folder of logs and the state of whoever reads it."""

    logs: Path
    folder: Path
    settle_s: float = 60.0
    format: str | None = None
    settings: Settings = SETTINGS
    inputs: list[str] = field(default_factory=list)
    """What is watched in place of the folder."""

    def visit(self, now: datetime = NOW, oldest: datetime | None = None) -> Visited:
        """Open the state, read what is new, and close it again."""
        key = key_of(self.settings, ENV)
        state = WatchState(self.folder, {"key": key.key_id})
        try:
            logs = Logs(self.inputs or [str(self.logs)], state, self.settings, key, format=self.format, mapping=None,
                        settle_s=self.settle_s, progress=Quiet())  # fmt: skip
            return logs.visit(now, micro(oldest) if oldest else 0)
        finally:
            state.close()

    def accounts(self) -> Counter[str]:
        """How often each account was kept; every exchange of these tests has its own."""
        state = WatchState(self.folder, {})
        try:
            found: Counter[str] = Counter()
            for path in state.paths():
                found.update(pq.ParquetFile(path).read(["acct"]).column("acct").to_pylist())
            return found
        finally:
            state.close()

    def refused(self) -> list[tuple[str, int, str]]:
        """Source, line and reason."""
        state = WatchState(self.folder, {})
        try:
            return [(Path(source).name, line, reason) for source, line, reason in state.refused()[1]]
        finally:
            state.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    for name in ("logs", "state"):
        (tmp_path / name).mkdir()
    yield Desk(tmp_path / "logs", tmp_path / "state")


def _line(number: int, **changes: Any) -> str:
    row = {
        "exchange_id": f"e{number}", "started_at": (NOW - timedelta(hours=1)).isoformat(), "account_id": f"a{number}",
        "model": "m", "prompt": f"Explain item {number} step by step.",
    }  # fmt: skip
    return json.dumps(row | changes)


def _lines(numbers: Sequence[int]) -> str:
    return "".join(_line(n) + "\n" for n in numbers)


def _age(path: Path, seconds: float = 3600) -> None:
    at = NOW.timestamp() - seconds
    os.utime(path, (at, at))


def _once(numbers: Sequence[int]) -> Counter[str]:
    return Counter({f"a{n}": 1 for n in numbers})


def test_a_log_that_grows_is_read_line_by_line(desk: Desk) -> None:
    """Half a line waits for its other half; a bad line is told by its own number."""
    log = desk.logs / "a.jsonl"
    third = _line(3)
    log.write_text(_lines([1, 2]) + third[:40])
    _age(log, 1)
    assert desk.visit().rows == 2
    assert desk.visit().rows == 0
    with log.open("a") as file:
        file.write(third[40:] + "\nno json\n" + _line(5))
    _age(log, 0.5)
    assert desk.visit().rows == 1
    assert desk.refused() == [("a.jsonl", 4, "not valid JSON")]
    _age(log)
    assert desk.visit().rows == 1
    assert desk.accounts() == _once([1, 2, 3, 5])


def test_a_log_that_was_turned_over_is_not_read_twice(desk: Desk) -> None:
    """By renaming, and by copying and truncating; what came in between is read under either name."""
    log, old = desk.logs / "app.log", desk.logs / "app.log.1"
    log.write_text(_lines(range(5)))
    desk.visit()
    with log.open("a") as file:
        file.write(_lines([5]))
    log.rename(old)
    log.write_text(_lines([6, 7]))
    assert desk.visit().rows == 3
    assert desk.accounts() == _once(range(8))
    log.write_text(_lines([8]))  # truncated and written anew
    assert desk.visit().rows == 1
    log.write_text(_lines([9, 10, 11, 12, 13, 14]))  # and again, longer than it was
    assert desk.visit().rows == 6
    assert desk.accounts() == _once(range(15))


def test_a_log_that_is_turned_over_in_the_midst_of_a_visit_loses_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between looking at a log and opening it another takes its place: that one is read from its beginning."""
    log = desk.logs / "app.log"
    log.write_text(_lines([1, 2]))
    desk.visit()
    with log.open("a") as file:
        file.write(_lines([3]))
    where = watch_reading._whole_lines

    def turned(path: Path, part: Any, size: int) -> int:
        end = where(path, part, size)
        if not (desk.logs / "app.log.1").exists():
            log.rename(desk.logs / "app.log.1")
            log.write_text(_lines([10, 11, 12, 13, 14]))
        return end

    monkeypatch.setattr(watch_reading, "_whole_lines", turned)
    desk.visit()
    desk.visit()
    assert set(desk.accounts()) == set(_once([1, 2, 3, 10, 11, 12, 13, 14]))


def test_a_compressed_log_waits_until_it_is_whole(desk: Desk) -> None:
    """And is read again when it has grown; the exchanges that come twice are left to the look, which counts ids."""
    log = desk.logs / "a.jsonl.gz"
    log.write_bytes(gzip.compress(_lines([1, 2]).encode()))
    _age(log, 1)
    assert desk.visit().files == 1
    assert not desk.accounts()
    _age(log)
    assert desk.visit().rows == 2
    assert desk.visit().rows == 0
    log.write_bytes(log.read_bytes() + gzip.compress(_lines([3]).encode()))
    _age(log, 3000)
    assert desk.visit().rows == 3
    assert desk.accounts() == Counter({"a1": 2, "a2": 2, "a3": 1})


def test_what_is_too_old_or_ahead_is_left_and_counted(desk: Desk) -> None:
    """Late exchanges within what is kept go to their own day."""

    def at(days: float) -> dict[str, str]:
        return {"started_at": (NOW + timedelta(days=days)).isoformat()}

    log = desk.logs / "a.jsonl"
    texts = [_line(1, **at(-40)), _line(2, **at(-3)), _line(3, **at(0.5)), _line(4, **at(2)), _line(5)]
    log.write_text("\n".join(texts) + "\n")
    visited = desk.visit(oldest=NOW - timedelta(days=30))
    assert (visited.rows, visited.late, visited.refused) == (3, 1, 1)
    assert [(line, reason.startswith("started_at")) for _, line, reason in desk.refused()] == [(4, True)]
    days = sorted(p.name for p in (desk.folder / "features").iterdir())
    assert days == ["day=2026-03-07", "day=2026-03-10", "day=2026-03-11"]


def test_what_an_ingest_wrote_is_taken_as_it_is(desk: Desk, tmp_path: Path) -> None:
    """Under the same key; its exchanges that lie ahead of the clock are refused here as well."""
    log = tmp_path / "a.jsonl"
    log.write_text(_lines([1, 2]) + _line(3, started_at=(NOW + timedelta(days=2)).isoformat()) + "\n")
    ingest([str(log)], settings=SETTINGS, out=desk.logs / "kept", format=None, mapping=None, overwrite=False,
           progress=Quiet(), env=ENV)  # fmt: skip
    for path in desk.logs.rglob("*.parquet"):
        _age(path)
    visited = desk.visit()
    assert (visited.rows, visited.refused) == (2, 1)
    assert desk.accounts() == _once([1, 2])
    other = key_of(SETTINGS, {"STILLWATCH_KEY": "c3" * 32})
    fresh = desk.folder / "other"
    fresh.mkdir()
    state = WatchState(fresh, {})
    logs = Logs(
        [str(desk.logs)], state, SETTINGS, other, format=None, mapping=None, settle_s=60, progress=Quiet()
    )
    with pytest.raises(ConfigError, match="was made with digest key"):
        logs.visit(NOW, 0)
    state.close()


def test_no_log_is_noted_and_tried_again(desk: Desk) -> None:
    """A file that cannot be read for what it is costs nothing but a note."""
    odd = desk.logs / "notes.txt"
    odd.write_text("nothing of the kind\n")
    _age(odd)
    (desk.logs / "a.jsonl").write_text(_lines([1]))
    desk.visit()
    state = WatchState(desk.folder, {})
    assert [(Path(name).name, bool(why)) for name, why in state.noted()] == [("notes.txt", True)]
    state.close()
    odd.write_text(_lines([2]))
    desk.visit()
    assert desk.accounts() == _once([1, 2])


def test_a_few_lines_are_read_in_the_format_of_their_log(desk: Desk) -> None:
    """What is appended may not show it: bad lines alone are refused one by one, not as a strange log."""
    log = desk.logs / "a.jsonl"
    log.write_text(_lines([1]))
    desk.visit()
    with log.open("a") as file:
        file.write('{"odd": 1}\n')
    assert desk.visit().refused == 1
    assert desk.refused()[0][:2] == ("a.jsonl", 2)


def test_an_empty_folder_is_no_error(desk: Desk) -> None:
    """It may fill; hidden files are left out."""
    assert desk.visit().files == 0
    (desk.logs / ".a.journal").write_text("x")
    assert desk.visit().files == 0


def test_text_never_reaches_the_state(desk: Desk) -> None:
    """Not even when the settings keep text elsewhere, and not by way of what is refused."""
    desk.settings = SETTINGS.model_copy(update={"privacy": PrivacySettings(content="retain")})
    secret = "the quick brown secret"
    log = desk.logs / "a.jsonl"
    log.write_text(
        _line(1, prompt=secret) + "\n" + '{"exchange_id": "x", "prompt": "' + secret + '"}\n' + secret + "\n"
    )
    desk.visit()
    assert desk.accounts() == _once([1])
    for path in desk.folder.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path.name


def test_any_order_of_writing_and_visiting_keeps_every_line_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logs that are appended to in pieces of any size, turned over, and read in portions as small as a line."""
    monkeypatch.setattr(watch_reading, "PORTION_BYTES", 200)
    rng = random.Random(11)
    written: list[int] = []
    waiting: dict[str, str] = {"a": "", "b": ""}
    for _ in range(40):
        name = rng.choice("ab")
        log = desk.logs / f"{name}.jsonl"
        if rng.random() < 0.5:
            number = len(written)
            written.append(number)
            waiting[name] += _line(number) + "\n"
        cut = rng.randint(0, len(waiting[name]))
        with log.open("a") as file:
            file.write(waiting[name][:cut])
        waiting[name] = waiting[name][cut:]
        if rng.random() < 0.15 and not waiting[name]:
            log.rename(desk.logs / f"{name}.{rng.random():.9f}.old")
        if rng.random() < 0.25:
            for path in desk.logs.iterdir():
                _age(path, 1)
            desk.visit()
    for name, rest in waiting.items():
        with (desk.logs / f"{name}.jsonl").open("a") as file:
            file.write(rest)
    desk.visit()
    assert desk.accounts() == _once(written)
    assert not desk.refused()


class Objects:
    """A prefix of a store in memory; it can stop answering half way through an object."""

    def __init__(self) -> None:
        fsspec = pytest.importorskip("fsspec", reason="needs the extra: pip install 'stillwatch[s3]'")
        self.system = fsspec.filesystem("memory")
        self.system.store.clear()

    def put(self, name: str, text: str) -> None:
        """Make an object."""
        self.system.pipe_file(f"/logs/{name}", text.encode())


class _Silent:
    """A file of which the first bytes come, and no more."""

    def __init__(self, raw: Any) -> None:
        self._raw, self._left = raw, 40

    def read(self, size: int) -> bytes:
        if not self._left:
            raise ConnectionError("reset by peer at bucket/secret-name")
        got: bytes = self._raw.read(min(size, self._left))
        self._left -= len(got)
        return got

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


def test_objects_are_read_whole_and_once(desk: Desk) -> None:
    """By their name and version; one that is gone is forgotten, and hidden ones are none."""
    objects = Objects()
    desk.inputs = ["memory://logs"]
    assert desk.visit().files == 0
    objects.put("b.jsonl", _lines([3]))
    objects.put("a.jsonl", _lines([1, 2]) + "no log\n")
    objects.put("_tmp/x.jsonl", _lines([9]))
    visited = desk.visit()
    assert (visited.files, visited.rows, visited.refused) == (2, 3, 1)
    assert desk.refused()[0][:2] == ("a.jsonl", 3)
    assert desk.visit().files == 0
    objects.put("b.jsonl", _lines([3, 4]))
    assert desk.visit().rows == 2
    objects.system.rm("/logs/b.jsonl")
    desk.visit()
    assert desk.accounts() == Counter({"a1": 1, "a2": 1, "a3": 2, "a4": 1})


def test_an_object_store_that_stops_answering_costs_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the object counts, the visit fails in words, and the next one reads all of it."""
    objects = Objects()
    desk.inputs = ["memory://logs"]
    objects.put("a.jsonl", _lines(range(9)))
    real = places.ObjectPlace.open
    with monkeypatch.context() as silent:
        silent.setattr(
            places.ObjectPlace, "open",
            lambda place, name: io.BufferedReader(places._Remote(_Silent(real(place, name))), 16),
        )  # fmt: skip
        with pytest.raises(UpstreamError, match="did not answer") as told:
            desk.visit()
    assert "secret-name" not in str(told.value)
    assert desk.accounts() == Counter()
    assert desk.visit().rows == 9
