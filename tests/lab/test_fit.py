"""The fit measures what it says, on both sides alike, and the population's figures carry their sources."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stillwatch.errors import SourceError
from stillwatch.lab.fit import MEASURES, compare, fit, main, measure_world
from stillwatch.lab.fit_samples import (
    Sample,
    active_of,
    alone,
    bursts_of,
    distance,
    hours_of,
    interval,
    volumes_of,
)
from stillwatch.lab.fit_traces import AZURE, MOONCAKE, SERVEGEN, read_mooncake, read_servegen
from stillwatch.lab.hashing import F64
from stillwatch.lab.population import by_quantiles, source, tables
from tests.lab.conftest import Make

RNG = np.random.default_rng(8)


def test_the_distance_agrees_with_an_independent_implementation() -> None:
    """Two-sample Kolmogorov-Smirnov, ties included."""
    from scipy.stats import ks_2samp

    for size in (5, 60, 301):
        a, b = RNG.normal(size=size).round(1), RNG.normal(0.4, 1.2, size=2 * size).round(1)
        assert distance(a, b) == pytest.approx(float(ks_2samp(a, b).statistic))


def test_the_interval_is_wider_when_few_tenants_stand_behind_many_values() -> None:
    """Four thousand bins of five accounts say less than of four hundred."""
    level = RNG.normal(size=400)
    many = Sample(np.repeat(level, 10) + RNG.normal(0, 0.1, 4000), np.repeat(np.arange(400), 10))
    few = Sample(np.repeat(level[:5], 800) + RNG.normal(0, 0.1, 4000), np.repeat(np.arange(5), 800))
    other = alone(RNG.normal(size=2000))
    wide, narrow = (np.ptp(interval(np.random.default_rng(1), s, other)) for s in (few, many))
    assert wide > 2 * narrow


def test_burstiness_of_known_processes() -> None:
    """A Poisson stream measures one, a clockwork nought, a clustered one more; small bins are left out."""
    poisson = np.cumsum(RNG.exponential(1.0, 40_000))
    steady = np.arange(40_000, dtype=np.float64)
    bursty = np.cumsum(RNG.gamma(0.1, 10.0, 40_000))
    streams: list[F64] = [poisson, steady, bursty]
    values = [bursts_of(t, np.zeros(len(t), np.int64))[0].values for t in streams]
    assert np.median(values[0]) == pytest.approx(1.0, abs=0.05)
    assert values[1].max() < 0.01
    assert np.median(values[2]) > 2.0
    assert len(bursts_of(np.arange(0, 450, 30, dtype=np.float64), np.zeros(15, np.int64))[0]) == 0


def test_bursts_never_mix_tenants() -> None:
    """Two clockworks shifted against each other stay clockworks."""
    t: F64 = np.concatenate([np.arange(100) * 5.0, np.arange(100) * 5.0 + 0.5])
    found, sizes = bursts_of(t, np.repeat([0, 1], 100))
    assert found.values.max() < 0.01
    assert sizes.tolist() == [100, 100]


def test_activity_and_hours_count_what_they_say() -> None:
    """Half the bins used is one half; load by hour has mean one and the peak where it was put."""
    t = np.arange(72, dtype=np.float64) * 600.0
    assert active_of(t, np.zeros(72, np.int64), 144, 10).values.tolist() == [0.5]
    assert len(active_of(t, np.zeros(72, np.int64), 144, 100)) == 0
    load = hours_of(np.array([3600.0 * 5] * 9 + [3600.0 * 7]))
    assert load.mean() == pytest.approx(1.0)
    assert int(load.argmax()) == 5
    assert volumes_of(np.array([0.0, 1.0, 3.0])).values.tolist() == [0.5, 1.5]


def _servegen(path: Path, clients: list[Any]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for number, rows in enumerate(clients):
            text = io.StringIO()
            csv.writer(text).writerows(rows)
            data = text.getvalue().encode()
            info = tarfile.TarInfo(f"data/chunk-{number}-trace.csv")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def test_servegen_files_are_read_and_drawn_as_large_as_asked(tmp_path: Path) -> None:
    """Volumes add up; a Gamma law of shape one draws a burstiness of one; activity is dealt over used bins only."""
    steady = [[600 * b, 1.0, 1.0, "Gamma", 1.0, 1.0] for b in range(1008)]
    rare = [[600 * b, 3.0 if b < 10 else 0, 0, "", 0, 0] for b in range(1008)]
    _servegen(tmp_path / "t.tar.gz", [steady, rare])
    samples, load = read_servegen(tmp_path / "t.tar.gz", np.full(400, 500), np.full(200, 5000), RNG)
    assert samples["volume"].values.max() / samples["volume"].values.min() == pytest.approx(1008 / 30)
    assert np.median(samples["burst"].values) == pytest.approx(1.0, abs=0.08)
    assert set(samples["burst"].groups.tolist()) == {0}
    by_client = {c: samples["active"].values[samples["active"].groups == c] for c in (0, 1)}
    assert by_client[0].min() > 0.95
    assert by_client[1].max() <= 10 / 1008
    assert load.mean() == pytest.approx(1.0)


def test_prefix_reuse_counts_blocks_an_earlier_request_had_brought(tmp_path: Path) -> None:
    """The first request reuses nothing, a continuation its history."""
    rows = [[1, 2], [1, 2, 3, 4], [9]]
    with gzip.open(tmp_path / "m.jsonl.gz", "wt") as out:
        for blocks in rows:
            out.write(json.dumps({"input_length": 5, "output_length": 2, "hash_ids": blocks}) + "\n")
    assert read_mooncake(tmp_path / "m.jsonl.gz")["cached"].values.tolist() == [0.0, 0.5, 0.0]


def test_the_report_says_which_traces_are_missing(make: Make, tmp_path: Path) -> None:
    """One trace there, the others named; JSON, SVG and page are written and load."""
    w = make(days=2, ordinary=150, rate=60.0, completions="none")
    name = AZURE["Azure chat"]
    tokens = np.exp(RNG.normal(6.6, 1.0, 500)).astype(int)
    lines = "".join(f"2023-11-16 18:15:46,{n},{n // 9 + 1}\n" for n in tokens.tolist())
    (tmp_path / name).write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n" + lines)
    assert main([str(w.folder), "--traces", str(tmp_path), "--out", str(tmp_path / "fit")]) == 0
    report = json.loads((tmp_path / "fit" / "fit.json").read_text())
    assert {c["measure"] for c in report["compared"]} == {"input", "output"}
    assert report["missing_traces"] == sorted((SERVEGEN | AZURE | MOONCAKE).keys() - {"Azure chat"})
    assert (tmp_path / "fit" / "fit.svg").read_text().startswith("<svg")
    assert "http" not in (tmp_path / "fit" / "fit.html").read_text().replace("http://www.w3.org/2000/svg", "")


def test_the_fit_is_the_same_every_time(make: Make, tmp_path: Path) -> None:
    """Same world, same traces, same bytes."""
    w = make(days=1, ordinary=60, rate=40.0, completions="none")
    for name in ("a", "b"):
        fit(w.folder, tmp_path / "none", tmp_path / name)
    assert (tmp_path / "a" / "fit.json").read_bytes() == (tmp_path / "b" / "fit.json").read_bytes()


def test_only_ordinary_accounts_are_measured_and_a_missing_world_is_said_so(tmp_path: Path) -> None:
    """No world, no fit."""
    with pytest.raises(SourceError, match="no world"):
        measure_world(tmp_path, RNG)


def test_a_sample_from_the_same_law_is_nearer_than_the_yardstick() -> None:
    """Compared with itself a world is near, with something else far; the yardstick is the traces' own distance."""
    own = {"input": alone(RNG.normal(0, 1, 900))}
    traces = {"same": {"input": alone(RNG.normal(0, 1, 900))}, "far": {"input": alone(RNG.normal(3, 1, 900))}}
    found = {c.trace: c for c in compare(own, traces, np.random.default_rng(2))}
    assert found["same"].distance < 0.1 < 0.8 < found["far"].distance
    assert (found["same"].yardstick or 0.0) > 0.8
    assert found["far"].low <= found["far"].distance <= found["far"].high
    assert set(MEASURES) >= {"input"}


def test_every_table_of_the_population_names_its_source() -> None:
    """A figure without a source is somebody's imagination."""
    for table in tables():
        assert len(source(table)) > 20, table


def test_quantile_tables_are_drawn_as_written() -> None:
    """A tenth of accounts lies below the tenth quantile, half below the median."""
    drawn = by_quantiles(np.random.default_rng(3), "burst", 40_000)
    assert np.quantile(drawn, [0.1, 0.5, 0.9]) == pytest.approx([0.96, 1.32, 3.89], rel=0.03)
    assert drawn.max() <= 18.7


def test_a_world_is_about_as_bursty_as_the_traces_say(make: Make) -> None:
    """Median burstiness of busy accounts is near one, with a tail: what every ServeGen service shows."""
    w = make(days=2, ordinary=150, rate=220.0, completions="none")
    samples, _, _ = measure_world(w.folder, RNG)
    median, tail = np.quantile(samples["burst"].values, [0.5, 0.95])
    assert 0.8 <= median <= 2.0
    assert 2.0 <= tail <= 9.0
    assert 0.25 <= np.median(samples["cached"].values) <= 0.6
