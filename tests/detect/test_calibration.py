"""The shape p-value: conformal, among honest groups of like size, and silent where there are too few of them."""

from __future__ import annotations

import gzip
from dataclasses import replace

import numpy as np
import orjson
import pytest

from stillwatch.detect.baseline import HANDFUL, Baseline, Calibration, dump_baseline, load_baseline
from stillwatch.detect.fit import calibrate
from stillwatch.detect.shape import FEATURES, MIN_CALIBRATION, p_value
from stillwatch.errors import SourceError
from tests.contracts.factory import NOTHING


def calibration(small: np.ndarray, large: np.ndarray) -> Calibration:
    """Honest handfuls and honest larger groups with these scores."""
    scores, units = np.concatenate([small, large]), np.repeat([4, 40], [len(small), len(large)])
    order = np.argsort(scores, kind="stable")
    return Calibration({}, {}, scores[order], {}, units[order])


def test_a_group_is_ranked_among_its_like() -> None:
    """Orchestrated handfuls that score high do not hide a large group, nor does a large one hide a handful."""
    honest = calibration(np.linspace(8, 9, 150), np.linspace(0, 1, 300))
    assert p_value(5.0, honest, 100) == pytest.approx(1 / 301)
    assert p_value(5.0, honest, HANDFUL - 1) == 1.0
    assert p_value(5.0, honest, HANDFUL) == pytest.approx(1 / 301)


def test_the_p_value_is_uniform_for_an_exchangeable_group() -> None:
    """Over many honest draws a share of at most alpha has p at most alpha."""
    rng = np.random.default_rng(1)
    found = []
    for _ in range(400):
        drawn = rng.normal(size=200 + 1)
        found.append(p_value(float(drawn[0]), calibration(np.zeros(0), np.sort(drawn[1:])), 50))
    values = np.array(found, float)
    for alpha in (0.01, 0.05, 0.2, 0.5):
        assert (values <= alpha).mean() <= alpha + 3 * np.sqrt(alpha / 400), alpha
    assert values.mean() == pytest.approx(0.5, abs=0.05)


def test_ties_count_against_the_group() -> None:
    """An honest group with the very same score is as extreme."""
    assert p_value(1.0, calibration(np.zeros(0), np.ones(199)), 50) == 1.0


@pytest.mark.parametrize("units", [3, 50])
def test_too_few_of_like_size_say_nothing(units: int) -> None:
    """A hundred groups of another size do not help."""
    few, many = np.zeros(MIN_CALIBRATION - 1), np.zeros(500)
    honest = calibration(few, many) if units < HANDFUL else calibration(many, few)
    assert p_value(1.0, honest, units) is None


def test_sizes_keep_to_their_scores_through_fitting_and_storing(tmp_path) -> None:
    """Sorting by score takes the sizes along; a written baseline reads back the same."""
    rng = np.random.default_rng(2)
    features = [
        {name: float(x) for name, x in zip(FEATURES, rng.random(len(FEATURES)), strict=True)}
        for _ in range(30)
    ]
    units = rng.integers(3, 60, 30).tolist()
    weights = dict.fromkeys(FEATURES, 1.0)
    made = calibrate(features, ["own"] * 30, units, weights)
    wanted = sorted((sum(f.values()), n) for f, n in zip(features, units, strict=True))
    assert made.units.tolist() == [n for _, n in wanted]
    assert np.allclose(made.scores, [s for s, _ in wanted])
    path = tmp_path / "b.gz"
    path.write_bytes(dump_baseline(replaced(made)))
    again = load_baseline(path, "any").calibration
    assert again.units.tolist() == made.units.tolist() and np.allclose(again.scores, made.scores, atol=1e-5)


def replaced(made: Calibration) -> Baseline:
    """A baseline with this calibration."""
    return replace(NOTHING, calibration=made)


@pytest.mark.parametrize("change", [{"units": [3]}, {"scores": [3.0, 1.0, 2.0]}])
def test_a_baseline_whose_groups_do_not_add_up_is_refused(tmp_path, change: dict) -> None:
    """Sizes without scores, or scores out of order, would rank groups wrongly in silence."""
    made = replaced(Calibration({}, {}, np.array([1.0, 2.0, 3.0]), {}, np.array([3, 4, 50])))
    data = orjson.loads(gzip.decompress(dump_baseline(made)))
    data["calibration"] |= change
    path = tmp_path / "b.gz"
    path.write_bytes(gzip.compress(orjson.dumps(data)))
    with pytest.raises(SourceError):
        load_baseline(path, "any")
