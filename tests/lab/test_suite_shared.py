"""What detectors of one world share, and what makes a kept figure count."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from stillwatch.lab import generate, load_scenario
from stillwatch.lab.scoring import read_run
from stillwatch.lab.suite import cells as cells_module
from stillwatch.lab.suite import choose, load_suite, run_suite
from stillwatch.lab.suite.cells import key_of
from stillwatch.lab.suite.code import PARTS, digest_of
from stillwatch.lab.suite.detectors import run_detector
from stillwatch.lab.suite.shared import Shared
from stillwatch.wiring.lab import LabRunner
from tests.lab.test_suite import SUITE, WORLD, Runner


@pytest.fixture
def suite_file(tmp_path: Path) -> Path:
    """A suite and its scenario."""
    (tmp_path / "tiny.toml").write_text(WORLD)
    (tmp_path / "pair.toml").write_text(SUITE)
    return tmp_path / "pair.toml"


def test_baselines_of_one_world_read_its_log_once(
    suite_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And each carries the seconds of the reading; what they say is what they say alone."""
    import stillwatch.lab.baselines as baselines

    generate(load_scenario(tmp_path / "tiny.toml"), seed=11, scale=1.0, out=tmp_path / "world")
    shutil.rmtree(tmp_path / "world" / "truth")
    chosen = choose(load_suite(suite_file), None, ids=["rate_limit", "exact_dedupe"])
    reads: list[Path] = []
    real = baselines.read_traffic

    def reading(folder: Path) -> baselines.LogFrame:
        reads.append(folder)
        return real(folder)

    monkeypatch.setattr(baselines, "read_traffic", reading)
    shared = Shared(tmp_path / "world", tmp_path, chosen)
    seconds = []
    for detector in chosen:
        seconds.append(shared.run(detector, None, tmp_path / "together" / detector.id))
    assert len(reads) == 1
    assert seconds[1] > shared._seconds["frame"]
    for detector in chosen:
        run_detector(detector, None, tmp_path / "world", tmp_path / "alone" / detector.id)
        runs = [read_run(tmp_path / how / detector.id) for how in ("together", "alone")]
        assert (runs[0].score, runs[0].tier, runs[0].hint) == (runs[1].score, runs[1].tier, runs[1].hint)
    assert len(reads) == 3


def test_ablations_share_the_features(suite_file: Path, tmp_path: Path) -> None:
    """The log is read once per world, not once per ablation; alone, a detector reads for itself."""
    suite, runner = load_suite(suite_file), Runner()
    run_suite(suite, choose(suite, runner, ids=["stillwatch", "ablations"]), tmp_path / "out", runner=runner)
    assert (len(runner.prepared), len(runner.runs)) == (2, 4)
    run_suite(suite, choose(suite, runner), tmp_path / "other", runner=runner)
    assert len(runner.prepared) == 2


def test_our_scan_says_the_same_of_shared_features(tmp_path: Path) -> None:
    """Members, hints and groups, on a world with a campaign that is found."""
    generate(load_scenario("smoke"), seed=11, scale=1.0, out=tmp_path / "world")
    runner = LabRunner()
    runner.prepare(tmp_path / "world", tmp_path / "features")
    runner(tmp_path / "world", tmp_path / "a", {}, ())
    runner(tmp_path / "world", tmp_path / "b", {}, (), features=tmp_path / "features")
    one, two = read_run(tmp_path / "a"), read_run(tmp_path / "b")
    assert one.members
    assert (one.tier, one.bits, one.hint, one.groups) == (two.tier, two.bits, two.hint, two.groups)


def test_a_cell_counts_only_for_the_programs_that_made_it(
    suite_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another generator or scorer, other looks, another text of the scenario: everything runs again."""
    scenario = load_scenario(tmp_path / "tiny.toml")
    keys = {
        key_of(scenario, 201, 1.0, (), "x", "d", "report"),
        key_of(scenario, 201, 1.0, (0.5,), "x", "d", "report"),
    }
    (tmp_path / "tiny.toml").write_text(WORLD.replace("accounts = 10\n", "accounts = 11\n"))
    keys.add(key_of(load_scenario(tmp_path / "tiny.toml"), 201, 1.0, (), "x", "d", "report"))
    for changed in ("generator", "scorer"):
        monkeypatch.setattr(
            cells_module, "code_digest", lambda part, c=changed: "new" if part == c else "old"
        )
        keys.add(key_of(scenario, 201, 1.0, (), "x", "d", "report"))
    assert len(keys) == 5
    assert scenario.name == "tiny"


def test_cells_kept_elsewhere_are_not_run(suite_file: Path, tmp_path: Path) -> None:
    """A study that has some of the figures on file asks for the rest."""
    suite, runner = load_suite(suite_file), Runner()
    cells = run_suite(suite, choose(suite, runner), tmp_path / "out", runner=runner)
    left = run_suite(
        suite, choose(suite, runner), tmp_path / "new", runner=runner, elsewhere={cells[0]["key"]}
    )
    assert [c["seed"] for c in left] == [202]
    assert len(runner.runs) == 3


def test_digests_cover_their_part_and_no_other(tmp_path: Path) -> None:
    """A change of the detector leaves a baseline's digest; a compiled file changes nothing."""

    def all_parts() -> dict[str, str]:
        return {part: digest_of(tmp_path, *paths) for part, paths in PARTS.items()}

    def changed(name: str) -> set[str]:
        before = all_parts()
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
        after = all_parts()
        return {part for part in PARTS if before[part] != after[part]} - {"all"}

    assert changed("detect/hubs.py") == {"own"}
    assert changed("detect/data/baseline.json") == {"own"}
    assert changed("wiring/sources.py") == {"own"}
    assert changed("lab/people.py") == {"generator"}
    assert changed("lab/scenarios/ladder_L0.toml") == {"generator"}
    assert changed("lab/baselines/ecod.py") == {"baselines"}
    assert changed("lab/scoring/rates.py") == {"scorer"}
    assert changed("records/exchange.py") == {"generator", "own", "baselines"}
    assert changed("cli/app.py") == set()
    assert digest_of(tmp_path, *PARTS["all"]) != digest_of(tmp_path, ("",), ("cli",))
    assert changed("detect/__pycache__/hubs.pyc") == set()
    assert changed("lab/__pycache__/relay_pool._deal-206.py311.nbi") == set(), (
        "machine code kept by a first run"
    )
