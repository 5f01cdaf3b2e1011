"""MinHash of two libraries over the same prompts, for `scripts.bench_kernel`; runs in an environment that has them.

``python scripts/bench_minhash.py WORK`` reads ``prompts.json`` and ``pairs.json`` in that folder and prints one JSON
object: seconds of CPU for all prompts, and the Jaccard similarity that each library estimates for each pair.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_WORD = re.compile(r"\w+")


def shingles(text: str) -> list[str]:
    """Runs of three words, in lower case."""
    words = _WORD.findall(text.lower())
    return [" ".join(words[i : i + 3]) for i in range(len(words) - 2)]


def makers(permutations: int) -> dict[str, Callable[[list[str]], Any]]:
    """Library to a function from shingles to its MinHash; a library that is not installed is left out."""
    found: dict[str, Callable[[list[str]], Any]] = {}
    for name in ("rensa", "datasketch"):
        try:
            library = importlib.import_module(name)
        except ImportError:
            continue
        found[name] = rensa(library, permutations) if name == "rensa" else datasketch(library, permutations)
    return found


def rensa(library: Any, permutations: int) -> Callable[[list[str]], Any]:
    """rensa's R-MinHash."""

    def make(parts: list[str]) -> Any:
        made = library.RMinHash(num_perm=permutations, seed=42)
        made.update(parts)
        made.digest()
        return made

    return make


def datasketch(library: Any, permutations: int) -> Callable[[list[str]], Any]:
    """datasketch's MinHash, fed in one batch."""

    def make(parts: list[str]) -> Any:
        made = library.MinHash(num_perm=permutations, seed=42)
        made.update_batch([part.encode() for part in parts])
        return made

    return make


def main() -> None:
    """Time every library on all prompts, shingling included and left out, and let it estimate the pairs."""
    work = Path(sys.argv[1])
    prompts = json.loads((work / "prompts.json").read_text(encoding="utf-8"))
    pairs = json.loads((work / "pairs.json").read_text(encoding="utf-8"))
    begun = time.process_time()
    cut = [shingles(text) for text in prompts]
    answer: dict[str, Any] = {"shingling_s": time.process_time() - begun, "libraries": {}}
    for permutations in (8, 128):
        for name, make in makers(permutations).items():
            begun = time.process_time()
            for parts in cut:
                make(parts)
            spent = time.process_time() - begun
            estimates = [make(shingles(a)).jaccard(make(shingles(b))) for a, b in pairs]
            answer["libraries"][f"{name}, {permutations} permutations"] = {
                "minhash_s": spent,
                "estimates": estimates,
            }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
