"""What the receiver counts, in Prometheus' text. Labels are words of ours, never of a sender."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)


class Metrics:
    """The counters of one receiver, in a registry of its own."""

    media_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.requests = Counter(
            "stillwatch_receive_requests",
            "Answers, by path and HTTP status.",
            ("path", "status"),
            registry=registry,
        )
        self.received = Counter("stillwatch_receive_bytes", "Bytes of bodies received.", registry=registry)
        self.accepted = Counter("stillwatch_receive_exchanges", "Exchanges kept.", registry=registry)
        self.skipped = Counter(
            "stillwatch_receive_skipped", "Records that are no model call.", registry=registry
        )
        self.refused = Counter(
            "stillwatch_receive_refused",
            "Records that could not be used, by reason.",
            ("reason",),
            registry=registry,
        )
        self.waiting = Gauge(
            "stillwatch_receive_waiting_bytes", "Bytes being read or waiting to be kept.", registry=registry
        )
        self.commits = Histogram(
            "stillwatch_receive_commit_seconds", "Writing and syncing one round.", registry=registry,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
        )  # fmt: skip
        self.segments = Counter("stillwatch_receive_segments", "Files sealed.", registry=registry)
        self.failures = Counter(
            "stillwatch_receive_failures", "What went wrong in here, by kind.", ("kind",), registry=registry
        )

    def watch(self, waiting: Callable[[], float]) -> None:
        """Where the number of waiting bytes is read when somebody asks."""
        self.waiting.set_function(waiting)

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self.registry)
