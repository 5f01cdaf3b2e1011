"""Twins of word problems: the same story with other numbers, and the published solution's own steps computed again.

An item is taken only where its solution writes down every step as ``<<48/2=24>>``, as GSM8K does, and where each number
of a step is beyond doubt: of the question, the result of an earlier step, or a constant. A number that might be two of
these leaves the item without twins. What is redrawn keeps its digits, its roundness, its order and its sums among the
numbers of the question; whole results stay whole, and the answer is never the published one.

References
----------
Cobbe et al., *Training verifiers to solve math word problems* (2021). Mirzadeh et al., *GSM-Symbolic* (2024), whose
templates people wrote; here the steps are the template. No item is kept here.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import combinations, pairwise

import numpy as np

from stillwatch.prove.audit.twins.item import LONGEST, Item

STEP = re.compile(r"<<([^<>=]{1,80})=([^<>=]{1,40})>>")
FINAL = re.compile(r"####\s*(-?[\d,]+)\s*$")
NUMBER = re.compile(
    r"(?<![\w.,/:%-])\d{1,3}(?:,\d{3})+(?![\w/:%-]|[.,]\d)|(?<![\w.,/:%-])\d+(?![\w/:%-]|[.,]\d)"
)
ANY = re.compile(r"\d[\d,]*(?:\.\d+)?|\.\d+")
PLAIN = re.compile(r"\d{1,12}(?:\.\d{0,6})?|\.\d{1,6}")
WORDS = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty".split()
    )
} | {"half": 2, "twice": 2, "double": 2, "couple": 2, "pair": 2, "thrice": 3, "triple": 3, "dozen": 12, "third": 3,
     "quarter": 4, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "hundred": 100}  # fmt: skip
CONSTANTS = {1: "", 2: "", 100: "", 7: "week|day", 12: "dozen|month|year|inch|f[eo]+t", 24: "hour|day", 30: "month|day",
             52: "week|year", 60: "minute|hour|second", 365: "year|day", 1_000: "kilo|km|kg|met|gram|lit"}  # fmt: skip
"""Numbers that a solution may use although no question says them, where the question has a word that calls for them."""
WEEK = 7
LEAST, MOST, YEARS = 5, 1_000_000, range(1_700, 2_200)
TRIES, MOST_NUMBERS = 400, 12
OPERATORS: dict[type, Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip


Sums = list[tuple[Fraction, tuple[Fraction, ...]]]


@dataclass(frozen=True, slots=True)
class Problem:
    """A question whose solution is understood, step by step."""

    question: str
    steps: tuple[ast.expr, ...]
    sources: tuple[str, ...]
    """Source of each step, for the numbers in it."""
    redrawn: tuple[int, ...]
    """Numbers of the question that a step uses, each once."""
    fixed: tuple[Fraction, ...]
    """Other numbers of the question."""
    results: tuple[Fraction, ...]


def read(item: Item) -> Problem | None:
    """The problem, if nothing about it is in doubt."""
    found = FINAL.search(item.answer)
    steps = STEP.findall(item.answer)
    if STEP.sub("", item.answer).count("=") > len(steps):  # a step that is not written down as one
        return None
    if not found or not steps or len(item.prompt) > LONGEST or len(item.answer) > LONGEST:
        return None
    every = [Fraction(number.replace(",", "")) for number in ANY.findall(item.prompt)]
    whole = [int(number.replace(",", "")) for number in NUMBER.findall(item.prompt)]
    said = {Fraction(WORDS[word]) for word in re.findall(r"[a-z]+", item.prompt.lower()) if word in WORDS}
    text = item.prompt.lower()
    called = {Fraction(number) for number, words in CONSTANTS.items() if re.search(words, text)}
    free = {
        number
        for number in whole
        if LEAST <= number < MOST and number not in YEARS and number not in CONSTANTS and Fraction(number) not in said
        and every.count(Fraction(number)) == whole.count(number) and (number % WEEK or "week" not in text)
    }  # fmt: skip
    fixed = {number for number in every if number not in free} | said
    results: list[Fraction] = []
    trees, used = [], set[int]()
    try:
        for source, value in steps:
            tree = ast.parse(source.strip(), mode="eval").body
            for number in _numbers(tree, source):
                known = number in fixed or number in called
                if (number in free) + results.count(number) + known != 1:
                    return None
                used |= {int(number)} if number in free else set()
            results.append(_value(tree, source.strip(), {}))
            trees.append(tree)
            if results[-1] != Fraction(value.strip().replace(",", "")):
                return None
    except (SyntaxError, ValueError, ZeroDivisionError, OverflowError, RecursionError, MemoryError):
        return None
    if not used or results[-1] != Fraction(found[1].replace(",", "")):
        return None
    sources = tuple(source.strip() for source, _ in steps)
    rest = tuple(sorted((fixed | {Fraction(n) for n in free}) - {Fraction(n) for n in used}))
    return Problem(item.prompt, tuple(trees), sources, tuple(sorted(used)), rest, tuple(results))


def answer(problem: Problem) -> str:
    """The published answer, computed."""
    return str(problem.results[-1])


def twin(problem: Problem, rng: np.random.Generator) -> Item | None:
    """The problem with other numbers; None where none were found that keep it sound."""
    sums = _sums([*map(Fraction, problem.redrawn), *problem.fixed])
    for _ in range(TRIES):
        new = {number: _redrawn(number, rng) for number in problem.redrawn}
        results = _again(problem, new)
        if results is not None and _in_order(problem, new, sums):
            text = NUMBER.sub(partial(_written, new), problem.question)
            return Item(text, str(results[-1]))
    return None


def _again(problem: Problem, new: dict[int, int]) -> list[Fraction] | None:
    """Results of all steps with the new numbers, if they are of the kind that the published ones are."""
    now: dict[Fraction, Fraction] = {Fraction(old): Fraction(value) for old, value in new.items()}
    results: list[Fraction] = []
    for tree, source, published in zip(problem.steps, problem.sources, problem.results, strict=True):
        try:
            result = _value(tree, source, now)
        except ZeroDivisionError:
            return None
        alike = (result > 0) == (published > 0) and (result < 0) == (published < 0)
        if not alike or (result.denominator > 1) > (published.denominator > 1) or 100 % result.denominator:
            return None
        now[published] = result
        results.append(result)
    return results if results[-1] != problem.results[-1] else None


def _in_order(problem: Problem, new: dict[int, int], sums: Sums) -> bool:
    """Whether numbers of the question keep their order and their sums: *more*, *of these*, *the rest* stay true."""
    now = {Fraction(old): Fraction(value) for old, value in new.items()} | {n: n for n in problem.fixed}
    after = [now[old] for old in sorted(now)]
    return all(a < b for a, b in pairwise(after)) and all(
        sum(now[part] for part in parts) == now[whole] for whole, parts in sums
    )


def _sums(numbers: list[Fraction]) -> Sums:
    """Numbers that are the sum of two to four others: parts of a whole, whether a step says so or not."""
    few = sorted(numbers)[:MOST_NUMBERS]
    return [
        (sum(parts, Fraction()), parts)
        for size in (2, 3, 4) for parts in combinations(few, size) if sum(parts, Fraction()) in few
    ]  # fmt: skip


def _redrawn(number: int, rng: np.random.Generator) -> int:
    """As many digits, as round, and within a factor of some two."""
    step = next(step for step in (10_000, 1_000, 100, 10, 5, 1) if number % step == 0 and number > step)
    low = max(number * 55 // 100, 10 ** (len(str(number)) - 1), LEAST)
    high = min(number * 180 // 100, 10 ** len(str(number)) - 1)
    return step * int(rng.integers(-(-low // step), high // step + 1))


def _written(new: dict[int, int], found: re.Match[str]) -> str:
    old = found[0]
    value = new.get(int(old.replace(",", "")))
    return old if value is None else f"{value:,}" if "," in old else str(value)


def _numbers(node: ast.AST, source: str) -> list[Fraction]:
    return [_literal(one, source.strip()) for one in ast.walk(node) if isinstance(one, ast.Constant)]


def _literal(node: ast.expr, source: str) -> Fraction:
    """A number as it was written, so that 0.1 is a tenth."""
    written = ast.get_source_segment(source, node) or ""
    if not PLAIN.fullmatch(written):
        raise ValueError("a number in another notation")
    return Fraction(written)


def _value(node: ast.AST, source: str, now: dict[Fraction, Fraction]) -> Fraction:
    """A step's value, of the four operations and nothing else; numbers are looked up among what was redrawn."""
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        number = _literal(node, source)
        return now.get(number, number)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, source, now)
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        return OPERATORS[type(node.op)](_value(node.left, source, now), _value(node.right, source, now))
    raise ValueError("no step of arithmetic")
