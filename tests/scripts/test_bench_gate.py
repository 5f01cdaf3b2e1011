"""The bench of the processor behind Envoy: what it configures and how it counts."""

import json

from scripts.bench_gate import config, table


def test_the_two_doors_differ_in_the_filter_alone() -> None:
    """The same route to the same answer."""
    plain, decided, _ = config(1, 2, 3, 4)["static_resources"]["listeners"]
    first, second = (each["filter_chains"][0]["filters"][0]["typed_config"] for each in (plain, decided))
    assert first["route_config"] == second["route_config"]
    assert [len(each["http_filters"]) for each in (first, second)] == [1, 2]
    json.dumps(config(1, 2, 3, 4))


def test_percentiles_stand_side_by_side() -> None:
    """In milliseconds, with their difference."""
    assert table([0.001] * 10, [0.0035] * 10)[2] == "| p50 | 1.00 | 3.50 | 2.50 |"
