"""Stands for the process that holds a model, where torch is not: a table of log-probabilities in place of weights.

A file ``behaves`` in the model's folder makes it misbehave, from the answer on that its second word says.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np


def main() -> None:
    """Answer as `stillwatch.prove.suspects.loaded` does."""
    order = json.loads(sys.stdin.readline())
    folder = Path(order["path"])
    packed = order["kind"] == "gguf"
    if not packed:
        with (folder.parent / "loaded").open("a") as file:
            file.write(f"{order['name']}\n")
    how, _, after = (
        (folder / "behaves").read_text().partition(" ") if (folder / "behaves").exists() else ("", "", "0")
    )
    if how == "stalls":
        time.sleep(600)
    with (folder / ("model.gguf" if packed else "model.safetensors")).open("rb") as weights:
        weights.seek(4 if packed else 0)
        table = np.load(weights).astype(np.float64)
    tell({"step": "loaded"})
    waiting: dict[int, list[int]] = {}
    for n, line in enumerate(sys.stdin):
        misbehave(how if n >= int(after or 0) else "")
        asked = json.loads(line)
        if "prompt" in asked:
            waiting[asked["n"]] = [int(word[1:]) for word in asked["prompt"].split()]
            tell({"step": "tokens", "in": len(waiting[asked["n"]])})
        elif "ask" in asked:
            assert len({len(waiting[number]) for number in asked["ask"]}) == 1
            for number in asked["ask"]:
                write(table, waiting.pop(number), order)
        else:
            tell({"step": "tokens"})
            answer(how if n >= int(after or 0) else "", table, asked["text"], order)


def misbehave(how: str) -> None:
    """What a template may do."""
    if how == "hangs":
        time.sleep(600)
    if how == "dies":
        sys.exit(7)
    if how == "babbles":
        sys.stdout.write("no line of an answer\n")
        sys.stdout.flush()


def write(table: Any, text: list[int], order: dict[str, Any]) -> None:
    """What is said after a prompt, drawn from the table."""
    rng, before = np.random.default_rng([order["seed"], *text]), list(text)
    for _ in range(order["max_tokens"]):
        row = table[before[-2], before[-1]]
        before.append(int((row + rng.gumbel(size=row.size)).argmax()))
    said = before[len(text) :]
    tell({"reply": "".join(f" w{token}" for token in said), "in": len(text), "out": len(said)})


def answer(how: str, table: Any, text: list[int], order: dict[str, Any]) -> None:
    """The likeliest tokens along a text."""
    if how == "dreams":
        time.sleep(600)
    if how == "fails":
        return tell({"failed": "RuntimeError"})
    before = np.array(text)
    log_p = table[before[:-2], before[1:-1]]
    best = np.argsort(-log_p, axis=1)[:, : order["top"]]
    values = np.take_along_axis(log_p, best, axis=1).round(4)
    if how == "lies":
        values = values + 100.0
    if how == "repeats":
        best[:, 1] = best[:, 0]
    if how == "shortens":
        best, values = best[:1], values[:1]
    return tell({"tokens": best.tolist(), "log_p": values.tolist(), "in": len(text)})


def tell(what: dict[str, Any]) -> None:
    """One line."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
