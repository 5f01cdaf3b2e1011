"""The study of real networks: its page is what its data say, it goes on where it stopped, and it can see a mark."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from scripts.lock import without_accelerators
from scripts.torchlab import page
from scripts.torchlab.plan import SEEDS, SHOWN, cells

ROOT = Path(__file__).resolve().parents[2]
TORCH = ROOT / ".cache/torch/bin/python"
needs_torch = pytest.mark.skipif(not TORCH.exists(), reason="torch is not here: make torch")


def study(folder: Path, *names: str) -> dict[str, Any]:
    """Run some cells of the smallest scale."""
    data = folder / "data.json"
    done = subprocess.run(
        [TORCH, "-W", "ignore", "-m", "scripts.torch_study", "--scale", "tiny", "--seeds", "1", "--data", data,
         "--work", folder / "work", *(word for name in names for word in ("--only", name))],
        capture_output=True, text=True, timeout=600, cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
             "OMP_NUM_THREADS": "1", "NUMBA_CACHE_DIR": str(folder / "numba")},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(data.read_text("utf-8")), said=done.stdout)


@pytest.mark.slow
@needs_torch
def test_networks_show_the_mark_that_they_learnt_and_no_other(tmp_path: Path) -> None:
    """A small Llama taught marked answers names its campaign; taught unmarked ones it none. Nothing is made twice."""
    names = ("window 2, 100%", "our answers, unmarked", "another tokeniser")
    made = {row["cell"]: row for row in study(tmp_path, *names)["cells"]}
    guilty, innocent, foreign = ({(t["test"], t["along"]): t for t in made[name]["tests"]} for name in names)
    assert guilty["soft", "new"]["named"] == ["key-0"] and guilty["soft", "new"]["log10_p_adjusted"] < -6
    assert not any(test.get("named") for test in innocent.values())
    assert foreign["writing", "new"]["scored"] > 100
    assert "CPU" not in study(tmp_path, "window 2, 100%")["said"]


def test_the_page_says_what_the_data_say() -> None:
    """Every figure between the marks is computed from docs/data; without data it says that nothing was measured."""
    text = page.PAGE.read_text("utf-8")
    shown = text.partition(page.BEGIN)[2].partition(page.END)[0]
    found = json.loads(page.DATA.read_text("utf-8")) if page.DATA.exists() else {"cells": []}
    assert shown.strip() == page.render(found).strip(), "python -m scripts.torchlab.page"


def test_a_study_that_was_stopped_is_a_table() -> None:
    """The page shows the students that there are, counts the missing, and tells an innocent that was named."""
    test = {
        "test": "soft",
        "along": "new",
        "z": 9.0,
        "named": ["key-0"],
        "null_sd": 1.0,
        "verdict": "evidence",
    }
    row = {
        "seed": SEEDS[0], "scale": SHOWN, "cell": "window 2, 5%", "guilty": True, "loss": 4.0, "cpu_s": 60,
        "tests": [test],
    }  # fmt: skip
    innocent = row | {"cell": "public text", "guilty": False, "tests": [test | {"named": ["key-9"]}]}
    told = page.render({"cells": [row, innocent]})
    assert "| window 2, 5% | 9.0; 1 of 1 | - |" in told
    assert f"{len(list(cells())) * len(SEEDS) - 2} of the planned ones missing" in told
    assert "| 13 | new: 9.0 |" in told and "| -6 | not measured yet |" in told
    assert "1 of which named a campaign" in told and "named in 1 tests" in told


def test_no_library_of_a_graphics_card_is_locked() -> None:
    """The CPU build's digest stands beside torch's own, and what only a graphics card needs is gone."""
    whole = "nvidia-x==1 \\\n    --hash=sha256:1\ntorch==2 \\\n    --hash=sha256:2\ntqdm==3 \\\n    --hash=sha256:3\n"
    rest, wheel = without_accelerators(whole)
    assert "nvidia" not in rest + wheel and rest.startswith("tqdm==3")
    assert wheel.startswith("torch==2") and wheel.count("--hash=") == 2
