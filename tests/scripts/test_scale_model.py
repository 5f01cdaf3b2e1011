"""The cost model on the page is the one that the data give."""

from __future__ import annotations

import json

import pytest

from scripts import scale_model
from scripts.bench_scale import exponents, held_against


def test_the_page_says_what_the_data_say() -> None:
    """Every figure between the marks is computed from docs/data, and nothing else stands there."""
    text = scale_model.PAGE.read_text("utf-8")
    shown = text.partition(scale_model.BEGIN)[2].partition(scale_model.END)[0]
    assert shown.strip() == scale_model.render().strip(), "python -m scripts.scale_model"


def test_a_power_law_is_found_again() -> None:
    """From points on a law its power comes back, and scatter widens the interval around it."""
    sizes = [1e5, 3e5, 9e5, 27e5]
    exact = scale_model.power_law(sizes, [2e-5 * n**1.1 for n in sizes])
    rough = scale_model.power_law(
        sizes, [2e-5 * n**1.1 * f for n, f in zip(sizes, (1, 1.2, 0.9, 1), strict=True)]
    )
    assert exact.power == pytest.approx(1.1)
    assert exact.half_width == pytest.approx(0.0, abs=1e-9)
    assert rough.half_width > 0.05
    assert abs(rough.power - 1.1) < rough.half_width


def test_extrapolation_is_an_interval_that_holds_the_fit() -> None:
    """At the largest measured size both ends meet the fit; beyond it they part."""
    rows = json.loads((scale_model.DATA / "bench.json").read_text("utf-8"))["rows"]
    sizes = [float(row["counts"]["exchanges"]) for row in rows]
    law = scale_model.power_law(sizes, [row["timings"]["total"] for row in rows])
    assert law.at(sizes[-1]) == pytest.approx(rows[-1]["timings"]["total"], rel=0.1)
    assert law.half_width > 0


def test_steps_are_held_against_the_machine() -> None:
    """Reading against hashing and decoding its bytes, a later step against the rows it found in the engine."""
    steps = [
        {"name": "reading", "seconds": 6.0, "bytes": 100, "engine_bytes": 50, "spilled_bytes": 0},
        {"name": "traits", "seconds": 5.0, "bytes": None, "engine_bytes": 60, "spilled_bytes": 10},
        {"name": "hubs", "seconds": 14.0, "bytes": None, "engine_bytes": 0, "spilled_bytes": 0},
    ]
    held = held_against(steps, {"sha256": 100.0, "parquet": 50.0, "copy": 10.0})
    assert [(step["least_s"], step["times_least"]) for step in held] == [(3.0, 2.0), (5.0, 1.0), (7.0, 2.0)]


def test_exponents_need_three_sizes() -> None:
    """Two points always lie on a line, so they say nothing of a power."""
    row = {"input": "text", "exchanges": 10, "wall_s": 1.0, "peak_memory_bytes": 5, "steps": []}
    assert exponents([row, row | {"exchanges": 20}]) == {}
    three = [row | {"exchanges": 10 * k, "wall_s": float(k)} for k in (1, 2, 4)]
    assert exponents(three)["whole"]["power"] == pytest.approx(1.0)


def test_the_model_is_held_against_a_run_that_it_was_not_fitted_to() -> None:
    """Laws of the runs from text are carried on to the largest from features; with too few runs nothing is said."""

    def row(n: int, seconds: float, kind: str = "text") -> dict[str, object]:
        steps = [{"name": step, "seconds": seconds} for step in scale_model.STEPS]
        return {
            "input": kind, "exchanges": n, "accounts": n // 10, "steps": steps, "memory_limit": "6GB",
            "peak_memory_bytes": 1e9 + 100 * n, "spilled_bytes": 2e9,
        }  # fmt: skip

    text = [row(k * 1_000_000, float(k)) for k in (1, 2, 4)]
    told = "\n".join(scale_model._checked([*text, row(8_000_000, 4.0, "features")]))
    assert "| groups | 8 s | 4 s | 0.50 |" in told
    assert "| **these steps** | 56 s | 28 s | 0.50 |" in told
    assert "says 2 GB" in told
    assert (
        scale_model._checked(text) == scale_model._checked([*text[:2], row(8_000_000, 4.0, "features")]) == []
    )
