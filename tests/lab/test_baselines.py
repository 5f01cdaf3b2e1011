"""Each baseline finds what it should (it is no straw man), and is checked against a slow or an independent twin."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import rankdata, shapiro

from stillwatch.errors import ConfigError
from stillwatch.lab import score
from stillwatch.lab.baselines import BASELINES, LogFrame, Result, read_traffic
from stillwatch.lab.baselines.exact_dedupe import common_prompts
from stillwatch.lab.baselines.features import FEATURES, account_features, filled
from stillwatch.lab.baselines.mmd import Pool, kernel, mmd2, within
from stillwatch.lab.baselines.ngrams import embed
from stillwatch.lab.baselines.operating_point import mmd_score, operating_point
from stillwatch.lab.baselines.output import run_tables
from stillwatch.lab.baselines.prada import nearest_distances, shapiro_w
from stillwatch.lab.baselines.rate_limit import busiest
from stillwatch.lab.baselines.reference import account_windows, reference_rows, tenured
from stillwatch.lab.baselines.shared_attribute import hydra_score
from stillwatch.lab.baselines.window_mmd import POOL, window_scores
from stillwatch.lab.scenario import CampaignSpec
from tests.lab.baseline_logs import START_US, accounts, exchange, exchanges, mixed_log, sentence
from tests.lab.conftest import Make, Written


@pytest.fixture(scope="module")
def world(make: Make) -> Written:
    """Twelve accounts that ask every mathematics problem four times, among 150 ordinary ones; seed 11."""
    campaign = CampaignSpec(
        variant="cot_math", accounts=12, exchanges_per_account=150, repeats=4, ban_share=0.0
    )
    return make(seed=11, ordinary=150, campaigns=(campaign,))


@pytest.fixture(scope="module")
def frame(world: Written) -> LogFrame:
    """The log of the world."""
    return read_traffic(world.folder)


def answer(name: str, log: LogFrame) -> Result:
    """A baseline's answer; skips where its package is missing."""
    if name in ("isolation_forest", "ecod"):
        pytest.importorskip({"isolation_forest": "sklearn", "ecod": "pyod"}[name])
    return BASELINES[name].run(log)


def extractors(world: Written, log: LogFrame) -> np.ndarray:
    """The truth, for the tests alone."""
    found = {a for (a,) in world.rows("select account_id from truth where is_extractor")}
    return np.array([a in found for a in log.accounts])


def separation(scores: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve."""
    n = int(positive.sum())
    return float((rankdata(scores)[positive].sum() - n * (n + 1) / 2) / (n * (~positive).sum()))


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("isolation_forest", 0.7),
        ("ecod", 0.9),
        ("exact_dedupe", 0.95),
        ("shared_template", 0.9),
        ("prada", 0.9),
        ("seat", 0.8),
        ("window_mmd", 0.85),
        ("window_mmd_pooled", 0.9),
        ("cooccurrence", 0.95),
    ],
)
def test_a_plain_campaign_is_ranked_above_ordinary_accounts(
    name: str, least: float, world: Written, frame: LogFrame
) -> None:
    """On an easy world of rung 0 every method that reads content or behaviour works."""
    assert separation(answer(name, frame).scores, extractors(world, frame)) > least


@pytest.mark.parametrize("name", ["exact_dedupe", "cooccurrence"])
def test_a_plain_campaign_is_one_group(name: str, world: Written, frame: LogFrame) -> None:
    """The methods that link accounts name the whole campaign, and mostly nobody else."""
    tables = run_tables(name, frame, answer(name, frame))
    scored = score(world.folder / "truth", tables["members"], tables["accounts"], tables["campaigns"])
    assert scored["recall"] > 0.9
    assert scored["campaigns_detected"] == 1
    assert scored["classes"]["ordinary"]["fpr"] < 0.05


# --- rates ---------------------------------------------------------------------------------------------------------


def test_the_busiest_hour_slides() -> None:
    """Against counting by hand, with exchanges exactly an hour apart: the interval is half open."""
    rng = np.random.default_rng(11)
    seconds = np.sort(np.concatenate([rng.integers(0, 20_000, 200), [30_000, 33_600]]))
    log = LogFrame.of(exchanges([exchange(i, f"a{i % 3}", float(s), None) for i, s in enumerate(seconds)]))
    for a, most in enumerate(busiest(log, 3_600_000_000)):
        mine = seconds[a::3]
        assert most == max(int(np.sum((mine > t - 3_600) & (mine <= t))) for t in mine)


def test_the_rate_limit_flags_at_its_limits() -> None:
    """500 within an hour is flagged and 499 is not; 5,000 within a day, spread evenly, is."""
    rows = [exchange(i, "over", 7.0 * i, None) for i in range(500)]
    rows += [exchange(500 + i, "under", 7.0 * i, None) for i in range(499)]
    rows += [exchange(1_000 + i, "daily", 17.0 * i, None) for i in range(5_000)]
    log = LogFrame.of(exchanges(rows))
    found = BASELINES["rate_limit"].run(log)
    assert dict(zip(log.accounts, found.flagged().tolist(), strict=True)) == {
        "daily": True,
        "over": True,
        "under": False,
    }


# --- anomaly detectors -----------------------------------------------------------------------------------------------


def test_features_by_hand() -> None:
    """Three exchanges an hour apart, two addresses, one skeleton used twice."""
    rows = [
        exchange(0, "a", 0.0, "Count the 3 apples in the basket and then explain", client_ip="192.0.2.1"),
        exchange(1, "a", 3_600.0, "Count the 44 apples in the basket and then stop", client_ip="192.0.2.1"),
        exchange(2, "a", 7_200.0, "Name all the rivers of the north that you know", client_ip="192.0.2.2"),
        exchange(3, "b", 0.0, None, input_tokens=9, output_tokens=0),
    ]
    values = account_features(LogFrame.of(exchanges(rows)))
    a = dict(zip(FEATURES, values[0], strict=True))
    assert a["requests"] == pytest.approx(np.log(4))
    assert a["busiest_hour"] == pytest.approx(np.log(2))
    assert a["active_hours"] == 1.0
    assert a["hour_entropy"] == pytest.approx(np.log2(3))
    assert a["addresses"] == pytest.approx(np.log(3))
    assert a["template_reuse"] == pytest.approx(1 / 3)
    assert np.isnan([a["gap_cv"], a["input_tokens"], values[1][FEATURES.index("addresses")]]).all()
    assert values[1][FEATURES.index("input_tokens")] == pytest.approx(np.log(10))


def test_the_forest_is_the_librarys(frame: LogFrame) -> None:
    """Scores and flags are those of scikit-learn called by hand."""
    ensemble = pytest.importorskip("sklearn.ensemble")
    features = filled(account_features(frame))
    forest = ensemble.IsolationForest(random_state=11, contamination="auto").fit(features)
    found = BASELINES["isolation_forest"].run(frame)
    np.testing.assert_array_equal(found.scores, -forest.score_samples(features))
    np.testing.assert_array_equal(found.flagged(), forest.predict(features) == -1)


def test_ecod_is_the_librarys(frame: LogFrame) -> None:
    """Scores and flags are those of PyOD called by hand, and leaving out a constant feature changes neither."""
    ecod = pytest.importorskip("pyod.models.ecod")
    features = filled(account_features(frame))
    assert (np.ptp(features, axis=0) > 0).all()
    model = ecod.ECOD().fit(features)
    found = BASELINES["ecod"].run(frame)
    np.testing.assert_allclose(found.scores, model.decision_scores_, rtol=1e-12)
    np.testing.assert_array_equal(found.flagged(), model.labels_ == 1)


# --- duplicates and shared values ------------------------------------------------------------------------------------


def test_common_prompts_are_those_of_a_plain_count() -> None:
    """Against dictionaries: every pair of accounts, and the prompts both sent, public ones left out."""
    rng = np.random.default_rng(12)
    account, code = rng.integers(0, 40, 3_000), rng.integers(0, 400, 3_000)
    code[:60] = 7
    account[:60] = np.arange(60) % 40
    order = np.argsort(account, kind="stable")
    account, code = account[order], code[order]
    senders = {c: set(account[code == c].tolist()) for c in set(code.tolist())}
    holders = np.array([len(senders[c]) for c in code])
    left, right, number = common_prompts(account, code, holders, 40)
    expected: dict[tuple[int, int], int] = {}
    for found in senders.values():
        if len(found) <= 20:
            for a in found:
                for b in found:
                    if a < b:
                        expected[a, b] = expected.get((a, b), 0) + 1
    assert (
        dict(zip(zip(left.tolist(), right.tolist(), strict=True), number.tolist(), strict=True)) == expected
    )
    assert max(len(s) for s in senders.values()) > 20


def test_one_shared_card_joins_and_nothing_shared_does_not() -> None:
    """Three accounts on one card are a cluster; two on one address are too few; the rest stay alone."""
    rows = [
        exchange(i, f"a{i}", 60.0 * i, "x", client_ip=f"198.51.{i}.1", tls_fingerprint=f"t{i}")
        for i in range(6)
    ]
    rows.append(exchange(6, "a5", 0.0, "x", client_ip="198.51.4.200", tls_fingerprint="t5"))
    people = [{"account_id": f"a{i}", "payment_digest": "card" if i < 3 else f"own{i}"} for i in range(6)]
    found = BASELINES["shared_attribute"].run(LogFrame.of(exchanges(rows), accounts(people)))
    assert [g.accounts for g in found.groups] == [(0, 1, 2)]
    assert (found.scores > 0).tolist() == [True, True, True, False, False, False]


def test_the_published_cluster_score_adds_up() -> None:
    """By the published table: size, cards, subnets, country, equal prefixes of digests, one card on four accounts."""
    cards = ["abc1", "abc2", "abc3", "abd4"] + ["abc1"] * 3
    whole = 7 / 25 * 0.40 + 4 * 0.07 + 2 * 0.03 + 0.10 + 0.20 + 0.15 + 0.12
    assert hydra_score(7, 2, ["CN", "US"], cards, 100) == pytest.approx(min(whole, 1.0))
    assert hydra_score(7, 2, [], [None] * 7, 0) == pytest.approx(0.4 * (7 / 25 * 0.40 + 2 * 0.03))
    assert hydra_score(2, 2, ["CN"], cards, 100) == 0.0


def test_repeated_joint_actions_join_and_a_single_one_does_not() -> None:
    """Two accounts that send one skeleton seconds apart six times are joined; a third that did once is not; nor is a
    pair that always lets two minutes pass."""
    rows: list[dict[str, Any]] = []
    for i in range(6):
        text = f"describe in detail how the machine number {i} is to be taken apart"
        rows += [exchange(len(rows) + j, f"near{j}", 1_000.0 * i + j, text) for j in range(2)]
        late = f"write a friendly little poem about the month number {i} and its weather"
        rows += [exchange(len(rows) + j, f"late{j}", 1_000.0 * i + 120.0 * j, late) for j in range(2)]
    rows.append(
        exchange(len(rows), "once", 1.5, "describe in detail how the machine number 77 is to be taken apart")
    )
    log = LogFrame.of(exchanges(rows))
    found = BASELINES["cooccurrence"].run(log)
    assert [tuple(log.accounts[a] for a in g.accounts) for g in found.groups] == [("near0", "near1")]


# --- text vectors, PRADA, SEAT ---------------------------------------------------------------------------------------


def test_a_vector_depends_on_its_own_text_alone() -> None:
    """Position, neighbours and chunk borders do not matter; empty and missing texts are zero; long tails are cut."""
    rng = np.random.default_rng(13)
    texts: list[str | None] = [sentence(rng, int(rng.integers(1, 40))) for _ in range(5_000)]
    texts[10], texts[11], texts[12] = "", None, "日本語のテキスト ё"
    together = embed(texts)
    for i in (0, 9, 10, 11, 12, 13, 4_095, 4_096, 4_999):
        np.testing.assert_allclose(together[i], embed([texts[i]])[0], atol=1e-6)
    assert not together[10].any()
    assert not together[11].any()
    assert np.linalg.norm(together[12]) == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_array_equal(embed(["a" * 1_000 + "b"]), embed(["a" * 1_000 + "c"]))


def test_nearest_distances_are_those_of_the_published_loop() -> None:
    """Against the algorithm of the paper query by query."""
    vectors = np.random.default_rng(14).normal(size=(80, 5)).astype(np.float32)
    kept, growing, threshold, expected = [vectors[0]], [0.0], 0.0, []
    for query in vectors[1:]:
        nearest = min(float(np.linalg.norm(member - query)) for member in kept)
        expected.append(nearest)
        if nearest > threshold:
            kept.append(query)
            growing.append(nearest)
            threshold = max(threshold, float(np.mean(growing) - np.std(growing)))
    assert len(kept) < 80
    np.testing.assert_allclose(nearest_distances(vectors), expected, rtol=1e-4)


def test_w_is_scipys_without_the_outliers() -> None:
    """Three deviations are cut once; few distances are not judged; equal ones are no evidence."""
    values = np.random.default_rng(15).normal(1.0, 0.1, 300)
    assert shapiro_w(values[:102]) == pytest.approx(float(shapiro(_cut(values[:102])).statistic))
    assert shapiro_w(np.append(values, 50.0)) == pytest.approx(float(shapiro(values).statistic))
    assert shapiro_w(values[:100]) is None
    assert shapiro_w(np.ones(200)) == 1.0


def _cut(values: np.ndarray) -> np.ndarray:
    return values[np.abs(values - values.mean()) <= 3 * values.std()]


def test_prada_flags_queries_made_from_seeds() -> None:
    """New questions and small changes of old ones, half and half, are flagged; new questions alone are not."""
    rng = np.random.default_rng(16)
    rows: list[dict[str, Any]] = []
    seeds = [sentence(rng, 30) for _ in range(150)]
    for i in range(150):
        rows.append(exchange(len(rows), "maker", 120.0 * i, seeds[i]))
        rows.append(exchange(len(rows), "maker", 120.0 * i + 60, seeds[i] + " ?"))
    rows += [exchange(len(rows) + i, "asker", 60.0 * i, sentence(rng, 30)) for i in range(300)]
    log = LogFrame.of(exchanges(rows))
    assert dict(zip(log.accounts, BASELINES["prada"].run(log).flagged().tolist(), strict=True)) == {
        "asker": False,
        "maker": True,
    }


def test_seat_flags_variations_of_one_question() -> None:
    """The ring of the mixed log varies the end of one template; nobody else repeats anything."""
    log = LogFrame.of(*mixed_log())
    found = BASELINES["seat"].run(log)
    ring = np.array([a.startswith("ring") for a in log.accounts])
    assert found.flagged()[ring].all()
    assert found.scores[ring].min() > found.scores[~ring].max()


# --- MMD -------------------------------------------------------------------------------------------------------------


def slow_mmd2(x: np.ndarray, y: np.ndarray, sigma: float) -> float:
    """The unbiased estimate, term by term."""

    def k(a: np.ndarray, b: np.ndarray) -> float:
        d = float(np.sum((a.astype(float) - b.astype(float)) ** 2))
        return float(np.mean([np.exp(-d / (2 * (c * sigma) ** 2)) for c in (0.5, 1.0, 2.0, 4.0)]))

    xx = np.mean([k(x[i], x[j]) for i in range(len(x)) for j in range(len(x)) if i != j])
    yy = np.mean([k(y[i], y[j]) for i in range(len(y)) for j in range(len(y)) if i != j])
    return float(xx + yy - 2 * np.mean([k(a, b) for a in x for b in y]))


def test_mmd_is_the_slow_direct_sum() -> None:
    """The library form, and the form that compares with a whole pool, against the double loop."""
    rng = np.random.default_rng(17)
    x = rng.normal(0.3, 1.0, (12, 6)).astype(np.float32)
    pool = Pool.of(rng.normal(0.0, 1.0, (25, 6)).astype(np.float32))
    distances = [np.linalg.norm(a - b) for i, a in enumerate(pool.vectors) for b in pool.vectors[:i]]
    assert pool.sigma == pytest.approx(float(np.median(distances)), rel=1e-5)
    expected = slow_mmd2(x, pool.vectors, pool.sigma)
    assert mmd2(x, pool.vectors, pool.sigma) == pytest.approx(expected, abs=1e-6)
    assert pool.discrepancy(x) == pytest.approx(expected, abs=1e-6)


def test_the_whole_pool_is_the_mean_over_drawn_references() -> None:
    """What the paper averages over twenty draws, here over two thousand, comes to the same."""
    rng = np.random.default_rng(18)
    x = rng.normal(0.5, 1.0, (20, 4)).astype(np.float32)
    pool = Pool.of(rng.normal(0.0, 1.0, (60, 4)).astype(np.float32))
    drawn = [mmd2(pool.vectors[rng.choice(60, 20, replace=False)], x, pool.sigma) for _ in range(2_000)]
    error = 4 * np.std(drawn) / np.sqrt(len(drawn))
    assert pool.discrepancy(x) == pytest.approx(float(np.mean(drawn)), abs=float(error))


def test_the_null_is_that_of_cut_windows_by_either_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cutting windows out and counting them into products give one answer, with and without replacement."""
    vectors = np.random.default_rng(19).normal(size=(50, 4)).astype(np.float32)
    pool = Pool.of(vectors)
    for length in (20, 40):
        cut = pool.null(length, seed=11, draws=40)
        monkeypatch.setattr("stillwatch.lab.baselines.mmd.SHORT", 0)
        counted = pool.null(length, seed=11, draws=40)
        monkeypatch.undo()
        assert (counted.mean, counted.threshold) == pytest.approx((cut.mean, cut.threshold), abs=1e-7)
    rng = np.random.default_rng([11, 20])
    rows = np.array([rng.choice(50, 40, replace=False) for _ in range(40)])
    slow = [slow_mmd2(vectors[r[:20]], vectors[r[20:]], pool.sigma) for r in rows[:5]]
    fast = [
        within(kernel(vectors[r[:20]], vectors[r[:20]], pool.sigma))
        + within(kernel(vectors[r[20:]], vectors[r[20:]], pool.sigma))
        - 2 * float(np.mean(kernel(vectors[r[:20]], vectors[r[20:]], pool.sigma)))
        for r in rows
    ]
    assert fast[:5] == pytest.approx(slow, abs=1e-6)
    assert pool.null(20, seed=11, draws=40).mean == pytest.approx(float(np.mean(fast)), abs=1e-6)


def test_window_scores_are_the_pools_discrepancy(frame: LogFrame) -> None:
    """Batched over accounts or one at a time: the same number."""
    pool = Pool.of(embed(frame.prompt.take(reference_rows(frame, POOL))))
    for windows in account_windows(frame):
        found = window_scores(frame, windows, pool)
        for i in (0, len(found) - 1):
            window = embed(frame.prompt.take(windows.rows[i]))
            assert found[i] == pytest.approx(pool.discrepancy(window), abs=1e-6)


def test_the_reference_is_of_accounts_with_tenure_in_good_standing() -> None:
    """New, suspended and unknown accounts give nothing; nobody gives more than twenty prompts; without enough tenured
    prompts everybody does."""
    rows = [exchange(100 * a + i, f"a{a:02d}", float(i), f"prompt {i}") for a in range(30) for i in range(40)]
    old, new = START_US - 200 * 86_400_000_000, START_US - 86_400_000_000
    people = [{"account_id": f"a{a:02d}", "created_at": old if a < 15 else new} for a in range(25)]
    people[0]["status"] = "suspended"
    log = LogFrame.of(exchanges(rows), accounts(people))
    assert np.flatnonzero(tenured(log)).tolist() == list(range(1, 15))
    chosen = log.account[reference_rows(log, 10_000)]
    assert set(chosen.tolist()) == set(range(1, 15))
    assert set(np.bincount(chosen)[1:].tolist()) == {20}
    few = LogFrame.of(exchanges(rows), accounts(people[:5]))
    assert set(few.account[reference_rows(few, 10_000)].tolist()) == set(range(30))


def test_windows_take_the_longest_length_an_account_fills() -> None:
    """15 prompts give none, 16 and 31 one of 16, 128 and more one of 128; no row is another account's."""
    rows: list[dict[str, Any]] = []
    for a, number in enumerate((15, 16, 31, 200)):
        rows += [exchange(1_000 * a + i, f"a{a}", float(i), f"prompt {i}") for i in range(number)]
    log = LogFrame.of(exchanges(rows))
    found = {w.rows.shape[1]: w for w in account_windows(log)}
    assert {length: w.accounts.tolist() for length, w in found.items()} == {16: [1, 2], 128: [3]}
    for windows in found.values():
        assert (log.account[windows.rows] == windows.accounts[:, None]).all()


def test_the_papers_task_is_reproduced() -> None:
    """Pure attack is found, more attack is found more often, and a benign attacker is found at the target rate."""
    rng = np.random.default_rng(20)
    benign = [sentence(rng) for _ in range(1_200)]
    attack = [f"solve it and show each step of the work: {sentence(rng, 4)}" for _ in range(300)]
    point = operating_point(benign, attack, mmd_score, seed=11, size=60, windows=40, benign_windows=400)
    rates = [point.true_positives[s].value for s in (0.05, 0.10, 0.25, 0.50, 1.0)]
    assert rates[-1] == 1.0
    assert all(later >= earlier - 0.1 for earlier, later in pairwise(rates))
    assert rates[0] < 0.5 < rates[3]
    same = operating_point(benign, benign[:300], mmd_score, seed=11, size=60, windows=40, benign_windows=400)
    for rate in (point.false_positives, *same.true_positives.values()):
        assert rate.low <= 0.02
    assert point.false_positives.high < 0.05


def test_the_threshold_is_not_set_on_what_is_reported() -> None:
    """A score that knows the calibration items by heart is exposed by the held-out windows."""
    benign, attack = list(range(500)), list(range(500, 600))

    def fit(reference: object) -> object:
        calls = iter(range(10_000))
        return lambda window: 0.0 if next(calls) < 400 else 1.0

    point = operating_point(benign, attack, fit, seed=11, size=20, windows=10, benign_windows=400)  # type: ignore[arg-type]
    assert point.false_positives.value == 1.0


def test_the_task_refuses_too_little_data() -> None:
    """Too few items for a window, or too few windows for the rate."""
    with pytest.raises(ConfigError, match="a window of"):
        operating_point(["x"] * 100, ["y"] * 100, mmd_score, seed=11, size=50)
    with pytest.raises(ConfigError, match="cannot set a threshold"):
        operating_point(["x"] * 500, ["y"] * 100, mmd_score, seed=11, size=50, benign_windows=100)


# --- honeypotllm -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as published, not installed: a pure Python wheel that goes on the path."""
    pytest.importorskip("yaml", reason="the package's settings need PyYAML")
    pytest.importorskip("pydantic")
    folder = tmp_path_factory.mktemp("wheel")
    fetch = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "honeypotllm==0.1.3",
        "--no-deps",
        "--quiet",
        "-d",
        str(folder),
    ]
    done = subprocess.run(
        [*fetch, "--only-binary", ":all:", "--retries", "0", "--timeout", "10"],
        capture_output=True,
        text=True,
    )
    found = sorted(folder.glob("honeypotllm-*.whl"))
    if done.returncode != 0 or not found:
        pytest.skip(f"honeypotllm 0.1.3 could not be downloaded: {done.stderr.strip()[-120:]}")
    return found[0]


def test_honeypotllm_scores_by_the_logs_clock(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fast enumeration is flagged, a slow one decays, a quiet account of 2026 scores nothing at all, and no module
    of the package stays loaded."""
    monkeypatch.syspath_prepend(str(wheel))
    rng = np.random.default_rng(21)
    rows = [exchange(i, "fast", 0.2 * i, f"what is the capital city of country {i}") for i in range(60)]
    rows += [
        exchange(100 + i, "slow", 90_000.0 * i, f"what is the capital city of country {i}") for i in range(60)
    ]
    rows += [exchange(200 + i, "quiet", 3_600.0 * i, sentence(rng)) for i in range(60)]
    log = LogFrame.of(exchanges(rows))
    found = BASELINES["honeypotllm"].run(log)
    fast, quiet, slow = found.scores
    assert quiet == 0.0
    assert quiet < slow < 0.75 < fast
    assert [g.accounts for g in found.groups] == [(0,)]
    assert np.array_equal(found.scores, BASELINES["honeypotllm"].run(log).scores)
    assert not [m for m in sys.modules if m.startswith("honeypotllm")]


def test_honeypotllm_ranks_a_plain_campaign_first(
    wheel: Path, monkeypatch: pytest.MonkeyPatch, world: Written, frame: LogFrame
) -> None:
    """It reads consecutive prompts of one key, and one template gives it much to read."""
    monkeypatch.syspath_prepend(str(wheel))
    assert separation(BASELINES["honeypotllm"].run(frame).scores, extractors(world, frame)) > 0.85
