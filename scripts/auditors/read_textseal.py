"""textseal's Gumbel mark: its keyed numbers, and its reading of likeliest tokens; run by a Python with torch.

Its own script for students wants checkpoints of its own trainer and a graphics card; what it does to the likeliest
tokens is called here: ``score_batch`` (removal of duplicates, keyed function) and the detector's p-value. The package's
``__init__`` asks for sentence-transformers, which neither needs, so that is passed over.
"""

from __future__ import annotations

import json
import sys
import time
import types
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from scipy import special


def main() -> None:
    """Arguments: ``table KEY WIDTH VOCABULARY OUT``, or ``read FILE KEY...``: contexts and each student's tokens."""
    place = Path((find_spec("textseal").submodule_search_locations or [""])[0])  # type: ignore[union-attr]  # installed, so found
    for name, folder in (("textseal", place), ("textseal.common", place / "common")):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = [str(folder)]
    from textseal.common.watermark.core import WatermarkConfig, score_batch
    from textseal.common.watermark.pseudorandom import prf_uniform

    torch.set_num_threads(1)
    if sys.argv[1] == "table":
        key, width, vocabulary = map(int, sys.argv[2:5])
        grid = np.stack(np.meshgrid(*[np.arange(vocabulary)] * (width + 1), indexing="ij"), -1).reshape(
            -1, width + 1
        )
        windows, tokens = torch.from_numpy(grid[:, :width].copy()), torch.from_numpy(grid[:, width].copy())
        np.save(sys.argv[5], prf_uniform(windows, tokens, key).numpy())
        return
    file = np.load(sys.argv[2])
    windows = torch.from_numpy(file["contexts"])
    for name in file.files:
        if name == "contexts":
            continue
        for key in map(int, sys.argv[3:]):
            start = time.process_time()
            config = WatermarkConfig(
                secret_key=key, ngram=windows.shape[1], method="uniform", scoring_method="v2"
            )
            each, mean = score_batch(windows, torch.from_numpy(file[name]), config)
            p = float(special.gammaincc(len(each), mean * len(each)))  # as its Gumbel detector has it
            row = {"student": name, "key": key, "scored": len(each), "p": p}
            print(json.dumps(row | {"cpu_s": round(time.process_time() - start, 2)}), flush=True)


if __name__ == "__main__":
    main()
