"""What every run says of itself: its summary, what no source gave, and how it is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stillwatch import __version__
from stillwatch.detect.run import Detection
from stillwatch.detect.traffic import Traffic
from stillwatch.records import EXCHANGE_SCHEMA, Abstention, ScanResult
from stillwatch.report import render_html, write_result
from stillwatch.settings import Settings, settings_digest
from stillwatch.wiring.intake import Intake
from stillwatch.wiring.profile import Clock, peak_memory
from stillwatch.wiring.refusals import Refusals

DERIVED = {"prefix_digests": "messages", "output_digests": "completion"}
"""Fields that the kernel makes itself where it has the text."""


def unseen(intake: Intake, traffic: Traffic) -> tuple[Abstention, ...]:
    """Contract fields that no source ever gave, as one abstention, and the account table, where there is none."""
    seen = intake.feat.seen_fields
    given = seen.keys() | {name for name, text in DERIVED.items() if text in seen}
    missing = tuple(f.name for f in EXCHANGE_SCHEMA if f.name not in given)
    out = []
    if missing:
        out.append(Abstention("input", "no source gave these fields; nothing rests on them", missing))
    if not any(name.startswith("account.") for name in traffic.present):
        out.append(Abstention("input", "no account table: payment, sign-up and status were not judged"))
    return tuple(out)


def summary_of(
    intake: Intake, traffic: Traffic, detection: Detection, rejected: Refusals, settings: Settings,
    baseline: dict[str, Any], context: dict[str, Any], null: dict[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """What ``summary.json`` says, but for what the verdict counts and the clock.

    Args:
        rejected: everything that was refused, of the logs and of what lies beside them.
        settings: the user's, by whose digest the run is known.
        baseline: what the reference says of itself.
        context: of `load_traffic`.
        null: of ``--check-null``; empty where it was not asked for.
    """
    reader = intake.reader
    total = reader.total if reader is not None else None
    outside = {"outside": intake.outside, "files_not_opened": intake.unopened}
    return {
        "counts": {
            "exchanges": traffic.n_exchanges, "accounts": len(traffic.names.account.names),
            "units": traffic.n_units, "duplicates": traffic.duplicates, "rejected": len(rejected),
            "skipped": total.skipped if total is not None else 0, "hubs": len(detection.hubs),
            "hubs_discovered": int(detection.tests.discovered.sum()),
            "groups_tested": len(detection.groups),
        },
        "rejected": dict(sorted(rejected.reasons.items())),
        "time_range": {"start": iso(traffic.start), "end": iso(traffic.end)},
        "false_discovery_rate": settings.detect.alpha_shape,
        "baseline": baseline,
        "formats": formats_of(intake),
        "inputs": _inputs(intake),
        "notes": list(reader.notes) if reader is not None else [],
        "versions": {"stillwatch": __version__, "lexicon": traffic.lexicon.version, "traits": len(detection.traits)},
        "settings_digest": settings_digest(settings),
        "key_id": traffic.key.key_id,
        "seed": settings.detect.seed,
        "reference": "baseline+traffic" if detection.use_traffic else "baseline",
        "incomplete": sorted({a.trait for a in detection.abstentions if a.reason.startswith("failed")}),
        **context,
        **({"window": span | outside} if (span := intake.span.about()) else {}),
        **({"null_check": null} if null else {}),
    }  # fmt: skip


def formats_of(intake: Intake) -> list[str]:
    """What the inputs were recognised as."""
    seen = {f"{r.format} ({r.compression})" for r in intake.reader.recognised} if intake.reader else set()
    return sorted(seen | ({"features"} if intake.features else set()))


def _inputs(intake: Intake) -> list[dict[str, Any]]:
    found = dict(intake.kept)
    if intake.reader is not None:
        rows = {name: counts.accepted for name, counts in intake.reader.counts.items()}
        found |= {name: (digest, rows.get(name, 0)) for name, digest in intake.reader.digests.items()}
    return [
        {"name": Path(name).name or name, "digest": digest, "rows": n}
        for name, (digest, n) in sorted(found.items())
    ]


def iso(micro: int) -> str:
    """Microseconds since the epoch as a time in UTC.

    >>> iso(1_764_000_000_000_000)
    '2025-11-24T16:00:00+00:00'
    """
    return datetime.fromtimestamp(micro / 1_000_000, tz=UTC).isoformat()


def hand_over(
    result: ScanResult, rejected: Refusals, settings: Settings, out: Path | None, overwrite: bool, clock: Clock,
    profiled: Callable[[dict[str, Any]], None],
) -> ScanResult:  # fmt: skip
    """Write the run folder where one is asked for, with what the run cost; the result with its timings."""
    clock.step("report")
    so_far = replace(result, summary=result.summary | {"timings": dict(clock.seconds)})
    html = render_html(so_far) if out is not None else ""
    clock.step("")
    profile = clock.profile(settings)
    seconds = clock.seconds | {"total": profile["total"]["seconds"]}
    summary = result.summary | {"timings": seconds | {"peak_memory_bytes": peak_memory()}}
    result = replace(result, summary=summary)
    clock.progress.advance(0.0)  # the last chance to stop before anything is put in place
    if out is not None:
        write_result(result, out, rejected, html, overwrite=overwrite, profile=profile)
    profiled(profile)
    return result
