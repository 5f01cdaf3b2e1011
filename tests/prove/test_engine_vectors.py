"""Gate G8: the marks say what the engines' own detectors say (`scripts/mark_vectors.py` asked them)."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stillwatch.prove.marks import make_mark
from stillwatch.prove.tuples import text_tuples

FILE = json.loads(Path(__file__).with_name("vectors.json").read_text(encoding="utf-8"))
VECTORS: list[dict[str, Any]] = FILE["vectors"]


@pytest.mark.parametrize(
    "vector", VECTORS, ids=[f"{v['mark']}-{v['width']}-{i}" for i, v in enumerate(VECTORS)]
)
def test_scores_equal_the_engines(vector: dict[str, Any]) -> None:
    """Scores, how many positions were scored, and the p-value where the engine's is exact."""
    more = {"vocabulary": vector["vocabulary"]} if "vocabulary" in vector else {}
    mark = make_mark(vector["mark"], width=vector["width"], **more)
    key = np.array(vector["key"], dtype=np.uint64)
    found = text_tuples([vector["tokens"]], mark.width, padded=mark.id.startswith("vllm"))
    if "scores" in vector:
        np.testing.assert_array_equal(mark.scores(key, found.contexts, found.tokens), vector["scores"])
        return
    first = np.sort(np.unique(found.contexts, axis=0, return_index=True)[1])  # engines count a context once
    total = float(mark.totals(key[None], found.contexts[first], found.tokens[first])[0])
    assert first.size == vector["scored"]
    assert total == pytest.approx(vector["score"], rel=1e-9)
    mine = mark.law.log_sf(total, first.size)
    if mark.id == "vllm-dual-gumbel":  # the engine matches moments; the truth is near it for ordinary texts
        assert abs(mine - math.log(vector["p_value"])) < 0.35
    else:
        assert mine == pytest.approx(math.log(vector["p_value"]), rel=1e-8, abs=1e-9)


def test_every_engine_with_a_package_is_asked() -> None:
    """The vectors cover each mark whose engine publishes a detector in a package."""
    asked = {v["mark"] for v in VECTORS}
    assert asked == {
        "vllm-gumbel", "vllm-dual-gumbel", "sglang-gumbel", "sglang-dual-gumbel", "synthid-reference", "kgw-reference",
    }  # fmt: skip
