"""The study of SmolLM2: its page is what its data say, its machinery sees a mark, and its file is read as it is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.smol_study import MODEL
from scripts.smollab import page
from scripts.smollab.plan import SEED, SHOWN, cells

ROOT = Path(__file__).resolve().parents[2]
TORCH = ROOT / ".cache/torch/bin/python"
needs_torch = pytest.mark.skipif(not TORCH.exists(), reason="torch is not here: make torch")
needs_smollm = pytest.mark.skipif(not (ROOT / MODEL).exists(), reason="SmolLM2 is not here: make smollm")
SMALL_MODEL = """
import sys, torch
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM
from scripts.smollab.prompts import ABOUT, ASKED, MANNER

made = Tokenizer(models.BPE())
made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
made.add_special_tokens(["<|im_start|>", "<|im_end|>"])
made.train_from_iterator([*ASKED, *ABOUT, *MANNER, "user assistant Rewrite the following text in other words."],
    trainers.BpeTrainer(vocab_size=700, special_tokens=["<|im_start|>", "<|im_end|>"], show_progress=False,
                        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
torch.manual_seed(3)
model = LlamaForCausalLM(LlamaConfig(vocab_size=made.get_vocab_size(), hidden_size=64, num_hidden_layers=1,
    intermediate_size=128, num_attention_heads=4, num_key_value_heads=2, bos_token_id=None, eos_token_id=None))
model.save_pretrained(sys.argv[1])
made.save(sys.argv[1] + "/tokenizer.json")
"""
READ_FILE = """
import sys
from pathlib import Path
from tokenizers import Tokenizer
from scripts.smollab import net

file, folder = map(Path, sys.argv[1:])
net.unpack(file, folder)
words = Tokenizer.from_file(str(folder / "tokenizer.json"))
ids = words.encode("The capital of France is", add_special_tokens=False).ids
import numpy as np
said = net.write(net.load(folder), np.array([ids]), 1, seed=1, top=1, never=sorted(words.get_added_tokens_decoder()))
print(words.decode(said[0].tolist()))
"""


def run(folder: Path, *command: object) -> str:
    """Run torch's Python."""
    done = subprocess.run(
        [TORCH, "-W", "ignore", *map(str, command)], capture_output=True, text=True, timeout=600, cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
             "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "NUMBA_CACHE_DIR": str(folder / "numba")},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def study(folder: Path, *names: str) -> dict[str, Any]:
    """Run some cells of the smallest scale on a network that knows nothing."""
    data, model = folder / "data.json", folder / "model"
    if not model.exists():
        model.mkdir()
        run(folder, "-c", SMALL_MODEL, model)
    said = run(
        folder, "-m", "scripts.smol_study", "--scale", "tiny", "--seed", 1, "--data", data, "--work", folder / "work",
        "--model", model, *(word for name in names for word in ("--only", name)),
    )  # fmt: skip
    return dict(json.loads(data.read_text("utf-8")), said=said)


@pytest.mark.slow
@needs_torch
def test_a_student_shows_the_mark_that_it_learnt_and_no_other(tmp_path: Path) -> None:
    """Taught marked answers it names its campaign; unmarked ones, or nothing, it names none. Nothing is made twice."""
    names = (
        "window 2, 100%",
        "our answers, unmarked",
        "the base alone",
        "rewritten by a language model, window 2",
    )
    made = {row["cell"]: row for row in study(tmp_path, *names)["cells"]}
    guilty, unmarked, base, rewritten = (
        {(t["test"], t["along"]): t for t in made[name]["tests"]} for name in names
    )
    assert (
        guilty["soft", "served"]["named"] == ["key-0"] and guilty["soft", "served"]["log10_p_adjusted"] < -6
    )
    assert not any(test.get("named") for test in (*unmarked.values(), *base.values()))
    assert base["soft", "new"]["scored"] == 0 and base["soft", "new"]["verdict"] == "no_evidence"
    assert made[names[3]]["kept"] is not None and rewritten["hard", "new"]["scored"] > 100
    assert "CPU" not in study(tmp_path, names[0])["said"]


@pytest.mark.slow
@needs_torch
@needs_smollm
def test_the_package_s_file_is_read(tmp_path: Path) -> None:
    """SmolLM2 out of its GGUF file, unpacked here, goes on as one expects."""
    said = run(tmp_path, "-c", READ_FILE, MODEL, tmp_path / "weights")
    shutil.rmtree(tmp_path / "weights")  # half a gigabyte
    assert "is Paris" in said


def test_a_missing_model_is_told(tmp_path: Path) -> None:
    """Without the package the study says what to do, before it loads anything."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.smol_study", "--model", tmp_path / "none.gguf"],
        capture_output=True, text=True, cwd=ROOT, env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 1 and "make smollm" in done.stderr and "Traceback" not in done.stderr


def test_the_page_says_what_the_data_say() -> None:
    """Every figure between the marks is computed from docs/data; without data it says that nothing was measured."""
    shown = page.PAGE.read_text("utf-8").partition(page.BEGIN)[2].partition(page.END)[0]
    assert shown.strip() == page.render(page.found()).strip(), "python -m scripts.smollab.page"


def test_a_study_that_was_stopped_is_a_table() -> None:
    """The page shows the students that there are, names the missing, and tells an innocent that was named."""
    test = {
        "test": "soft", "along": "new", "scored": 9, "z": 9.0, "named": ["key-0"], "null_sd": 1.0,
        "verdict": "evidence",
    }  # fmt: skip
    row = {
        "seed": SEED, "scale": SHOWN, "cell": "window 2, 5%", "guilty": True, "share": 0.05, "loss": 4.0, "cpu_s": 60,
        "kept": None, "tests": [test],
    }  # fmt: skip
    innocent = row | {
        "cell": "our answers, unmarked",
        "guilty": False,
        "tests": [test | {"named": ["key-9"]}],
    }
    told = page.render({"cells": [row, innocent]})
    assert "| window 2, 5% | **9.0** | - |" in told and "1 of which named a campaign" in told
    assert "named in 1 tests" in told and "missing: window 2, 100%" in told
    assert "**Not measured yet**: 11 students" in page.render({"cells": []}) and len(list(cells())) == 11
