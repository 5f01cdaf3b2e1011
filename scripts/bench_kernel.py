"""Speed of the text kernel on one core, beside reading and hashing the same bytes, and beside MinHash libraries.

``python -m scripts.bench_kernel`` prints one JSON object. Our figures are the best of several passes, in CPU seconds of
one thread. With ``--beside PYTHON`` (the interpreter of an environment in which ``rensa`` and ``datasketch`` are
installed; they are no dependencies) the libraries hash a tenth of the prompts once, and estimate the same
similarities.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from scripts.bench import machine
from scripts.bench_minhash import shingles
from stillwatch.detect.digest import Key, digest_strings
from stillwatch.detect.kernel import COLUMNS, text_features
from stillwatch.detect.lexicon import load_lexicon
from stillwatch.lab.suite.code import code_digest

KEY = Key.derive(b"kernel-bench-key")
BYTES = 600
BANDS = slice(COLUMNS.index("b0"), COLUMNS.index("b3") + 1)
EDGES = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.01)
"""Borders of the groups of pairs by true similarity."""


def vocabulary(rng: np.random.Generator, size: int = 6000) -> np.ndarray:
    """Made-up words of two to eleven letters."""
    letters = np.array(list("etaoinshrdlucmfwypvbgk"))
    return np.array(["".join(rng.choice(letters, n)) for n in rng.integers(2, 12, size)])


def prompts(count: int, seed: int) -> list[str]:
    """Prompts of about `BYTES` bytes: words by Zipf's law, sentences, numbers and a quotation now and then."""
    rng = np.random.default_rng(seed)
    words = vocabulary(rng)
    made = []
    for _ in range(count):
        picked = words[np.minimum(rng.zipf(1.3, 120), len(words)) - 1].tolist()
        for at in range(7, 120, 12):
            picked[at] += ". " if at % 5 else ":\n"
        picked[3], picked[50] = str(rng.integers(0, 10_000)), f'"{picked[50]}"'
        made.append(" ".join(picked)[:BYTES])
    return made


def pairs(count: int, seed: int) -> list[tuple[str, str]]:
    """Texts of a hundred words with a copy in which a run of words is another: similarities from 0 to 1."""
    rng = np.random.default_rng(seed)
    words = vocabulary(rng)
    made = []
    for _ in range(count):
        text = words[rng.integers(0, len(words), 100)]
        copy, changed = text.copy(), int(rng.integers(0, 101))
        copy[100 - changed :] = words[rng.integers(0, len(words), changed)]
        made.append((" ".join(text), " ".join(copy)))
    return made


def jaccard(a: str, b: str) -> float:
    """True similarity of two texts' sets of word 3-shingles."""
    one, two = set(shingles(a)), set(shingles(b))
    return len(one & two) / len(one | two)


def band_agreement(made: list[tuple[str, str]]) -> np.ndarray:
    """Share of the kernel's four bands in which the texts of each pair agree."""
    lexicon = load_lexicon()
    a, b = (text_features(pa.array([p[i] for p in made]), KEY, lexicon).digests[BANDS] for i in (0, 1))
    agreed: np.ndarray = ((a == b) & (a != 0)).mean(0)
    return agreed


def best(passes: int, work: Callable[[], object]) -> float:
    """Least CPU seconds of several passes, after one that does not count."""
    work()
    spent = []
    for _ in range(passes):
        begun = time.process_time()
        work()
        spent.append(time.process_time() - begun)
    return min(spent)


def speed(path: Path, count: int, passes: int) -> dict[str, float]:
    """Prompts a second on one core: reading alone, with one keyed hash of the bytes, and with the kernel."""
    lexicon = load_lexicon()

    def read() -> pa.Array:
        return pq.ParquetFile(path).read(use_threads=False).column("prompt").combine_chunks()

    texts = read()
    spent = {
        "read": best(passes, read),
        "read_and_hash": best(passes, lambda: digest_strings(read(), KEY, "prompt")),
        "kernel": best(passes, lambda: text_features(texts, KEY, lexicon, chunks=True)),
        "read_and_kernel": best(passes, lambda: text_features(read(), KEY, lexicon, chunks=True)),
    }
    return {name: round(count / seconds) for name, seconds in spent.items()}


def agreement(made: list[tuple[str, str]], estimates: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Mean similarity by group of pairs: true, by our bands, and by each library.

    A band holds two of eight bins, so that texts of similarity J agree in it with probability J squared: the estimate
    is the root of the mean share of bands that agree.
    """
    true = np.array([jaccard(a, b) for a, b in made])
    bands = band_agreement(made)
    rows = []
    for low, high in pairwise(EDGES):
        here = (true >= low) & (true < high)
        if here.any():
            row = {"pairs": int(here.sum()), "true": true[here].mean(), "kernel": np.sqrt(bands[here].mean())}
            row |= {name: np.array(each)[here].mean() for name, each in estimates.items()}
            rows.append({name: round(float(value), 3) for name, value in row.items()})
    return rows


def libraries(python: str, work: Path, texts: list[str], made: list[tuple[str, str]]) -> dict[str, Any]:
    """What the MinHash libraries of another environment need and say."""
    (work / "prompts.json").write_text(json.dumps(texts), encoding="utf-8")
    (work / "pairs.json").write_text(json.dumps(made), encoding="utf-8")
    script = Path(__file__).with_name("bench_minhash.py")
    done = subprocess.run([python, script, work], check=True, text=True, stdout=subprocess.PIPE)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--prompts", type=int, default=100_000, help="how many; the libraries get a tenth")
    parser.add_argument("--pairs", type=int, default=2_000)
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--beside", metavar="PYTHON", help="interpreter that has rensa or datasketch")
    parser.add_argument("--out", type=Path, help="where the result is written; it is always printed")
    given = parser.parse_args()
    texts, made = prompts(given.prompts, given.seed), pairs(given.pairs, given.seed)
    out: dict[str, Any] = {
        "machine": machine(),
        "code": code_digest("own"),
        "seed": given.seed,
        "prompts": len(texts),
        "mean_bytes": float(np.mean([*map(len, texts)])),
    }
    estimates: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "prompts.parquet"
        pq.write_table(pa.table({"prompt": texts}), path)
        out["prompts_per_s_per_core"] = speed(path, len(texts), given.passes)
        if given.beside:
            few = texts[: max(len(texts) // 10, 1)]
            found = libraries(given.beside, Path(folder), few, made)
            out["libraries_prompts_per_s_per_core"] = {
                name: {
                    "minhash": round(len(few) / each["minhash_s"]),
                    "shingling_and_minhash": round(len(few) / (each["minhash_s"] + found["shingling_s"])),
                }
                for name, each in found["libraries"].items()
            }
            estimates = {name: each["estimates"] for name, each in found["libraries"].items()}
    out["jaccard"] = agreement(made, estimates)
    text = json.dumps(out, indent=1) + "\n"
    print(text)
    if given.out:
        given.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
