"""The main job: from inputs to a result, and its words."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import pyarrow as pa

from stillwatch import __version__
from stillwatch.detect.baseline import Baseline, load_baseline
from stillwatch.detect.grants import apply_grants
from stillwatch.detect.nullcheck import check_null as run_null_check
from stillwatch.detect.run import Detection, Options, detect
from stillwatch.detect.traffic import Traffic
from stillwatch.detect.traits import load_traits
from stillwatch.detect.verdict import facts_of, judge
from stillwatch.errors import ConfigError, SourceError
from stillwatch.ingest import read_grants
from stillwatch.records import Abstention, ScanResult
from stillwatch.report import explain_text, load_result
from stillwatch.report.files import PROFILE, check_target
from stillwatch.settings import Settings, settings_digest
from stillwatch.wiring.intake import (
    Intake,
    key_of,
    load_traffic,
    open_reader,
    some_usable,
    something_usable,
)
from stillwatch.wiring.profile import FORMAT, Clock
from stillwatch.wiring.progress import Progress, staging, writable
from stillwatch.wiring.refusals import Refusals
from stillwatch.wiring.run_result import hand_over, summary_of, unseen
from stillwatch.wiring.sources import Span, split_sources


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
    since: datetime | None = None,
    until: datetime | None = None,
    progress: Progress,
    stdin: BinaryIO | None = None,
    env: Mapping[str, str] = os.environ,
    profiled: Callable[[dict[str, Any]], None] = lambda _: None,
) -> ScanResult:
    """Find pools and campaigns in logs; write the output folder when ``out`` is given.

    Only what started in ``[since, until)`` is read. ``profiled`` is told what each step cost, at the end.

    Raises `StillwatchError` for unusable input or settings, before anything is written.
    """
    span = Span(since, until)
    if out is not None:
        with writable(out):
            check_target(out, overwrite=overwrite)
    key = key_of(settings, env)
    reference = load_reference(baseline, key.key_id)
    traits = load_traits(disabled=tuple(settings.detect.disabled_traits))
    options = options_of(settings)
    clock = Clock(progress)
    with ExitStack() as stack:
        stack.enter_context(enough_memory(settings))
        spill = stack.enter_context(staging(out))
        rejected = stack.enter_context(Refusals(Path(spill) / "refused"))
        intake = Intake(
            inputs,
            settings,
            key,
            format=format,
            mapping=mapping,
            stdin=stdin,
            progress=progress,
            refused=rejected,
            span=span,
        )
        traffic, context = load_traffic(
            intake,
            settings,
            spill,
            accounts=accounts,
            releases=releases,
            client_releases=client_releases,
            clock=clock,
        )
        stack.callback(traffic.engine.close)
        if not traffic.n_exchanges:
            return _empty(intake, rejected, settings, reference.about(), out, overwrite, clock, profiled)
        permitted = None
        if grants:
            permitted, bad = read_grants(grants)
            rejected.extend(some_usable(grants, permitted, bad))
        detection = detect(traffic, traits, reference, options, clock.step)
        count_steps(clock, traffic, detection)
        covered = apply_grants(traffic, permitted)
        null = {}
        if check_null:
            clock.step("null check", float(check_null))
            null = run_null_check(traffic, detection, reference, options, check_null, progress.advance)
        clock.step("verdict")
        exemplars = {}
        if settings.privacy.content == "retain" and "-" not in inputs and intake.reader is not None:
            exemplars = _exemplars(
                inputs, settings, traffic, detection, format, mapping, intake.kept_rows, span
            )
        verdict = judge(traffic, detection, reference, options, covered, exemplars)
        summary = summary_of(intake, traffic, detection, rejected, settings, reference.about(), context, null)
        summary["counts"] |= facts_of(verdict)
        result = ScanResult(
            verdict.campaigns, verdict.members, verdict.findings,
            verdict.abstentions + unseen(intake, traffic), verdict.accounts, summary,
        )  # fmt: skip
        return hand_over(result, rejected, settings, out, overwrite, clock, profiled)


@contextmanager
def enough_memory(settings: Settings) -> Iterator[None]:
    """A limit under which the engine cannot work is the user's to mend."""
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise ConfigError(
            f"the engine cannot work within a memory limit of {settings.run.memory_limit}",
            hint="raise --memory-limit (or run.memory_limit): the engine spills what it can, and needs room for a part "
            "of each table that it works on",
        ) from error


def count_steps(clock: Clock, traffic: Traffic, detection: Detection) -> None:
    """How many rows each step of a detection handled: exchanges, then marks of units, then members of hubs."""
    clock.count(rows=sum(len(rows.linked_rows) for rows in detection.streams))
    rows = {
        "families": traffic.n_exchanges,
        "traits": sum(detection.shown.values()),
        "hubs": len(detection.hubs.units),
        "controller test": len(detection.hubs),
        "groups": len(detection.groups),
    }
    for step in clock.steps:
        step.rows = rows.get(step.name, step.rows)


def options_of(settings: Settings) -> Options:
    d = settings.detect
    return Options(
        kappa=d.kappa, alpha_controller=d.alpha_controller, alpha_shape=d.alpha_shape, alpha_review=d.alpha_review,
        hub_min=d.hub_min, hub_max=d.hub_max, hub_sample=d.hub_sample, reference=d.reference, seed=d.seed,
        without=frozenset(d.without),
    )  # fmt: skip


def load_reference(path: str | Path | None, key_id: str) -> Baseline:
    try:
        return load_baseline(path, key_id)
    except (AttributeError, zlib.error) as error:
        raise SourceError(
            str(path), "not a stillwatch baseline", hint="make one: stillwatch baseline fit"
        ) from error


def _exemplars(
    inputs: Sequence[str], settings: Settings, traffic: Traffic, detection: Detection, format: str | None,
    mapping: Path | None, before: int, span: Span,
) -> dict[int, list[str]]:  # fmt: skip
    """Prompts of the first linked exchanges of each group, by a second pass over the logs.

    ``before`` rows came from feature files, which hold no text. The pass refuses what the first one refused,
    so that both number the rows alike.
    """
    seq = detection.rows.column("seq")
    wanted = {}
    for index, stream in enumerate(detection.streams):
        for row in stream.linked_rows[: settings.report.max_exemplars].tolist():
            wanted[int(seq[row])] = index
    out: dict[int, list[str]] = {}
    at = before
    logs = split_sources(inputs, span)[1]
    for whole in open_reader(logs, settings, format, mapping).batches():
        batch = span.inside(whole, "started_at")
        for row in sorted(s - at for s in wanted if at <= s < at + len(batch)):
            text = batch.column("prompt")[row].as_py()
            if text:
                out.setdefault(wanted[at + row], []).append(text[:2000])
        at += len(batch)
    return out


def _empty(
    intake: Intake, rejected: Refusals, settings: Settings, baseline: dict[str, Any], out: Path | None,
    overwrite: bool, clock: Clock, profiled: Callable[[dict[str, Any]], None],
) -> ScanResult:  # fmt: skip
    """No usable exchange: an error when everything was refused, a quiet empty result when there was nothing."""
    reader = intake.reader
    if reader is not None:
        something_usable(reader)
    accounts = pa.table(
        {
            "account_id": pa.array([], pa.string()), "exchange_count": pa.array([], pa.int64()),
            "campaign_id": pa.array([], pa.string()), "disposition_hint": pa.array([], pa.string()),
            "abstentions": pa.array([], pa.list_(pa.string())),
        }
    )  # fmt: skip
    summary: dict[str, Any] = {
        "counts": {
            "exchanges": 0, "accounts": 0, "rejected": len(rejected),
            "skipped": reader.total.skipped if reader is not None else 0,
        }, "baseline": baseline,
        "settings_digest": settings_digest(settings), "versions": {"stillwatch": __version__},
        "notes": list(reader.notes) if reader is not None else [],
    }  # fmt: skip
    result = ScanResult((), (), (), (Abstention("input", "there was nothing to look at"),), accounts, summary)
    return hand_over(result, rejected, settings, out, overwrite, clock, profiled)


def explain(run_dir: Path, subject: str) -> Any:
    """What a run says about one campaign or account."""
    return explain_text(load_result(run_dir), subject)


def show_profile(run_dir: Path) -> dict[str, Any]:
    """What a run cost, as it wrote it down.

    Raises
    ------
    SourceError
        The folder holds no profile, or one that is none.
    """
    try:
        profile = json.loads((run_dir / PROFILE).read_text("utf-8"))
        if profile["format"] != FORMAT or not isinstance(profile["steps"], list):
            raise ValueError
    except FileNotFoundError as error:
        raise SourceError(
            str(run_dir),
            f"{PROFILE} is missing",
            hint="name what `stillwatch scan --out` of this version wrote",
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(
            str(run_dir), f"{PROFILE} is not a readable profile", hint="run the scan again"
        ) from error
    found: dict[str, Any] = profile
    return found
