"""A watch: what is new is read every so often, and at fixed times of a day everything kept is looked at as a whole."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow.parquet as pq

from stillwatch import __version__
from stillwatch.detect.features import FEATURE_SCHEMA
from stillwatch.detect.lexicon import load_lexicon
from stillwatch.errors import ConfigError, StillwatchError, where_it_failed
from stillwatch.report.files import check_target
from stillwatch.settings import Settings, settings_digest
from stillwatch.store.watch_state import DATABASE, FEATURES, WatchState
from stillwatch.store.writer_lock import NAME, WriterLock, read_holder
from stillwatch.watch import Levels, Schedule, Spent, Standing
from stillwatch.wiring.intake import key_of, micro
from stillwatch.wiring.lead_matching import leads_aside, match_leads
from stillwatch.wiring.lead_sources import sources_from
from stillwatch.wiring.lead_view import BESIDE, is_ours
from stillwatch.wiring.leads import needs
from stillwatch.wiring.progress import Progress, writable
from stillwatch.wiring.scanning import load_reference
from stillwatch.wiring.watch_look import Context, Looked, Plan, look
from stillwatch.wiring.watch_reading import DAY, SETTLE_S, Logs, Visited
from stillwatch.wiring.watch_spark import CHECKPOINTS, SparkLogs, on_spark

COMPACT_FILES = 24
"""A day that lies in so many feature files or more is made one."""
_EPOCH = datetime.fromtimestamp(0, UTC)
HANDFUL, MANY = 3, 1000
"""Units of a group that is ranked among handfuls, and of one that is not."""


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """How a watch is set up."""

    inputs: Sequence[str]
    out: Path
    state: Path
    looks: int = 3
    keep_days: int = 30
    every_s: float = 900.0
    format: str | None = None
    mapping: Path | None = None
    context: Context = field(default_factory=Context)
    overwrite: bool = False
    take_over: bool = False
    settle_s: float = SETTLE_S
    leads: Path | None = None
    """File of what others shared; looked for beside each look, and when it has changed."""
    sources: Path = Path("sources.toml")


@dataclass(frozen=True, slots=True)
class Visit:
    """One round of a watch."""

    at: datetime
    read: Visited
    retired: int
    """Exchanges that were older than what is kept, and are gone."""
    looked: Looked | None
    next_look: datetime
    leads: Mapping[str, Any] | None = None
    """What leads from others met, when they were looked for."""


class Watch:
    """The one writer of a state and of the run folder that follows it.

    Raises:
        StillwatchError: another writer, another key, a damaged state, or a run folder that holds something else.
    """

    def __init__(
        self, options: WatchOptions, *, settings: Settings, progress: Progress, env: Mapping[str, str] = os.environ,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:  # fmt: skip
        self._options, self._settings, self._env = options, settings, env
        self._progress, self._now = progress, now
        self._schedule = Schedule(options.looks)
        on_cluster = settings.run.engine == "spark"
        if on_cluster:
            on_spark(options.inputs)
        if options.leads is not None:
            needs("rfc8785")
            sources_from(options.sources, env, tokens=False)
        key = key_of(settings, env)
        load_reference(options.context.baseline, key.key_id)
        with writable(options.state):
            _check_state(options.state)
            options.state.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = WriterLock(options.state, take_over=options.take_over, now=lambda: now().timestamp())
        try:
            columns = ",".join(f"{field.name}:{field.type}" for field in FEATURE_SCHEMA)
            self._state = WatchState(
                options.state, {"key": key.key_id, "lexicon": str(load_lexicon().version), "columns": columns}
            )
        except BaseException:
            self._lock.release()
            raise
        try:
            again = options.overwrite or bool(self._state.looks(last=1))
            if not (
                again and is_ours(options.out / BESIDE)
            ):  # then the look takes it away, and checks the rest
                with writable(options.out):
                    check_target(options.out, overwrite=again)
            self._say_hello()
            self._logs = (SparkLogs if on_cluster else Logs)(
                options.inputs, self._state, settings, key, format=options.format, mapping=options.mapping,
                settle_s=options.settle_s, progress=progress, own=(options.state, options.out),
                keep_days=options.keep_days,
            )  # fmt: skip
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the state."""
        self._state.close()
        self._lock.release()

    def visit(self) -> Visit:
        """Finish what was begun, read what is new, drop what is old, and look when a look is due."""
        now = self._now()
        finished = self._finish(now)
        read = self._logs.visit(now, self._oldest_us(now))
        retired = self._state.retire(str(_day(self._oldest_us(now))))
        self._state.compact(COMPACT_FILES)
        looked = finished if finished is not None and not read.rows else self._look_if_due(now) or finished
        met = self._leads(looked is not None)
        return Visit(now, read, retired, looked, self._schedule.next_slot(now), met)

    def _say_hello(self) -> None:
        previous = self._lock.previous
        if previous is not None:
            self._progress.note(
                f"taken over from process {previous['pid']} on {previous['host']}, which ended without letting go"
            )
        if self._state.migrated_from is not None:
            self._progress.note(
                f"the state was of version {self._state.migrated_from} and has been brought up"
            )
        o = self._options
        self._state.remember(
            {"looks": str(o.looks), "keep_days": str(o.keep_days), "every_s": str(o.every_s), "out": str(o.out),
             "version": __version__}
        )  # fmt: skip
        self._say_what_is_too_small()

    def _say_what_is_too_small(self) -> None:
        """A baseline with few honest groups gives no p-value that is small enough for many looks a day."""
        reference = load_reference(self._options.context.baseline, key_of(self._settings, self._env).key_id)
        needed = self._schedule.groups_needed(self._settings.detect.alpha_shape)
        for units, what in ((HANDFUL, "groups of fewer than 8 units"), (MANY, "larger groups")):
            have = len(reference.calibration.peers(units))
            if have < needed:
                self._progress.note(
                    f"{what} can be called a campaign at the first look of a day only: with "
                    f"{self._options.looks} looks a day later ones need {needed} honest groups of like size, the "
                    f"baseline has {have}"
                )

    def _oldest_us(self, now: datetime) -> int:
        """Beginning of the oldest day that is kept: so many days up to the newest exchange, which may not lie ahead."""
        newest = self._state.newest_us()
        if newest is None:
            return -(2**62)
        last = min(_EPOCH + timedelta(microseconds=newest), now)
        midnight = datetime(last.year, last.month, last.day, tzinfo=UTC)
        return micro(midnight - (self._options.keep_days - 1) * DAY)

    def _finish(self, now: datetime) -> Looked | None:
        """A look that was begun by a process that died is made again, on the same data and at the same levels."""
        last = self._state.looks(last=1)
        if not last or last[0]["published"] is not None:
            return None
        row = last[0]
        return self._look(
            row["number"], row["day"], row["begun"], Levels(row["claim"], row["stand"], row["controller"])
        )

    def _look_if_due(self, now: datetime) -> Looked | None:
        day, slot = self._schedule.slot(now)
        rows = self._state.looks(day=str(day))
        before = self._state.looks(last=1)
        counts = self._state.counts()
        if any(row["slot"] == slot for row in rows) or not counts["rows"]:
            return None
        if before and before[0]["facts"].get("rests_on") == self._rests_on(counts):
            return None
        levels = self._schedule.levels(
            Spent(sum(r["claim"] for r in rows), sum(r["controller"] for r in rows),
                  rows[0]["claim"] if rows else None)
        )  # fmt: skip
        if levels is None:
            self._progress.note(
                "no look: the error rates of this day are spent; the next is tomorrow's first"
            )
            return None
        begun = now.isoformat(timespec="seconds")
        number = self._state.begin_look(
            str(day), slot, begun, (levels.claim, levels.stand, levels.controller)
        )
        return self._look(number, str(day), begun, levels)

    def _rests_on(self, counts: Mapping[str, Any]) -> dict[str, Any]:
        """What a look would say something else of: exchanges, what lies beside them, settings; ready for JSON."""
        c = self._options.context
        beside = [*c.accounts, *filter(None, (c.grants, c.releases, c.client_releases, c.baseline))]
        return {
            "portions": counts["portions"], "rows": counts["rows"], "files": [[p, *_stamp(p)] for p in beside],
            "settings": settings_digest(self._settings),
        }  # fmt: skip

    def _look(self, number: int, day: str, begun: str, levels: Levels) -> Looked:
        standing = tuple(Standing(n, s, c, frozenset(a)) for n, s, c, a in self._state.standing())
        counts = self._state.counts()
        rests_on = self._rests_on(counts)
        about = {
            "looks_a_day": self._options.looks, "keep_days": self._options.keep_days,
            "state": {name: counts[name] for name in ("first_day", "last_day", "rows", "late", "portions")},
            "rates_a_day": {
                name: getattr(self._settings.detect, name)
                for name in ("alpha_controller", "alpha_shape", "alpha_review")
            },
        }  # fmt: skip
        with leads_aside(self._options.out):
            looked = look(
                self._state.paths(), Plan(number, day, begun, levels, standing), settings=self._settings,
                env=self._env, context=self._options.context, out=self._options.out, refused=self._state.refused(),
                about=about, progress=self._progress,
            )  # fmt: skip
        told = looked.result.summary["counts"]
        facts = {
            "rests_on": rests_on, "rows": counts["rows"], "campaigns": told.get("campaigns", 0),
            "pools": told.get("pools", 0), "new": list(looked.new), "left": list(looked.left),
            "seconds": looked.result.summary["timings"]["total"],
        }  # fmt: skip
        self._state.published(
            number, self._now().isoformat(timespec="seconds"), facts,
            [(s.name, s.since, s.claimed, sorted(s.accounts)) for s in looked.standing],
        )  # fmt: skip
        return looked

    def _leads(self, looked: bool) -> dict[str, Any] | None:
        """Look for leads in what is kept, beside the last look: after one, and when there are others than before.

        They take no look, spend nothing of the day's rates and reach nothing that judges. What goes wrong is told.
        """
        o = self._options
        paths = self._state.paths()
        if o.leads is None or not paths or not (o.out / "summary.json").exists():
            return None
        stamp = json.dumps([_stamp(str(o.leads)), _stamp(str(o.sources))])
        if not looked and stamp == self._state.about().get("leads") and (o.out / BESIDE).exists():
            return None
        try:
            told = match_leads(
                [str(p) for p in paths], o.out, o.leads, o.sources, settings=self._settings, format=None, mapping=None,
                progress=self._progress, env=self._env,
            )  # fmt: skip
        except Exception as error:  # whatever is wrong with what strangers sent, the watch goes on
            why = str(error) if isinstance(error, StillwatchError) else where_it_failed(error)
            self._progress.note(f"leads were not looked for: {why}; it is tried again at the next visit")
            return None
        self._state.remember({"leads": stamp})
        return told


def watch(
    options: WatchOptions, *, settings: Settings, once: bool, told: Callable[[Visit], None],
    wait: Callable[[float, Visit], bool], progress: Progress, env: Mapping[str, str] = os.environ,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> bool:  # fmt: skip
    """Visit once, or every so often until ``wait`` says that it is enough; then a visit that fails ends nothing.

    Returns, after one visit, whether the run folder holds something at review or above.
    """
    with Watch(options, settings=settings, progress=progress, env=env, now=now) as watching:
        visit = watching.visit()
        told(visit)
        begun = visit.at
        while not once:
            due = begun.timestamp() + options.every_s
            while (left := due - now().timestamp()) > 0:
                if not wait(min(left, 60.0), visit):
                    return False
            begun = now()
            try:
                visit = watching.visit()
            except (StillwatchError, OSError) as error:
                why = str(error) if isinstance(error, StillwatchError) else where_it_failed(error)
                progress.note(f"this visit failed: {why}; what it did not finish is done at the next")
                continue
            told(visit)
    return _something(options.out)


def watch_status(state: Path, now: datetime) -> dict[str, Any]:
    """How a watch stands, without touching it."""
    if not (state / DATABASE).is_file():
        raise StillwatchError(
            f"{state.name} is not the state of a watch", hint="name it with --state, or its --out"
        )
    db = WatchState.at(state)
    try:
        about = db.about()
        schedule = Schedule(int(about.get("looks", "3")))
        looks = db.looks(last=10)
        return {
            "holder": read_holder(state), "about": {k: v for k, v in about.items() if k != "columns"},
            "counts": db.counts(), "looks": looks, "next_look": schedule.next_slot(now).isoformat(),
            "groups": [
                {"first": n, "since": s, "claimed": c, "accounts": len(a)} for n, s, c, a in db.standing()
            ],
            "useless": [{"name": name, "why": why} for name, why in db.noted()],
        }  # fmt: skip
    finally:
        db.close()


def _something(out: Path) -> bool:
    if not (out / "summary.json").exists():
        return False
    hints = pq.read_table(out / "accounts.parquet").column("disposition_hint").unique().to_pylist()
    return bool({"review", "act"} & set(hints))


def _check_state(state: Path) -> None:
    """Raise when the folder is somebody else's."""
    if state.exists() and not state.is_dir():
        raise ConfigError(f"{state.name} is not a folder", hint="name another --state folder")
    present = {entry.name for entry in state.iterdir()} if state.exists() else set()
    ours = {NAME, DATABASE, f"{DATABASE}-journal", FEATURES, CHECKPOINTS}
    foreign = sorted(present - ours)
    if foreign:
        raise ConfigError(
            f"{state.name} holds {foreign[0]!r}, which no watch wrote; it is left as it is",
            hint="name another --state folder",
        )


def _stamp(path: str) -> tuple[int, int]:
    """When a file was written last, and its size; zeros where there is none."""
    try:
        at = os.stat(path)
    except OSError:
        return 0, 0
    return at.st_mtime_ns, at.st_size


def _day(oldest_us: int) -> Any:
    return (_EPOCH + timedelta(microseconds=max(oldest_us, 0))).date()
