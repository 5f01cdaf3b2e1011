"""Puts the rooms together: the only file besides ``settings`` and ``cli`` that knows them by name.

Effects live here: files are read and written, the clock is read for timings, memory is measured. The rooms
take arguments and return records. It is long because no other file may know the rooms: reading into features
(`_Intake`) stands here beside the four jobs that need it.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import os
import resource
import sys
import tempfile
import time
import zlib
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch import __version__
from stillwatch.detect.baseline import Baseline, dump_baseline, load_baseline
from stillwatch.detect.digest import Key
from stillwatch.detect.features import PORTABLE, Featurizer, from_portable, portable
from stillwatch.detect.fit import fitted_baseline
from stillwatch.detect.grants import apply_grants
from stillwatch.detect.lexicon import load_lexicon
from stillwatch.detect.nullcheck import check_null as run_null_check
from stillwatch.detect.run import Detection, Options, detect, trusted_units
from stillwatch.detect.traffic import Loader, Traffic
from stillwatch.detect.traits import builtin_traits, load_traits
from stillwatch.detect.verdict import facts_of, judge
from stillwatch.errors import ConfigError, SourceError, StillwatchError
from stillwatch.ingest import FORMATS, Reader, read_accounts, read_client_releases, read_grants, read_releases
from stillwatch.records import EXCHANGE_SCHEMA, Abstention, Rejected, ScanResult
from stillwatch.report import explain_text, load_result, render_html, write_result
from stillwatch.report.files import check_target
from stillwatch.report.swap import new_folder, put_in_place, sweep
from stillwatch.settings import Settings, load_key, parse_settings, settings_digest
from stillwatch.store import open_backend

EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)
"""No log of a language model API is older."""


class Progress(Protocol):
    """Where a long run says how far it is."""

    def step(self, name: str, total: float | None = None) -> None:
        """Begin a named phase."""

    def advance(self, amount: float) -> None:
        """Move on within it."""

    def note(self, text: str) -> None:
        """Say something once."""


class _Clock:
    """Seconds per phase."""

    def __init__(self, progress: Progress) -> None:
        self.progress, self.name, self.since = progress, "", time.perf_counter()
        self.begun = self.since
        self.seconds: dict[str, float] = {}

    def step(self, name: str, total: float | None = None) -> None:
        now = time.perf_counter()
        if self.name:
            self.seconds[self.name] = round(self.seconds.get(self.name, 0.0) + now - self.since, 3)
        self.name, self.since = name, now
        if name:
            self.progress.step(name, total)


class _Intake:
    """Reads every input into features, once, in order, with text work spread over threads."""

    def __init__(
        self, inputs: Sequence[str], settings: Settings, key: Key, *, format: str | None, mapping: Path | None,
        stdin: BinaryIO | None, progress: Progress,
    ) -> None:  # fmt: skip
        self.settings, self.key, self.progress = settings, key, progress
        self.feat = Featurizer(key, load_lexicon())
        self.features = [i for i in inputs if _is_feature_folder(i)]
        self.reader: Reader | None = None
        rest = [i for i in inputs if i not in self.features]
        if rest:
            self.reader = _reader(rest, settings, format, mapping, stdin=stdin, on_file=self._on_file)
        self.kept: dict[str, tuple[str, int]] = {}
        """Feature files that were read: digest and rows."""
        self._file, self._done = "", 0

    @property
    def kept_rows(self) -> int:
        """Rows that came from feature files; they precede those of logs."""
        return sum(rows for _, rows in self.kept.values())

    def _on_file(self, name: str, done: int, total: int) -> None:
        if name != self._file:
            self._file, self._done = name, 0
            self.progress.step(f"reading {Path(name).name or name}", float(total) if total else None)
        self.progress.advance(float(done - self._done))
        self._done = done

    def canonical(self) -> Iterator[pa.RecordBatch]:
        """Batches of the contract."""
        if self.reader is not None:
            yield from self.reader.batches()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Feature batches in input order."""
        for folder in self.features:
            yield from self._kept(folder)
        threads = self.settings.run.threads or os.cpu_count() or 1
        waiting: deque[tuple[pa.RecordBatch, Future[dict[str, Any]]]] = deque()
        with ThreadPoolExecutor(threads) as pool:
            for batch in self.canonical():
                waiting.append((batch, pool.submit(self.feat.heavy, batch)))
                if len(waiting) > threads:
                    done, future = waiting.popleft()
                    yield self.feat.finish(done, future.result())
            while waiting:
                done, future = waiting.popleft()
                yield self.feat.finish(done, future.result())

    def _kept(self, folder: str) -> Iterator[pa.RecordBatch]:
        for path in sorted(Path(folder).glob("features-*.parquet")):
            try:
                yield from self._kept_file(path)
            except (pa.ArrowException, KeyError, OSError) as error:
                raise SourceError(
                    str(path), "not a readable feature file", hint="ingest the logs again"
                ) from error

    def _kept_file(self, path: Path) -> Iterator[pa.RecordBatch]:
        with path.open("rb") as raw:
            digest = hashlib.file_digest(raw, "sha256").hexdigest()
            file = pq.ParquetFile(raw)
            made_with = (file.schema_arrow.metadata or {}).get(PORTABLE, b"").decode()
            if made_with != self.key.key_id:
                raise ConfigError(
                    f"{path.name} was made with digest key {made_with or 'unknown'}, this run uses {self.key.key_id}",
                    hint="use the key it was ingested with",
                )
            seen = (file.schema_arrow.metadata or {}).get(b"fields", b"").decode().split(",")
            for name in filter(None, seen):
                self.feat.seen_fields[name] = self.feat.seen_fields.get(name, 0) + file.metadata.num_rows
            self.kept[str(path)] = (digest, file.metadata.num_rows)
            for batch in file.iter_batches(self.settings.ingest.batch_rows):
                yield from_portable(batch, self.feat)


def _reader(
    inputs: Sequence[str], settings: Settings, format: str | None, mapping: Path | None, **more: Any
) -> Reader:
    return Reader(
        inputs, format=format, mapping=mapping, batch_rows=settings.ingest.batch_rows,
        max_record_bytes=settings.ingest.max_record_bytes, earliest=settings.ingest.earliest or EARLIEST,
        latest=settings.ingest.latest, **more,
    )  # fmt: skip


def _is_feature_folder(name: str) -> bool:
    return name != "-" and Path(name).is_dir() and any(Path(name).glob("features-*.parquet"))


def _key(settings: Settings, env: Mapping[str, str]) -> Key:
    return Key.derive(load_key(settings, env))


def _options(settings: Settings) -> Options:
    d = settings.detect
    return Options(
        kappa=d.kappa, alpha_controller=d.alpha_controller, alpha_shape=d.alpha_shape, alpha_review=d.alpha_review,
        hub_min=d.hub_min, hub_max=d.hub_max, hub_sample=d.hub_sample, reference=d.reference, seed=d.seed,
        without=frozenset(d.without),
    )  # fmt: skip


def _micro(value: datetime) -> int:
    return int(value.timestamp() * 1_000_000)


def _load(
    intake: _Intake, settings: Settings, spill: str, *, accounts: Sequence[str], releases: str | None,
    client_releases: str | None, clock: _Clock,
) -> tuple[Traffic, list[Rejected], dict[str, Any]]:  # fmt: skip
    """Everything a scan reads, as one `Traffic`."""
    rejected: list[Rejected] = []
    context: dict[str, Any] = {}
    table = None
    if accounts:
        clock.step("reading accounts")
        table, bad = read_accounts(list(accounts))
        rejected += bad
    model_rows: list[tuple[str, int]] = []
    client_rows: list[tuple[str, str, int]] = []
    if releases:
        got, bad = read_releases(releases)
        rejected += bad
        model_rows = [(r["model"], _micro(r["released_at"])) for r in got.to_pylist()]
        context["releases"] = [
            {"model": r["model"], "released_at": r["released_at"].isoformat()} for r in got.to_pylist()
        ]
    if client_releases:
        got, bad = read_client_releases(client_releases)
        rejected += bad
        client_rows = [(r["client"], r["version"], _micro(r["released_at"])) for r in got.to_pylist()]
    clock.step("reading")
    loader = Loader(open_backend(settings.run.threads, settings.run.memory_limit, spill), intake.feat)
    for batch in intake.batches():
        loader.add(batch)
    if intake.reader is not None:
        rejected += intake.reader.rejected
    clock.step("accounts and units")
    return loader.finish(table, model_rows, client_rows), rejected, context


def scan(
    inputs: Sequence[str],
    *,
    settings: Settings,
    out: Path | None,
    accounts: Sequence[str] = (),
    grants: str | None = None,
    releases: str | None = None,
    client_releases: str | None = None,
    baseline: str | None = None,
    format: str | None = None,
    mapping: Path | None = None,
    overwrite: bool = False,
    check_null: int = 0,
    progress: Progress,
    stdin: BinaryIO | None = None,
    env: Mapping[str, str] = os.environ,
) -> ScanResult:
    """Find pools and campaigns in logs; write the output folder when ``out`` is given.

    Raises `StillwatchError` for unusable input or settings, before anything is written.
    """
    if out is not None:
        with _writable(out):
            check_target(out, overwrite=overwrite)
    key = _key(settings, env)
    reference = _reference(baseline, key.key_id)
    traits = load_traits(disabled=tuple(settings.detect.disabled_traits))
    options = _options(settings)
    clock = _Clock(progress)
    with _place(out) as spill:
        intake = _Intake(
            inputs, settings, key, format=format, mapping=mapping, stdin=stdin, progress=progress
        )
        traffic, rejected, context = _load(
            intake,
            settings,
            spill,
            accounts=accounts,
            releases=releases,
            client_releases=client_releases,
            clock=clock,
        )
        if not traffic.n_exchanges:
            return _empty(intake, rejected, settings, reference.about(), out, overwrite, clock)
        permitted = None
        if grants:
            permitted, bad = read_grants(grants)
            rejected += bad
        detection = detect(traffic, traits, reference, options, clock.step)
        covered = apply_grants(traffic, permitted)
        null = {}
        if check_null:
            clock.step("null check", float(check_null))
            null = run_null_check(traffic, detection, reference, options, check_null, progress.advance)
        clock.step("verdict")
        exemplars = {}
        if settings.privacy.content == "retain" and "-" not in inputs and intake.reader is not None:
            exemplars = _exemplars(inputs, settings, traffic, detection, format, mapping, intake.kept_rows)
        verdict = judge(traffic, detection, reference, options, covered, exemplars)
        summary = _summary(intake, traffic, detection, rejected, settings, reference.about(), context, null)
        summary["counts"] |= facts_of(verdict)
        result = ScanResult(
            verdict.campaigns, verdict.members, verdict.findings,
            verdict.abstentions + _unseen(intake, traffic), verdict.accounts, summary,
        )  # fmt: skip
        return _hand_over(result, rejected, out, overwrite, clock)


@contextmanager
def _writable(out: Path) -> Iterator[None]:
    """What the system says of an output is the user's to mend, not a failure of ours."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or "cannot be used").lower()
        raise ConfigError(
            f"{out.name} cannot be written: {reason}",
            hint="name an output in a folder that you can write to",
        ) from error


@contextmanager
def _place(out: Path | None) -> Iterator[str]:
    """A locked, hidden folder beside ``out`` for what is on the way; what killed runs left there goes.

    Without ``out``, a temporary folder.
    """
    with ExitStack() as stack:
        if out is None:
            yield stack.enter_context(tempfile.TemporaryDirectory(prefix="stillwatch-"))
            return
        with _writable(out):
            out = out.resolve()
            sweep(out)
            folder = stack.enter_context(new_folder(out))
        yield str(folder)


def _reference(path: str | Path | None, key_id: str) -> Baseline:
    try:
        return load_baseline(path, key_id)
    except (AttributeError, zlib.error) as error:
        raise SourceError(
            str(path), "not a stillwatch baseline", hint="make one: stillwatch baseline fit"
        ) from error


def _hand_over(
    result: ScanResult, rejected: list[Rejected], out: Path | None, overwrite: bool, clock: _Clock
) -> ScanResult:
    clock.step("report")
    so_far = replace(result, summary=result.summary | {"timings": dict(clock.seconds)})
    html = render_html(so_far) if out is not None else ""
    clock.step("")
    seconds = clock.seconds | {"total": round(time.perf_counter() - clock.begun, 3)}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    summary = result.summary | {"timings": seconds | {"peak_memory_bytes": peak}}
    result = replace(result, summary=summary)
    clock.progress.advance(0.0)  # the last chance to stop before anything is put in place
    if out is not None:
        write_result(result, out, rejected, html, overwrite=overwrite)
    return result


def _exemplars(
    inputs: Sequence[str], settings: Settings, traffic: Traffic, detection: Detection, format: str | None,
    mapping: Path | None, before: int,
) -> dict[int, list[str]]:  # fmt: skip
    """Prompts of the first linked exchanges of each group, by a second pass over the logs.

    ``before`` rows came from feature files, which hold no text. The pass refuses what the first one refused,
    so that both number the rows alike.
    """
    seq = traffic.column("seq")
    wanted = {}
    for index, stream in enumerate(detection.streams):
        for row in stream.linked_rows[: settings.report.max_exemplars].tolist():
            wanted[int(seq[row])] = index
    out: dict[int, list[str]] = {}
    at = before
    logs = [i for i in inputs if not _is_feature_folder(i)]
    for batch in _reader(logs, settings, format, mapping).batches():
        for row in sorted(s - at for s in wanted if at <= s < at + len(batch)):
            text = batch.column("prompt")[row].as_py()
            if text:
                out.setdefault(wanted[at + row], []).append(text[:2000])
        at += len(batch)
    return out


def _unseen(intake: _Intake, traffic: Traffic) -> tuple[Abstention, ...]:
    """Contract fields that no source ever gave, as one abstention."""
    missing = tuple(f.name for f in EXCHANGE_SCHEMA if f.name not in intake.feat.seen_fields)
    out = []
    if missing:
        out.append(Abstention("input", "no source gave these fields; nothing rests on them", missing))
    if not any(name.startswith("account.") for name in traffic.present):
        out.append(Abstention("input", "no account table: payment, sign-up and status were not judged"))
    return tuple(out)


def _summary(
    intake: _Intake, traffic: Traffic, detection: Detection, rejected: list[Rejected], settings: Settings,
    baseline: dict[str, Any], context: dict[str, Any], null: dict[str, Any],
) -> dict[str, Any]:  # fmt: skip
    reader = intake.reader
    reasons = Counter(r.reason for r in rejected)
    total = reader.total if reader is not None else None
    refused = max(len(rejected), total.rejected if total is not None else 0)
    return {
        "counts": {
            "exchanges": traffic.n_exchanges, "accounts": len(traffic.names.account.names),
            "units": traffic.n_units, "duplicates": traffic.duplicates, "rejected": refused,
            "skipped": total.skipped if total is not None else 0, "hubs": len(detection.hubs),
            "hubs_discovered": int(detection.tests.discovered.sum()),
            "groups_tested": len(detection.groups),
        },
        "rejected": dict(sorted(reasons.items())),
        "time_range": {"start": _iso(traffic.start), "end": _iso(traffic.end)},
        "false_discovery_rate": settings.detect.alpha_shape,
        "baseline": baseline,
        "formats": _formats(intake),
        "inputs": _inputs(intake),
        "notes": list(reader.notes) if reader is not None else [],
        "versions": {"stillwatch": __version__, "lexicon": traffic.lexicon.version, "traits": len(detection.traits)},
        "settings_digest": settings_digest(settings),
        "key_id": traffic.key.key_id,
        "seed": settings.detect.seed,
        "reference": "baseline+traffic" if detection.use_traffic else "baseline",
        "incomplete": sorted({a.trait for a in detection.abstentions if a.reason.startswith("failed")}),
        **context,
        **({"null_check": null} if null else {}),
    }  # fmt: skip


def _formats(intake: _Intake) -> list[str]:
    seen = {f"{r.format} ({r.compression})" for r in intake.reader.recognised} if intake.reader else set()
    return sorted(seen | ({"features"} if intake.features else set()))


def _inputs(intake: _Intake) -> list[dict[str, Any]]:
    found = dict(intake.kept)
    if intake.reader is not None:
        rows = {name: counts.accepted for name, counts in intake.reader.counts.items()}
        found |= {name: (digest, rows.get(name, 0)) for name, digest in intake.reader.digests.items()}
    return [
        {"name": Path(name).name or name, "digest": digest, "rows": n}
        for name, (digest, n) in sorted(found.items())
    ]


def _iso(micro: int) -> str:
    return datetime.fromtimestamp(micro / 1_000_000, tz=UTC).isoformat()


def _something_usable(reader: Reader) -> None:
    """Raise when records were found and every one of them was refused."""
    if reader.counts and not reader.total.rejected:
        return
    first = next(iter(reader.rejected), None)
    why = f"; first: {first.source}:{first.line}: {first.reason}" if first else ""
    raise SourceError(
        ", ".join(sorted(reader.counts)) or "input", f"none of {reader.total.read} records could be used{why}",
        hint="check the format (`--format`) and the required fields exchange_id, started_at, account_id, model",
    )  # fmt: skip


def _empty(
    intake: _Intake, rejected: list[Rejected], settings: Settings, baseline: dict[str, Any], out: Path | None,
    overwrite: bool, clock: _Clock,
) -> ScanResult:  # fmt: skip
    """No usable exchange: an error when everything was refused, a quiet empty result when there was nothing."""
    reader = intake.reader
    if reader is not None:
        _something_usable(reader)
    accounts = pa.table(
        {
            "account_id": pa.array([], pa.string()), "exchange_count": pa.array([], pa.int64()),
            "campaign_id": pa.array([], pa.string()), "disposition_hint": pa.array([], pa.string()),
            "abstentions": pa.array([], pa.list_(pa.string())),
        }
    )  # fmt: skip
    summary: dict[str, Any] = {
        "counts": {"exchanges": 0, "accounts": 0, "rejected": 0}, "baseline": baseline,
        "settings_digest": settings_digest(settings), "versions": {"stillwatch": __version__},
        "notes": list(reader.notes) if reader is not None else [],
    }  # fmt: skip
    result = ScanResult((), (), (), (Abstention("input", "there was nothing to look at"),), accounts, summary)
    return _hand_over(result, rejected, out, overwrite, clock)


def ingest(
    inputs: Sequence[str], *, settings: Settings, out: Path, format: str | None, mapping: Path | None,
    overwrite: bool, progress: Progress, env: Mapping[str, str] = os.environ, stdin: BinaryIO | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Read logs and keep what a scan needs: features and digests, or the canonical form with ``retain``."""
    with _writable(out):
        _check_kept(out, overwrite)
    key = _key(settings, env)
    intake = _Intake(inputs, settings, key, format=format, mapping=mapping, stdin=stdin, progress=progress)
    progress.step("reading")
    retain = settings.privacy.content == "retain"
    stem = "exchanges" if retain else "features"
    rows = files = 0
    with _place(out) as place:
        if retain:
            source: Iterable[pa.Table] = (pa.Table.from_batches([b]) for b in intake.canonical())
        else:
            source = (portable(b, intake.feat.names, key.key_id) for b in intake.batches())
        for table in source:
            seen = ",".join(sorted(intake.feat.seen_fields)).encode()
            table = table.replace_schema_metadata({**(table.schema.metadata or {}), b"fields": seen})
            pq.write_table(table, Path(place) / f"{stem}-{files:05d}.parquet", compression="zstd")
            rows, files = rows + len(table), files + 1
        if not rows and intake.reader is not None:
            _something_usable(intake.reader)
        _check_kept(out, overwrite)
        put_in_place(Path(place), out.resolve())
    reader = intake.reader
    return {
        "rows": rows, "rejected": reader.total.rejected if reader else 0,
        "skipped": reader.total.skipped if reader else 0, "files": files,
        "content": settings.privacy.content, "key_id": key.key_id, "formats": _formats(intake),
        "reasons": dict(Counter(r.reason for r in reader.rejected)) if reader else {},
    }  # fmt: skip


def _check_kept(out: Path, overwrite: bool) -> None:
    """Raise when an ingest may not write there: no folder, not empty, or not an ingest's."""
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{out.name} is not a folder", hint="name a folder that does not exist yet")
    present = list(out.iterdir()) if out.exists() else []
    if present and not overwrite:
        raise ConfigError(f"{out.name} is not empty", hint="choose another folder or pass --overwrite")
    foreign = [p for p in present if not p.match("features-*.parquet") and not p.match("exchanges-*.parquet")]
    if foreign:
        raise ConfigError(
            f"{out.name} holds {foreign[0].name!r}, which no ingest wrote; it is left as it is",
            hint="name another folder",
        )


def explain(run_dir: Path, subject: str) -> Any:
    """What a run says about one campaign or account."""
    return explain_text(load_result(run_dir), subject)


def fit_baseline(
    inputs: Sequence[str], *, settings: Settings, accounts: Sequence[str], out: Path, name: str, as_of: date | None,
    format: str | None = None, mapping: Path | None = None, progress: Progress,
    env: Mapping[str, str] = os.environ, stdin: BinaryIO | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Learn a baseline from traffic whose trusted accounts are known; writes one file."""
    key = _key(settings, env)
    clock = _Clock(progress)
    _check_baseline(out)
    shipped = load_baseline(None, key.key_id)
    with _place(out) as spill:
        intake = _Intake(
            inputs, settings, key, format=format, mapping=mapping, stdin=stdin, progress=progress
        )
        traffic, _, _ = _load(
            intake, settings, spill, accounts=accounts, releases=None, client_releases=None, clock=clock
        )
        trusted = trusted_units(traffic)
        if int(trusted.sum()) < 100:
            raise SourceError(
                "accounts", f"only {int(trusted.sum())} trusted units: a reference cohort needs at least 100",
                hint="give --accounts with verification, created_at and org_id; trusted = verified by identity or "
                "business, or declared and older than 90 days, and not suspended",
            )  # fmt: skip
        options = replace(_options(settings), reference="baseline+traffic")
        detection = detect(traffic, load_traits(), shipped, options, clock.step)
        day = as_of.isoformat() if as_of else _iso(traffic.end)[:10]
        made = fitted_baseline(
            traffic, detection, trusted, shipped, name=name, as_of=day,
            source=f"stillwatch baseline fit, {traffic.n_exchanges} exchanges, {traffic.n_units} units",
        )  # fmt: skip
        partial = Path(spill) / "baseline"
        partial.write_bytes(dump_baseline(made))
        partial.replace(out)
    clock.step("")
    return load_baseline(out, key.key_id).about() | {"file": out.name}


def _check_baseline(out: Path) -> None:
    """Raise when something that is no baseline is in the way."""
    with _writable(out):
        if not out.exists():
            return
    try:
        _reference(out, _made_with(out))
    except SourceError as error:
        raise ConfigError(
            f"{out.name} exists and is not a baseline; it is left as it is", hint="name another file"
        ) from error


def show_baseline(path: Path | None) -> dict[str, Any]:
    """What a baseline says of itself; needs no key."""
    return _reference(path, _made_with(path)).about()


def _made_with(path: Path | None) -> str:
    """The key id that a baseline file names; empty when it names none."""
    if path is None:
        return ""
    try:
        data = json.loads(gzip.decompress(path.read_bytes()))
    except (OSError, EOFError, ValueError, zlib.error):
        return ""
    return str(data.get("key_id") or "") if isinstance(data, dict) else ""


def generate(
    scenario: str, seed: int, scale: float, out: Path, progress: Progress, *, corpus: Path | None = None,
    processes: int | None = None,
) -> None:  # fmt: skip
    """Write one simulated world, say which family it is of, and seal its truth when the scenario asks for it."""
    from stillwatch.lab import generate as write_world
    from stillwatch.lab import load_scenario
    from stillwatch.lab.discipline import close_world

    said = 0

    def told(done: int, total: int) -> None:
        nonlocal said
        if said == 0:
            progress.step(f"writing {scenario}", float(total))
        progress.advance(float(done - said))
        said = done

    loaded = load_scenario(scenario)
    write_world(loaded, seed=seed, scale=scale, out=out, progress=told, corpus=corpus, processes=processes)
    close_world(out, loaded, seed, scale)


def list_scenarios() -> list[dict[str, Any]]:
    """The lab's scenarios."""
    from stillwatch.lab import scenarios

    return [{"id": name, "title": text} for name, text in sorted(scenarios().items())]


def list_suites() -> list[dict[str, Any]]:
    """The lab's suites."""
    from stillwatch.lab.suite import suites

    return [{"id": name, "title": text} for name, text in sorted(suites().items())]


def lab_score(
    run_dir: Path, truth_dir: Path, *, purpose: str = "report", ledgers: Sequence[Path] = ()
) -> dict[str, Any]:
    """Judge a detector's output folder against the truth of a world; the opening of truth is recorded."""
    from stillwatch.lab.discipline import score_folder

    return score_folder(run_dir, truth_dir, purpose=purpose, ledgers=ledgers, at=_now())


def lab_open(truth_dir: Path, out: Path, *, ledgers: Sequence[Path] = ()) -> dict[str, Any]:
    """Copy truth, unsealed, to look at it; recorded as an opening for tuning."""
    from stillwatch.lab.discipline import copy_truth

    opened = copy_truth(truth_dir, out, purpose="tune", ledgers=ledgers, by="lab open", at=_now())
    return {"out": str(out), "accounts": len(opened.truth.ids), "standing": opened.standing.row()}


def lab_run(
    suite: str, out: Path, *, detectors: Sequence[str] = (), commands: Sequence[str] = (), jobs: int = 1,
    purpose: str = "report", ledgers: Sequence[Path] = (), work: Path | None = None, progress: Progress,
) -> dict[str, Any]:  # fmt: skip
    """Run a suite; writes ``results.json`` and ``report.html`` beside its cells and ledger, and gives the table."""
    from stillwatch.lab.discipline import LEDGER, Ledger
    from stillwatch.lab.leaderboard import leaderboard, render_page
    from stillwatch.lab.suite import Moment, choose, load_suite, run_suite

    plan = load_suite(suite)
    runner = _LabRunner()
    chosen = choose(plan, runner, ids=detectors, commands=commands)

    def told(moment: Moment) -> None:
        progress.step(moment.words)

    with _writable(out):
        cells = run_suite(
            plan, chosen, out, runner=runner, jobs=jobs, purpose=purpose, ledgers=ledgers, work=work, now=_now,
            told=told,
        )  # fmt: skip
        about = {
            "name": plan.name, "title": plan.title, "version": plan.version, "purpose": purpose,
            "generator": __version__, "ledger": Ledger(out / LEDGER).head(),
        }  # fmt: skip
        table = leaderboard(cells, about)
        _whole(out / "results.json", json.dumps(table, indent=1, sort_keys=True) + "\n")
        _whole(out / "report.html", render_page(table))
    return table


def lab_detect_time(
    traffic: Path, *, command: str | None, shares: Sequence[float], hours: Sequence[float], purpose: str,
    ledgers: Sequence[Path] = (), progress: Progress,
) -> dict[str, Any]:  # fmt: skip
    """How much each campaign of a world takes before a detector says so; our own when no command is given."""
    from stillwatch.lab.discipline import open_truth
    from stillwatch.lab.suite import choose, detection_delay, load_suite
    from stillwatch.lab.suite.detectors import run_detector
    from stillwatch.lab.suite.plan import SHARES

    runner = _LabRunner()
    ids, commands = ((), (command,)) if command else (("stillwatch",), ())
    detector = choose(load_suite("smoke"), runner, ids=ids, commands=commands)[0]
    opened = open_truth(
        traffic, purpose=purpose, ledgers=ledgers, by=f"detect-time of {detector.id}", at=_now()
    )
    looks = 0

    def look(prefix: Path, out: Path) -> None:
        nonlocal looks
        looks += 1
        progress.step(f"look {looks}")
        run_detector(detector, runner, prefix, out)

    with tempfile.TemporaryDirectory(prefix="stillwatch-lab-") as work:
        found = detection_delay(
            traffic, opened, look, Path(work), shares=shares or (() if hours else SHARES), hours=hours
        )
    return {"detector": detector.row(), "standing": opened.standing.row(), **found}


def lab_search(
    kind: str, out: Path, *, scenario: str | None, seed: int, confirm: int, random_trials: int, guided_trials: int,
    minutes: float | None, progress: Progress,
) -> dict[str, Any]:  # fmt: skip
    """Search the dials of an attacker (``evasion``) or of a framer (``framing``) against our own scan."""
    from stillwatch.lab import load_scenario
    from stillwatch.lab.evasion import Setup, evasion
    from stillwatch.lab.evasion_search import Budget, Trial
    from stillwatch.lab.framing import framing

    runner, total = _LabRunner(), random_trials + guided_trials

    def detector(traffic: Path) -> Path:
        run = traffic.parent / "run"
        runner(traffic, run, {}, ())
        return run

    def told(trial: Trial, _: int) -> None:
        progress.step(f"trial {trial.number + 1} of {total}")

    setup = Setup(
        detector=detector, name=f"stillwatch {__version__}",
        scenario=load_scenario(scenario or ("evasion_small" if kind == "evasion" else "framing_small")),
        seeds=(seed, seed + 1), confirm=tuple(range(seed + 2, seed + 2 + confirm)), base={},
    )  # fmt: skip
    budget = Budget(random_trials, guided_trials, 60.0 * minutes if minutes else math.inf)
    with _writable(out):
        out.mkdir(parents=True, exist_ok=True)
        search = evasion if kind == "evasion" else framing
        return search(setup, seed=seed, budget=budget, out=out, told=told)


def lab_fit(world: Path, traces: Path, out: Path) -> list[dict[str, Any]]:
    """How far a world's honest accounts are from public traces, by measure."""
    from stillwatch.lab.fit import fit

    with _writable(out):
        return [asdict(row) for row in fit(world, traces, out)]


class _LabRunner:
    """Our own scan, as the laboratory runs it: in this process, silently, under a key that is no secret."""

    version = __version__

    def check(self, settings: Mapping[str, Any], drop_traits: tuple[str, ...]) -> None:
        """Raise `ConfigError` when there is no such setting or trait."""
        self._settings(settings, drop_traits)

    def __call__(
        self, traffic: Path, out: Path, settings: Mapping[str, Any], drop_traits: tuple[str, ...]
    ) -> None:
        """Scan the traffic with whatever lies beside its exchanges."""
        beside = {
            name: str(path) if (path := traffic / f"{name}.jsonl").exists() else None
            for name in ("grants", "releases", "client_releases")
        }
        accounts = traffic / "accounts.parquet"
        scan(
            [str(traffic / "exchanges")], settings=self._settings(settings, drop_traits), out=out,
            accounts=[str(accounts)] if accounts.exists() else [], grants=beside["grants"],
            releases=beside["releases"], client_releases=beside["client_releases"], progress=_Quiet(),
            env={Settings().privacy.key_env: hashlib.sha256(b"stillwatch lab").hexdigest()},
        )  # fmt: skip

    def _settings(self, settings: Mapping[str, Any], drop_traits: tuple[str, ...]) -> Settings:
        tree: dict[str, Any] = {}
        for name, value in settings.items():
            section, _, key = name.partition(".")
            if not key:
                raise ConfigError(f"{name}: no such setting", hint="write section.name, such as detect.kappa")
            tree.setdefault(section, {})[key] = value
        known = {t.id for t in builtin_traits()}
        unknown = sorted(set(drop_traits) - known)
        if unknown:
            raise ConfigError(f"no trait {unknown[0]}", hint="`stillwatch traits` lists them")
        if drop_traits:
            tree.setdefault("detect", {})["disabled_traits"] = tuple(drop_traits)
        return parse_settings(tree, where="the suite's settings")


class _Quiet:
    """Progress that says nothing."""

    def step(self, name: str, total: float | None = None) -> None:
        return

    def advance(self, amount: float) -> None:
        return

    def note(self, text: str) -> None:
        return


def _now() -> str:
    return datetime.now(tz=UTC).isoformat(timespec="seconds")


def _whole(path: Path, text: str) -> None:
    """A file that appears whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def list_traits() -> list[dict[str, Any]]:
    """The built-in traits."""
    return [
        {"id": t.id, "family": t.family.value, "title": t.title, "needs": sorted(t.needs), 
         "page": f"docs/traits/{t.id}.md", "what": t.what, "null": t.null, "looks_alike": list(t.looks_alike)}
        for t in builtin_traits()
    ]  # fmt: skip


def list_formats() -> list[dict[str, Any]]:
    """The log formats that are recognised."""
    return [{"id": name, "title": f.title} for name, f in sorted(FORMATS.items())] + [
        {"id": "mapping", "title": "anything else, through a TOML mapping (--mapping FILE)"}
    ]


__all__ = [
    "Progress", "StillwatchError", "explain", "fit_baseline", "generate", "ingest", "lab_detect_time", "lab_fit",
    "lab_open", "lab_run", "lab_score", "lab_search", "list_formats", "list_scenarios", "list_suites", "list_traits",
    "scan", "show_baseline",
]  # fmt: skip
