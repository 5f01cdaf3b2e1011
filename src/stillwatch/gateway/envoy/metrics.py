"""What the processor counts, in Prometheus' text. Labels are words of ours, never of a client."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector


class Metrics:
    """The counters of one processor, in a registry of its own."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.decisions = Counter(
            "stillwatch_envoy_decisions", "Decisions, by action and whether the request was served.",
            ("action", "served"), registry=registry,
        )  # fmt: skip
        self.refused = Counter(
            "stillwatch_envoy_refused", "Requests that could not be taken, by HTTP status.", ("status",),
            registry=registry,
        )  # fmt: skip
        self.unnamed = Counter(
            "stillwatch_envoy_unnamed", "Requests for which Envoy named no account.", registry=registry
        )
        self.answers = Counter(
            "stillwatch_envoy_answers", "Answers recorded, by whether all of it could be read.", ("read",),
            registry=registry,
        )  # fmt: skip
        self.unapplied = Counter(
            "stillwatch_envoy_unapplied", "Actions that were decided and could not be carried out.", ("action",),
            registry=registry,
        )  # fmt: skip
        self.failures = Counter("stillwatch_envoy_failures", "What went wrong in here.", registry=registry)
        self.calls = Gauge("stillwatch_envoy_calls", "Calls in progress.", registry=registry)
        self.waiting = Gauge("stillwatch_envoy_waiting_bytes", "Bytes of bodies held.", registry=registry)
        self.deciding = Histogram(
            "stillwatch_envoy_deciding_seconds", "From the whole body to the decision.", registry=registry,
            buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
        )  # fmt: skip
