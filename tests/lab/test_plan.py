"""Plans and parts: the same bytes however much is held in memory and however many processes write."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import stillwatch
from stillwatch.errors import StillwatchError
from stillwatch.lab import generate, parts, plan, world
from stillwatch.lab.plan import EVENT_TYPES, Plan, SortedPlan
from stillwatch.lab.scenario import CampaignSpec, LookAlike
from tests.lab.conftest import digests, scenario

ATTACK = CampaignSpec(variant="agentic", accounts=12, exchanges_per_account=30, level=0)


def _batch(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    return {name: rng.integers(0, 100, size).astype(kind) for name, kind in EVENT_TYPES.items()}


@pytest.mark.parametrize("hold", [1, 37, 10_000])
def test_a_spilled_plan_equals_a_stable_sort_in_memory(tmp_path: Path, hold: int) -> None:
    """Times with many ties come out in the order of planning, whatever the limit was."""
    rng = np.random.default_rng(3)
    made = [_batch(rng, size) for size in (50, 1, 200, 33)]
    whole = {name: np.concatenate([b[name] for b in made]) for name in EVENT_TYPES}
    order = np.argsort(whole["t"], kind="stable")
    spilled = Plan(0, 100, tmp_path, hold=hold)
    for batch in made:
        spilled.append(batch)
    assert len(spilled) == 284
    got = spilled.sealed()
    assert len(got) == 284
    for name in EVENT_TYPES:
        assert got.cut(0, 999)[name].tolist() == whole[name][order].tolist()
    assert not list(tmp_path.glob("window-*"))


def test_batches_planned_inside_a_watch_are_seen() -> None:
    """All of them, in order, and none from before or after."""
    rng = np.random.default_rng(1)
    held, batches = Plan(0, 100), [_batch(rng, n) for n in (4, 5, 6, 7)]
    held.append(batches[0])
    with held.watched() as seen:
        held.append(batches[1])
        held.append(batches[2])
    held.append(batches[3])
    assert [b is w for b, w in zip(seen, batches[1:3], strict=True)] == [True, True]
    assert len(held) == 22


def test_batches_cover_a_plan_once() -> None:
    """Slices of any size add up to the plan."""
    held = Plan(0, 100)
    held.append(_batch(np.random.default_rng(2), 95))
    found = held.sealed()
    assert [first for first, _ in found.batches(40)] == [0, 40, 80]
    assert sum(len(rows["t"]) for _, rows in found.batches(40)) == 95


def test_bytes_do_not_depend_on_what_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan held in memory and one written out every forty rows make the same world."""
    made = scenario(ordinary=120, campaigns=(ATTACK,), honest={"byok": LookAlike(1, (5, 5), (5, 9))})
    monkeypatch.setattr(parts, "PART_ROWS", 500)
    generate(made, seed=1, out=tmp_path / "a", processes=1)
    monkeypatch.setattr(Plan.__init__, "__defaults__", (None, 40))
    generate(made, seed=1, out=tmp_path / "b", processes=1)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert len(list((tmp_path / "a" / "exchanges").iterdir())) >= 3


def test_processes_write_what_one_process_writes(tmp_path: Path) -> None:
    """Two processes, two parts: the files of a single run."""
    made = scenario(ordinary=4000, rate=140.0, completions="none")
    for name, count in (("one", 1), ("two", 2)):
        generate(made, seed=1, out=tmp_path / name, processes=count)
    assert len(list((tmp_path / "two" / "exchanges").iterdir())) >= 2
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_bytes_do_not_depend_on_the_order_of_sets(tmp_path: Path) -> None:
    """Interpreters with other hash seeds write the same world, every honest class and a campaign in it."""
    code = "import sys; from stillwatch.lab.__main__ import main; sys.exit(main(sys.argv[1:]))"
    root = str(Path(stillwatch.__file__).parents[1])
    for hash_seed in ("0", "1", "4242"):
        command = [sys.executable, "-c", code, "smoke", "--seed", "3", "--scale", "0.2", "--out"]
        subprocess.run(
            [*command, str(tmp_path / hash_seed)],
            check=True,
            env={**os.environ, "PYTHONPATH": root, "PYTHONHASHSEED": hash_seed},
        )
    assert digests(tmp_path / "0") == digests(tmp_path / "1") == digests(tmp_path / "4242")


def test_a_process_that_fails_stops_the_run(tmp_path: Path) -> None:
    """The error names what the process said."""
    empty = SortedPlan(np.zeros(600_000, dtype=plan.ROW))
    with pytest.raises(StillwatchError, match="failed") as caught:
        parts.write_parts("no renderer", empty, tmp_path, tmp_path, 2, lambda rows: None)  # type: ignore[arg-type]
    assert "AttributeError" in caught.value.hint


def test_accounts_are_planned_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices tile the accounts; one account larger than the limit is a slice of its own."""
    monkeypatch.setattr(world, "SLICE_ROWS", 10)
    monkeypatch.setattr(world, "SLICE_ACCOUNTS", 3)
    found = list(world._slices(np.array([4, 4, 4, 50, 1, 1, 1, 1])))
    assert [(s.start, s.stop) for s in found] == [(0, 2), (2, 3), (3, 4), (4, 7), (7, 8)]


def test_nothing_of_the_scratch_is_left(tmp_path: Path) -> None:
    """The world's folder holds the contract's files only."""
    generate(scenario(ordinary=30), seed=1, out=tmp_path)
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]
