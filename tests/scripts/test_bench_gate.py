"""The bench of the processor behind Envoy: what it configures."""

import json

from scripts.bench_gate import config


def test_the_two_doors_differ_in_the_filter_alone() -> None:
    """The same route to the same answer."""
    plain, decided, _ = config(1, 2, 3, 4)["static_resources"]["listeners"]
    first, second = (each["filter_chains"][0]["filters"][0]["typed_config"] for each in (plain, decided))
    assert first["route_config"] == second["route_config"]
    assert [len(each["http_filters"]) for each in (first, second)] == [1, 2]
    json.dumps(config(1, 2, 3, 4))
