"""What ``summary.json`` says about a run, read without trusting its shape.

Keys that are read by name (all optional; the rest is listed as it stands under *other facts*):

``counts`` (name to number; ``accounts`` and ``exchanges`` appear in the first sentence), ``time_range``
(``start``, ``end``), ``false_discovery_rate`` (0..1), ``baseline`` (``name``, ``dated`` or ``as_of``,
``kind``, ``digest``), ``releases`` (list of ``model``, ``released_at``), ``rejected`` (reason to count),
``inputs`` (list of ``name``, ``digest``, ``rows``), ``versions``, ``settings_digest``, ``seed``,
``null_check`` (a mapping, or a list with one entry a shuffle), ``incomplete`` (ids of detectors that
failed), ``not_judged`` (list of plain sentences), ``timings`` (stage to seconds), ``peak_memory_bytes``
(also accepted inside ``timings``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from stillwatch.records import ScanResult
from stillwatch.report.numbers import DASH, count, short

_NAMED = frozenset(
    "counts time_range false_discovery_rate baseline releases rejected inputs versions settings_digest seed"
    " incomplete null_check not_judged timings peak_memory_bytes abstention_counts".split()
)
_MOST = 200
"""Lines of any one list that are shown."""


@dataclass(frozen=True, slots=True)
class Facts:
    """The run, ready to be printed."""

    accounts: int
    exchanges: int
    start: datetime | None
    end: datetime | None
    false_discovery_rate: float | None
    baseline: tuple[tuple[str, str], ...]
    baseline_name: str
    baseline_dated: str
    baseline_kind: str
    releases: tuple[tuple[str, datetime], ...]
    rejected: tuple[tuple[str, int], ...]
    inputs: tuple[tuple[str, str, str], ...]
    versions: tuple[tuple[str, str], ...]
    settings_digest: str
    seed: str
    incomplete: tuple[str, ...]
    not_judged: tuple[str, ...]
    timings: tuple[tuple[str, str], ...]
    peak_memory: str
    counts: tuple[tuple[str, str], ...]
    null_check: tuple[tuple[str, str], ...]
    other: tuple[tuple[str, str], ...]


def as_time(value: Any) -> datetime | None:
    """Read a time that may already be one; None when it cannot be read.

    Example:
        >>> as_time("2026-10-01T00:00:00Z")
        datetime.datetime(2026, 10, 1, 0, 0, tzinfo=datetime.timezone.utc)
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [value]
    return list(value)[:_MOST] if isinstance(value, Iterable) and not isinstance(value, Mapping) else []


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _text(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: DASH}[value]
    if isinstance(value, int):
        return count(value)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(inner)}" for key, inner in sorted(value.items(), key=str)[:_MOST])
    return ", ".join(map(_text, value[:_MOST])) if isinstance(value, list | tuple) else str(value)


def _lines(value: Any) -> tuple[tuple[str, str], ...]:
    return tuple((str(key), _text(inner)) for key, inner in sorted(_map(value).items(), key=str)[:_MOST])


def _timings(summary: Mapping[str, Any]) -> tuple[tuple[tuple[str, str], ...], str]:
    stages, peak = [], _number(summary.get("peak_memory_bytes"))
    for name, value in sorted(_map(summary.get("timings")).items(), key=str)[:_MOST]:
        if name == "peak_memory_bytes":
            peak = _number(value)
            continue
        seconds = _number(value)
        stages.append(
            (str(name).removesuffix("_s"), _text(value) if seconds is None else f"{seconds:,.2f} s")
        )
    return tuple(stages), f"{short(peak)}B" if peak else ""


def _inputs(value: Any) -> tuple[tuple[str, str, str], ...]:
    found: list[tuple[str, str, str]] = []
    pairs = value.items() if isinstance(value, Mapping) else ((None, item) for item in _list(value))
    for name, item in pairs:
        fields = _map(item)
        if not fields:
            found.append((str(name or item), str(item) if name else "", ""))
            continue
        digest = fields.get("digest") or fields.get("sha256") or ""
        label = name or fields.get("name") or fields.get("source") or fields.get("path") or "?"
        found.append((str(label), str(digest), _text(fields.get("rows"))))
    return tuple(sorted(found)[:_MOST])


def _null_check(value: Any) -> tuple[tuple[str, str], ...]:
    if isinstance(value, Mapping):
        return _lines(value)
    return tuple((f"shuffle {i}", _text(run)) for i, run in enumerate(_list(value), 1))


def _rejected(value: Any) -> tuple[tuple[str, int], ...]:
    counted = [(str(k), int(n)) for k, v in _map(value).items() if (n := _number(v)) is not None]
    return tuple(sorted(counted, key=lambda pair: (-pair[1], pair[0])))


def read_facts(result: ScanResult) -> Facts:
    """Gather the facts of a run; every one of them may be missing from the summary."""
    summary = result.summary
    counts, span, baseline = (
        _map(summary.get("counts")),
        summary.get("time_range"),
        _map(summary.get("baseline")),
    )
    start, end = (
        (span.get("start"), span.get("end")) if isinstance(span, Mapping) else (*_list(span), None, None)[:2]
    )
    accounts = _number(counts.get("accounts"))
    exchanges = _number(counts.get("exchanges"))
    rate = _number(summary.get("false_discovery_rate"))
    if rate is None and result.campaigns:
        rate = max(campaign.false_discovery_rate for campaign in result.campaigns)
    stages, peak = _timings(summary)
    released = (
        (str(r.get("model", "?")), as_time(r.get("released_at")))
        for r in map(_map, _list(summary.get("releases")))
    )
    return Facts(
        accounts=result.accounts.num_rows if accounts is None else int(accounts),
        exchanges=_sum_exchanges(result) if exchanges is None else int(exchanges),
        start=as_time(start),
        end=as_time(end),
        false_discovery_rate=rate,
        baseline=_lines(baseline),
        baseline_name=str(baseline.get("name") or ""),
        baseline_dated=str(baseline.get("dated") or baseline.get("as_of") or baseline.get("date") or ""),
        baseline_kind=str(baseline.get("kind") or ""),
        releases=tuple(sorted((model, when) for model, when in released if when)),
        rejected=_rejected(summary.get("rejected")),
        inputs=_inputs(summary.get("inputs")),
        versions=_lines(summary.get("versions")),
        settings_digest=str(summary.get("settings_digest") or ""),
        seed="" if summary.get("seed") is None else str(summary["seed"]),
        incomplete=tuple(map(str, _list(summary.get("incomplete")))),
        not_judged=tuple(map(_text, _list(summary.get("not_judged")))),
        timings=stages,
        peak_memory=peak,
        counts=_lines(counts),
        null_check=_null_check(summary.get("null_check")),
        other=_lines({key: value for key, value in summary.items() if key not in _NAMED}),
    )


def _sum_exchanges(result: ScanResult) -> int:
    import pyarrow.compute as pc

    return int(pc.sum(result.accounts["exchange_count"]).as_py() or 0) if result.accounts.num_rows else 0
