"""Twins of expressions: the same form, other content, and an answer that is computed.

Three forms, as they stand in BIG-Bench Hard and in many collections since: expressions of truth values (logic),
nested arithmetic (arithmetic), sorting of words (strings). A twin keeps the published item's brackets and length and
draws its leaves anew (in logic also *and* and *or*), so that it is about as hard. Answers are computed here, for the
published item too: where the published answer differs, the item is not usable.

References
----------
Suzgun et al., *Challenging BIG-Bench tasks and whether chain-of-thought can solve them*, 2022. No item is kept here.
"""

from __future__ import annotations

import ast
import operator
import re
import warnings
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from stillwatch.errors import ConfigError

LONGEST = 2_000
"""Characters of an item; published items are written by others, and are parsed."""
WORDS = re.compile(r"^(.*\bList:\s*)(.+)$", re.DOTALL)
TRUTH, NUMBER = re.compile(r"\b(?:True|False|and|or)\b"), re.compile(r"(?<![\d)])-?\d+")
SAME_KIND = {word: kind for kind in (("True", "False"), ("and", "or")) for word in kind}
ARITHMETIC: dict[type, Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}


def form_of(prompt: str) -> str | None:
    """``logic``, ``arithmetic`` or ``strings``; None for a question of another form.

    >>> form_of("not ( True ) and False is"), form_of("((1 + 2) * -3) ="), form_of("Who?")
    ('logic', 'arithmetic', None)
    """
    if len(prompt) > LONGEST:
        return None
    if WORDS.match(prompt):
        return "strings"
    for form, ending in (("logic", "is"), ("arithmetic", "=")):
        if prompt.rstrip().endswith(ending) and _tree(prompt, ending) is not None:
            return form
    return None


def answer_of(prompt: str) -> str:
    """The answer, computed.

    >>> answer_of("not ( True ) and False is"), answer_of("((1 + 2) * -3) ="), answer_of("Sort. List: pear fig")
    ('False', '-9', 'fig pear')
    """
    form = form_of(prompt)
    if form == "strings":
        found = WORDS.match(prompt)
        return " ".join(sorted(found[2].split())) if found else ""
    if form is None:
        raise ConfigError("an item of another form", hint="logic, arithmetic and strings have twins here")
    tree = _tree(prompt, "is" if form == "logic" else "=")
    return str(_truth(tree) if form == "logic" else _number(tree))


def twin(prompt: str, rng: np.random.Generator, pool: Sequence[str] = ()) -> str:
    """One twin: leaves drawn anew, form kept. Words come from ``pool``, which defaults to the item's own."""
    form = form_of(prompt)
    if form == "strings":
        found = WORDS.match(prompt)
        own = list_of(prompt)
        words = rng.choice(list(pool) if len(pool) >= len(own) else own, len(own), replace=False)
        return (found[1] if found else "") + " ".join(str(word) for word in words)
    if form == "logic":
        return TRUTH.sub(lambda found: str(rng.choice(SAME_KIND[found[0]])), prompt)
    if form == "arithmetic":
        return NUMBER.sub(lambda found: _redrawn(found[0], rng), prompt)
    raise ConfigError("an item of another form", hint="logic, arithmetic and strings have twins here")


def words_of(prompts: Iterable[str]) -> list[str]:
    """All words of the items that sort words, each once, in order."""
    return sorted({word for prompt in prompts if form_of(prompt) == "strings" for word in list_of(prompt)})


def list_of(prompt: str) -> list[str]:
    """The words of an item that sorts words."""
    found = WORDS.match(prompt)
    return found[2].split() if found else []


def _redrawn(number: str, rng: np.random.Generator) -> str:
    """Another number of as many digits and the same sign."""
    digits = len(number.lstrip("-"))
    drawn = int(rng.integers(10 ** (digits - 1), 10**digits)) if digits < 18 else int(number.lstrip("-"))
    return f"-{drawn}" if number.startswith("-") else str(drawn)


def _tree(prompt: str, ending: str) -> ast.expr | None:
    """The expression, if it holds nothing but what its form allows; nothing of it is ever executed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            tree = ast.parse(prompt.rstrip().removesuffix(ending).strip(), mode="eval").body
        _truth(tree) if ending == "is" else _number(tree)
    except (SyntaxError, Warning, ValueError, RecursionError, MemoryError):
        return None
    return tree


def _truth(node: ast.AST | None) -> bool:
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return not _truth(node.operand)
    if isinstance(node, ast.BoolOp):
        values = [_truth(value) for value in node.values]
        return all(values) if isinstance(node.op, ast.And) else any(values)
    raise ValueError("no expression of truth values")


def _number(node: ast.AST | None) -> int:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_number(node.operand)
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        return ARITHMETIC[type(node.op)](_number(node.left), _number(node.right))
    raise ValueError("no arithmetic of whole numbers")
