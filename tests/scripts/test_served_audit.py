"""Models behind a real server: the page is what its data say, and what is served is what was taught."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from scripts.served_audit import DATA, GUILTY, INNOCENT
from scripts.torchlab import served_page as page
from stillwatch.prove.suspects.pieces import Pieces

ROOT = Path(__file__).resolve().parents[2]
TORCH = ROOT / ".cache/torch/bin/python"


def test_the_page_is_what_the_data_say() -> None:
    """The section is rendered from the file, and holds its figures."""
    found = json.loads((ROOT / DATA).read_text("utf-8"))
    shown = (ROOT / page.PAGE).read_text("utf-8").partition(page.BEGIN)[2].partition(page.END)[0]
    assert shown.strip() == page.render(found, GUILTY).strip(), "make audit-served"


@pytest.mark.slow
@pytest.mark.skipif(not TORCH.exists(), reason="torch is not here: make torch")
def test_every_model_is_written_down_with_texts_that_ours_cuts_alike(tmp_path: Path) -> None:
    """Five files of one form, and as many likeliest tokens as a text has places."""
    out = tmp_path / "out"
    out.mkdir()
    command: list[str | Path] = [
        TORCH,
        "-W",
        "ignore",
        "-m",
        "scripts.torchlab.served",
        tmp_path / "lab",
        out,
        "7",
        "tiny",
    ]
    subprocess.run(
        command, check=True, cwd=ROOT, env={"PYTHONPATH": "src:.", "OMP_NUM_THREADS": "1", "PATH": ""}
    )
    for name in ("suspect", *INNOCENT, "ours"):
        assert (out / f"{name}.gguf").read_bytes()[:4] == b"GGUF"
    pieces, own = Pieces.of(out / "tokenizer.json"), np.load(out / "likeliest.npz")
    prompts = [json.loads(line)["prompt"] for line in (out / "prompts.jsonl").read_text("utf-8").splitlines()]
    assert [len(pieces.encode(text)) - 1 for text in prompts] == [
        len(own[str(n)]) for n in range(len(prompts))
    ]
