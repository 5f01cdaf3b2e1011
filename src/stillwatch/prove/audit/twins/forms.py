"""Held-out twins of published items, whichever form they have.

==========  ==============================================  =============================  ==================
form        as in                                           a twin has                     its answer is
==========  ==============================================  =============================  ==================
logic       BIG-Bench Hard, boolean_expressions             other truth values             computed
arithmetic  BIG-Bench Hard, multistep_arithmetic_two        other numbers                  computed
strings     BIG-Bench Hard, word_sorting                    other words                    computed
problem     GSM8K, with its solutions                       other numbers in the story     computed by its steps
choices     MMLU, and whatever has lettered options         the options in another order   the option that moved
==========  ==============================================  =============================  ==================

Functions to be completed (HumanEval) are answered by running code: `stillwatch.prove.audit.twins.functions` makes
their twins, for a harness with a sandbox. Items of other forms need twins written by people; hand their scores to
`benchmark_gap` as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from stillwatch.errors import ConfigError
from stillwatch.prove.audit.twins import choices, expressions, problems
from stillwatch.prove.audit.twins.item import Item

MOST_TRIES = 200
FORMS = ("logic", "arithmetic", "strings", "problem", "choices")


def form_of(item: Item) -> str | None:
    """One of the five forms; None for an item of another form.

    >>> form_of(Item("not ( True ) and False is")), form_of(Item("Which? Options:\\n(A) pear\\n(B) fig", "(B)"))
    ('logic', 'choices')
    >>> form_of(Item("Who?")), form_of(Item("8 pears at $6?", "It is 8*6=<<8*6=48>>48.\\n#### 48"))
    (None, 'problem')
    """
    if choices.read(item) is not None:
        return "choices"
    found = expressions.form_of(item.prompt)
    if found is not None:  # a published answer that differs: the item is of another form, or wrong
        return found if item.answer.strip() in ("", expressions.answer_of(item.prompt)) else None
    return "problem" if problems.read(item) is not None else None


def answer_of(item: Item) -> str:
    """The right answer: computed, or for options the published letter.

    >>> answer_of(Item("((1 + 2) * -3) =")), answer_of(Item("Which?\\nA. pear\\nB. fig", "B"))
    ('-9', 'B')
    """
    form = form_of(item)
    problem, question = problems.read(item), choices.read(item)
    if form == "choices" and question is not None:
        return choices.answer(question)
    if form == "problem" and problem is not None:
        return problems.answer(problem)
    if form is not None:
        return expressions.answer_of(item.prompt)
    raise ConfigError("an item of a form without twins", hint=f"forms that have twins: {', '.join(FORMS)}")


def twins(items: Sequence[Item], each: int, seed: int) -> list[list[Item]]:
    """So many twins of every item, none of them equal to any published item or to another twin.

    An item may have no new twins left (a short one; two options): its list is empty, and it is left out of the
    comparison and counted.

    Args:
        items: published items.
        each: twins for each item, 1 or more.
        seed: of every draw.
    """
    if each < 1:
        raise ConfigError(f"{each} twins", hint="draw one for each item, or more")
    rng, taken = np.random.default_rng(seed), {item.prompt for item in items}
    pool = expressions.words_of([item.prompt for item in items])
    out = []
    for item in items:
        own: list[Item] = []
        draw = _maker(item, pool)
        for _ in range(MOST_TRIES):
            made = draw(rng)
            if made is None:
                break
            if made.prompt not in taken:
                taken.add(made.prompt)
                own.append(made)
            if len(own) == each:
                break
        out.append(own if len(own) == each else [])
    return out


def _maker(item: Item, pool: Sequence[str]) -> Callable[[np.random.Generator], Item | None]:
    """What draws twins of one item, which is read once."""
    form = form_of(item)
    problem, question = problems.read(item), choices.read(item)
    if form == "choices" and question is not None:
        return partial(choices.twin, question)
    if form == "problem" and problem is not None:
        return partial(problems.twin, problem)
    if form is not None:
        return lambda rng: Item(made := expressions.twin(item.prompt, rng, pool), expressions.answer_of(made))
    raise ConfigError("an item of a form without twins", hint=f"forms that have twins: {', '.join(FORMS)}")
