"""How fast marks are read: tokens a second on one core, for one key and for a thousand keys over one text.

    python -m scripts.bench_marks
    python -m scripts.bench_marks --tokens 1000000 --keys 1000

Counts processor time of this process, so a busy machine changes it less than a clock would; a quiet machine is better.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from stillwatch.prove.marks import MARKS, make_mark, score_keys
from stillwatch.prove.nulls import random_keys

SEED = 20_261_129
SLOW = {"kgw-reference": 2_000}
"""Marks that shuffle a vocabulary for every context: fewer tokens."""


def main() -> None:
    """Print one row for each mark."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--tokens", type=int, default=500_000, help="length of the text")
    ask.add_argument("--keys", type=int, default=200, help="keys tried over one text")
    ask.add_argument("--width", type=int, default=4, help="tokens of context")
    args = ask.parse_args()
    rng = np.random.default_rng(SEED)
    print(f"seed {SEED}, {args.tokens} tokens, width {args.width}, one core, processor time")
    print(f"{'mark':20} {'one key, Mtok/s':>16} {f'{args.keys} keys, Mtok/s/key':>24} {'with dedup, s':>14}")
    for name in sorted(MARKS):
        mark = make_mark(name, width=args.width)
        size = SLOW.get(name, args.tokens)
        contexts = rng.integers(0, 50_000, (size, args.width))
        tokens = rng.integers(0, 50_000, size)
        keys = random_keys(SEED, args.keys if name not in SLOW else 2, mark.key_words)
        score_keys(mark, keys[:1], contexts[:64], tokens[:64])  # compile
        start = time.process_time()
        for key in keys[:5]:
            mark.totals(key[None], contexts, tokens)
        one = time.process_time() - start
        start = time.process_time()
        mark.totals(keys, contexts, tokens)
        many = time.process_time() - start
        start = time.process_time()
        score_keys(mark, keys[:1], contexts, tokens)
        whole = time.process_time() - start
        rates = (min(5, len(keys)) * size / one / 1e6, len(keys) * size / many / 1e6)
        print(f"{name:20} {rates[0]:16.2f} {rates[1]:24.2f} {whole:14.3f}")


if __name__ == "__main__":
    main()
