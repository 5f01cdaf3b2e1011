"""Vectors for `tests/prove/vectors.json`: what the engines' own detectors say of documents drawn here.

    python -m scripts.mark_vectors FOLDER > tests/prove/vectors.json

FOLDER holds unpacked wheels (``vllm``, ``sglang``, ``synthid_text``), side by side. Runs in an environment of its own
with torch, pydantic and msgspec; the engines themselves need not be installed: what their detectors import besides
is put in their place. Nothing of theirs is kept, only numbers.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

SEED = 20_261_129
VERSIONS = {"vllm": "0.33.0", "sglang": "0.5.23", "synthid-text": "0.2.1", "kgw": "torch 2.13.0 randperm"}


def stand_in(name: str, **members: Any) -> None:
    """A module in the place of one that the detectors import but do not need."""
    module = ModuleType(name)
    module.__path__ = []
    vars(module).update(members)
    sys.modules[name] = module


def load(name: str, path: Path) -> Any:
    """One file as a module of the given name."""
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"cannot read {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def documents(rng: np.random.Generator) -> list[list[int]]:
    """Texts with repetitions: few words often, many words seldom."""
    return [rng.integers(0, top, size).tolist() for top, size in ((12, 60), (50_000, 200), (200, 400))]


def vllm(folder: Path, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Gumbel with one key and two, whole documents."""
    root = folder / "vllm" / "vllm"
    for name in (
        "vllm",
        "vllm.config",
        "vllm.v1",
        "vllm.v1.worker",
        "vllm.v1.worker.gpu",
        "vllm.v1.worker.gpu.sample",
    ):
        stand_in(name)
    stand_in("vllm.config.utils", config=lambda cls: cls)
    stand_in("vllm.logger", init_logger=logging.getLogger)
    stand_in("vllm.v1.worker.gpu.sample.gumbel", gumbel_sample=None)
    load("vllm.config.watermarking", root / "config/watermarking.py")
    stand_in("vllm.v1.watermarking")
    for part in ("prfs.base", "prfs.philox", "prfs", "detector", "watermarker", "gumbel"):
        file = (
            root
            / "v1/watermarking"
            / (part.replace(".", "/") + ("/__init__.py" if part == "prfs" else ".py"))
        )
        load(f"vllm.v1.watermarking.{part}", file)
    engine = sys.modules["vllm.v1.watermarking.gumbel"]
    found = []
    for width in (1, 2, 4, 7):
        for tokens in documents(rng):
            key = int(rng.integers(0, 2**63))
            for mark, detector in (
                ("vllm-gumbel", engine.GumbelWatermarkDetector(key, width)),
                ("vllm-dual-gumbel", engine.DualKeyGumbelWatermarkDetector(key, width)),
            ):
                told = detector.detect(tokens)
                found.append(
                    {"mark": mark, "width": width, "key": [key], "tokens": tokens, "score": told.score,
                     "scored": told.num_scored_tokens, "p_value": told.p_value}
                )  # fmt: skip
    return found


def sglang(folder: Path, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Gumbel with one key and two, whole documents."""
    root = folder / "sglang" / "sglang/srt/sampling/watermarking"
    stand_in("sg")
    load("sg.config", root / "config.py")
    engine = load("sg.detector", root / "detector.py")
    found = []
    for width in (1, 2, 4, 7):
        for tokens in documents(rng):
            first, second = (int(k) for k in rng.integers(0, 2**63, 2))
            one = engine.WatermarkDetector(f"{first:x}", context_window=width).detect_tokens(tokens).combined
            two = engine.WatermarkDetector(f"{first:x}", key_b=f"{second:x}", context_window=width)
            both = two.detect_tokens(tokens).combined
            for mark, key, told in (
                ("sglang-gumbel", [first], one),
                ("sglang-dual-gumbel", [first, second], both),
            ):
                found.append(
                    {"mark": mark, "width": width, "key": key, "tokens": tokens, "score": told.score,
                     "scored": told.num_contexts, "p_value": told.p_value}
                )  # fmt: skip
    return found


def synthid(folder: Path, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Bits of every layer at every position."""
    import torch

    root = folder / "synthid_text" / "synthid_text"
    stand_in("transformers", LogitsProcessor=object)
    stand_in(
        "synthid_text", hashing_function=load("synthid_text.hashing_function", root / "hashing_function.py")
    )
    engine = load("synthid_text.logits_processing", root / "logits_processing.py")
    found = []
    for width in (1, 4):
        for tokens in documents(rng):
            key = rng.integers(0, 2**31, 30).tolist()
            processor = engine.SynthIDLogitsProcessor(
                ngram_len=width + 1, keys=key, sampling_table_size=65_536, sampling_table_seed=0,
                context_history_size=1024, temperature=1.0, top_k=40, device=torch.device("cpu"),
            )  # fmt: skip
            values = processor.compute_g_values(torch.tensor([tokens]))[0].sum(dim=1)
            found.append(
                {"mark": "synthid-reference", "width": width, "key": key, "tokens": tokens,
                 "scores": [int(v) for v in values]}
            )  # fmt: skip
    return found


def kgw(rng: np.random.Generator) -> list[dict[str, Any]]:
    """Whether each token is in the first quarter of torch's shuffle, seeded by key times the token before."""
    import torch

    found = []
    for vocabulary in (500, 50_257):
        key = 15_485_863
        tokens = rng.integers(0, vocabulary, 40).tolist()
        scores = []
        for before, token in pairwise(tokens):
            generator = torch.Generator().manual_seed(key * before)
            order = torch.randperm(vocabulary, generator=generator)
            scores.append(int(token in order[: int(vocabulary * 0.25)].tolist()))
        found.append(
            {"mark": "kgw-reference", "width": 1, "key": [key], "vocabulary": vocabulary, "tokens": tokens,
             "scores": scores}
        )  # fmt: skip
    return found


def main() -> None:
    """Write every vector to standard output."""
    folder = Path(sys.argv[1])
    rng = np.random.default_rng(SEED)
    vectors = [*vllm(folder, rng), *sglang(folder, rng), *synthid(folder, rng), *kgw(rng)]
    json.dump({"seed": SEED, "versions": VERSIONS, "vectors": vectors}, sys.stdout, separators=(",", ":"))
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
