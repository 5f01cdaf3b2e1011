"""Twins of a benchmark as files, for a harness that asks and judges by itself: code that must be run, or lm-eval."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError
from stillwatch.prove.audit.asking import benchmark_items, rows_of
from stillwatch.prove.audit.twins import FORMS, answer_of, function_twins, twins
from stillwatch.prove.audit.twins.functions import COLUMNS

Row = Mapping[str, Any]


def write_twins(path: Path, out: Path, each: int = 2, seed: int = 1) -> tuple[list[Path], int, int]:
    """``TASK.jsonl`` with the published items that have twins, and ``TASK_twin1.jsonl``, ... in the same order.

    Args:
        path: a file of items; functions to be completed where its rows have ``entry_point`` and ``test``.
        out: folder; files that stand there are never overwritten.
        each: twins of every item.
        seed: of every draw.

    Returns:
        The files, how many items have twins, and how many were left out.
    """
    rows = rows_of(path)
    made = _functions(rows, each, seed) if rows and set(COLUMNS) <= set(rows[0]) else _items(path, each, seed)
    if not made:
        raise ConfigError(
            f"{path}: no item that has twins here", hint=f"{', '.join(FORMS)}, and functions to be completed"
        )
    task = path.name.removesuffix(".gz").rsplit(".", 1)[0]
    names = [f"{task}.jsonl", *(f"{task}_twin{k}.jsonl" for k in range(1, each + 1))]
    taken = [name for name in names if (out / name).exists()]
    if taken:
        raise ConfigError(f"{out / taken[0]} exists", hint="name another folder with --out")
    out.mkdir(parents=True, exist_ok=True)
    for k, name in enumerate(names):
        lines = [json.dumps(own[k], ensure_ascii=False) for own in made]
        (out / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [out / name for name in names], len(made), len(rows) - len(made)


def _functions(rows: Sequence[Row], each: int, seed: int) -> list[list[Row]]:
    found = zip(rows, function_twins(rows, each, seed), strict=True)
    return [[row, *own] for row, own in found if len(own) == each]


def _items(path: Path, each: int, seed: int) -> list[list[Row]]:
    items = benchmark_items(path)
    found = zip(items, twins(items, each, seed), strict=True)
    return [
        [{"prompt": item.prompt, "target": answer_of(item)}, *({"prompt": t.prompt, "target": t.answer} for t in own)]
        for item, own in found if own
    ]  # fmt: skip
