"""Twins of functions to be completed: the same task, with the function and its parameters under other names.

Whoever recites the published solution uses names that are not there any more, and fails the tests; whoever reads the
task is not hindered: a name keeps its words and gains an ending. Nothing new is asked, so a gap shows recall of
published code, and no more. Code is read as a tree, renamed and written to files; it is never run here. Answers are
judged by running them, which is for a harness with a sandbox: `stillwatch prove audit` reads what lm-eval made of
``TASK`` and ``TASK_twin1``, ``TASK_twin2``, ...

References
----------
Chen et al., *Evaluating large language models trained on code* (2021), for the form. No item is kept here.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stillwatch.errors import ConfigError
from stillwatch.prove.audit.twins.item import LONGEST

COLUMNS = ("prompt", "entry_point", "test")
ENDINGS = ("_at_hand", "_given", "_here", "_in_use", "_now", "_taken", "_to_use", "_today")


def function_twins(rows: Sequence[Mapping[str, Any]], each: int, seed: int) -> list[list[dict[str, Any]]]:
    """Rows with other names, ``each`` of every row; empty where the row is no function that can be renamed.

    Args:
        rows: with ``prompt``, ``entry_point`` and ``test``; ``canonical_solution`` is renamed too.
        each: twins of each row, at most 8.
        seed: of the endings.
    """
    if not 1 <= each <= len(ENDINGS):
        raise ConfigError(f"{each} twins", hint=f"draw 1 to {len(ENDINGS)} for each function")
    rng = np.random.default_rng(seed)
    out = []
    for row in rows:
        endings = [ENDINGS[i] for i in rng.permutation(len(ENDINGS))[:each]]
        made = [_renamed(row, ending) for ending in endings]
        out.append([one for one in made if one is not None])
    return out


def _renamed(row: Mapping[str, Any], ending: str) -> dict[str, Any] | None:
    """One row under other names."""
    if not all(isinstance(row.get(column), str) and len(row[column]) <= 4 * LONGEST for column in COLUMNS):
        return None
    prompt, name = row["prompt"], row["entry_point"]
    tree = _tree(prompt)
    found = [
        one for one in getattr(tree, "body", []) if isinstance(one, ast.FunctionDef) and one.name == name
    ]
    if tree is None or len(found) != 1:
        return None
    arguments = found[0].args
    parameters = [one for one in ast.walk(arguments) if isinstance(one, ast.arg)]
    if not parameters or any(one.arg + ending in prompt for one in parameters) or name + ending in prompt:
        return None
    called = "" if "_" in name else r"(?=\s*\()"  # a name of one word may be a word of the text
    function = re.compile(rf"(?<![\w.]){re.escape(name)}(?!\w){called}")
    text = function.sub(name + ending, _with(prompt, parameters, ending))
    out = dict(row) | {"prompt": text, "entry_point": name + ending}
    out["test"] = function.sub(name + ending, row["test"])
    if isinstance(row.get("canonical_solution"), str):
        solution = _solution(prompt, row["canonical_solution"], name, [one.arg for one in parameters], ending)
        if solution is None:
            return None
        out["canonical_solution"] = solution
    return out


def _with(prompt: str, parameters: Sequence[ast.arg], ending: str) -> str:
    """The prompt with every parameter's ending put in where the parameter is declared."""
    lines = prompt.encode().split(b"\n")
    for one in sorted(parameters, key=lambda one: (one.lineno, one.col_offset), reverse=True):
        line, end = lines[one.lineno - 1], one.col_offset + len(one.arg.encode())
        lines[one.lineno - 1] = line[:end] + ending.encode() + line[end:]
    return b"\n".join(lines).decode()


def _solution(prompt: str, solution: str, name: str, parameters: Sequence[str], ending: str) -> str | None:
    """The body of the published solution under the new names."""
    tree = _tree(prompt + solution)
    found = [
        one for one in getattr(tree, "body", []) if isinstance(one, ast.FunctionDef) and one.name == name
    ]
    if len(found) != 1:
        return None
    new = {one: one + ending for one in (name, *parameters)}
    for node in ast.walk(found[0]):
        if isinstance(node, ast.Name) and node.id in new:
            node.id = new[node.id]
        if isinstance(node, ast.arg) and node.arg in new:
            node.arg = new[node.arg]
    body = found[0].body[1:] if ast.get_docstring(found[0]) is not None else found[0].body
    return "".join(f"    {line}\n" for part in body for line in ast.unparse(part).split("\n"))


def _tree(source: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
