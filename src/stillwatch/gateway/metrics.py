"""What a gate counts, in Prometheus' text. Labels are words of ours, never of a customer."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from stillwatch.wiring.policy import Gate


class Metrics:
    """The counters of one service, in a registry of its own."""

    media_type = CONTENT_TYPE_LATEST

    def __init__(self, gate: Gate) -> None:
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(_Counts(gate))
        self.answers = Counter(
            "stillwatch_gate_answers",
            "Answers, by door and HTTP status.",
            ("door", "status"),
            registry=registry,
        )
        self.unapplied = Counter(
            "stillwatch_gate_unapplied",
            "Actions that were decided and that this door cannot carry out by itself.",
            ("door", "action"),
            registry=registry,
        )
        self.seconds = Histogram(
            "stillwatch_gate_seconds", "From a request to its decision.", ("door",), registry=registry,
            buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
        )  # fmt: skip

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self.registry)


class _Counts(Collector):
    """What the gate itself counts, read when somebody asks."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def collect(self) -> Iterator[Metric]:
        counts = self._gate.counts
        decisions = CounterMetricFamily(
            "stillwatch_gate_decisions", "Decisions, by action.", labels=("action",)
        )
        for action, number in sorted(counts.decisions.items()):
            decisions.add_metric((action,), number)
        yield decisions
        for name, text in (
            ("faults", "Decisions that could not be made."), ("unlogged", "Decisions that could not be logged."),
            ("reloads", "Policies, tables and switches taken over."),
            ("refused", "Policies, tables and switches that could not be used."),
        ):  # fmt: skip
            family = CounterMetricFamily(f"stillwatch_gate_{name}", text)
            family.add_metric((), getattr(counts, name))
            yield family
