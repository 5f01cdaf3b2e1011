"""A stub in place of the wiring: it records how it was called and returns what the test asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from stillwatch.records import Abstention, Campaign, Confidence, Family, Kind, ScanResult

DAY = datetime(2026, 1, 5, tzinfo=UTC)


def a_campaign(**changes: Any) -> Campaign:
    """One campaign with round figures."""
    given: dict[str, Any] = {
        "campaign_id": "C-1",
        "kind": Kind.CAMPAIGN,
        "first_seen": DAY,
        "last_seen": DAY,
        "account_count": 1200,
        "exchange_count": 340_000,
        "output_tokens": 9_000_000,
        "log10_e_value": 41.25,
        "p_value": 0.0042,
        "calibration_count": 240,
        "false_discovery_rate": 0.0101,
        "bits": {Family.CONTENT: 12.0},
        "extraction_share": 0.62,
        "extraction_share_low": 0.55,
        "extraction_share_high": 0.7,
        "capabilities": ("reasoning",),
        "techniques": ("AML.T0024.002",),
        "confidence": Confidence.HIGH,
        "granted": False,
        "explanation": "",
    }
    return Campaign(**{**given, **changes})


def a_result(
    hints: tuple[str, ...] = ("none",),
    campaigns: tuple[Campaign, ...] = (),
    abstentions: tuple[Abstention, ...] = (),
    **summary: Any,
) -> ScanResult:
    """A scan result whose accounts have the given disposition hints."""
    count = len(hints)
    accounts = pa.table(
        {
            "account_id": [f"a{i}" for i in range(count)],
            "exchange_count": [1] * count,
            "campaign_id": pa.array([None] * count, pa.string()),
            "disposition_hint": list(hints),
            "abstentions": pa.array([[]] * count, pa.list_(pa.string())),
        }
    )
    given = {"counts": {"exchanges": 340_000, "accounts": count}, **summary}
    return ScanResult(campaigns, (), (), abstentions, accounts, given)


@dataclass
class Stub:
    """What the verbs call instead of the wiring."""

    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    progress: Callable[[Any], None] | None = None

    def verb(self, name: str) -> Callable[..., Any]:
        def called(*args: Any, **kwargs: Any) -> Any:
            if name != "log_is_kept":  # a question, asked after each run
                self.calls.append((name, args, kwargs))
            told = kwargs.get("progress", args[-1] if name == "generate" else None)
            if self.progress and told is not None:
                self.progress(told)
            answer = self.answers.get(name)
            if isinstance(answer, BaseException):
                raise answer
            return answer

        return called

    @property
    def last(self) -> dict[str, Any]:
        return self.calls[-1][2]


VERBS = (
    "scan",
    "log_is_kept",
    "log_run",
    "must_log",
    "ingest",
    "explain",
    "leads_beside",
    "fit_baseline",
    "show_baseline",
    "generate",
    "lab_score",
    "lab_open",
    "lab_run",
    "lab_detect_time",
    "lab_search",
    "lab_fit",
    "list_suites",
    "list_traits",
    "list_formats",
    "list_scenarios",
)
