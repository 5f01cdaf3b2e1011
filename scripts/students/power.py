"""What the tests see: by share of dyed data, window, size of the reading, and what happens to student and data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from scripts.students.world import ANSWERS, READ, Texts, World, mark_of, plan_of, row
from stillwatch.prove.school import (
    LENGTH,
    Exam,
    Model,
    NeuralStudent,
    let_write,
    nll,
    probe,
    rank_siblings,
    read_likeliest,
    read_weights,
    write,
)
from stillwatch.prove.school.neural import EPOCHS
from stillwatch.prove.school.teacher import PROMPT

SHARES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
WIDTHS = (2, 4)
SIZES = (10, 25, 50, 100, 200)
REPLIES = (10, 20, 50)
TESTS: dict[str, Callable[..., Any]] = {
    "soft": read_weights, "hard": read_likeliest, "probes": probe, "writing": let_write,
}  # fmt: skip
Rows = Iterator[dict[str, Any]]


def student(world: World, width: int, share: float) -> NeuralStudent:
    """The base after 1,000 answers of ours, of which a share is dyed."""
    cut = round(ANSWERS * share)
    return world.base.learn(world.dyed(cut, 10, width), world.plain(ANSWERS, 11)[cut:], seed=world.draw(12))


def exam(world: World, width: int, texts: Texts) -> Exam:
    """The study's examination along some texts; controls are a matter of the audits of innocents."""
    return Exam(world.ours, mark_of(width), texts, world.issued)


def asked(world: World, one: Exam, model: Model, tests: tuple[str, ...], **about: Any) -> Rows:
    """Rows of some tests of one student."""
    for name in tests:
        claim = TESTS[name](one, "s", model, plan_of(world.draw(20)))
        yield {"seed": world.seed, **about, **row(claim), "test": name}


def by_share(world: World) -> Rows:
    """Every share and window under every test, read along new texts under the key in question."""
    for width in WIDTHS:
        one = exam(world, width, world.dyed(READ, 13, width))
        for share in SHARES:
            model = student(world, width, share)
            yield from asked(world, one, model, tuple(TESTS), width=width, share=share)


def by_reading(world: World) -> Rows:
    """How much is read, and what: new texts under the key, new texts without, what the suspect itself writes."""
    for share in (0.05, 0.25, 1.0):
        model = student(world, 2, share)
        for size in SIZES:
            one = exam(world, 2, world.dyed(size, 13, 2))
            yield from asked(
                world, one, model, ("soft", "probes", "writing"), share=share, texts=size, along="dyed"
            )
        for along, texts in (
            ("plain", world.plain(READ, 14)),
            ("own", write(model, READ, seed=world.draw(15))),
        ):
            one = exam(world, 2, texts)
            yield from asked(world, one, model, ("soft", "hard"), share=share, texts=READ, along=along)


def by_treatment(world: World) -> Rows:
    """What is done to the data or to the student afterwards; window 2, all answers dyed unless said otherwise."""
    one, held = exam(world, 2, world.dyed(READ, 13, 2)), world.plain(200, 19)
    for name, model in treated(world):
        loss = round(float(nll(model, held).mean()) / (LENGTH - PROMPT), 3)
        for line in asked(world, one, model, ("soft", "hard", "writing"), treatment=name):
            yield {**line, "loss": loss}


def treated(world: World) -> Iterator[tuple[str, Model]]:
    """Students by what was done, one at a time."""
    dyed = world.dyed(ANSWERS, 10, 2)
    elsewhere = write(world.other, ANSWERS, seed=world.draw(16))

    def learn(*texts: Texts, epochs: int = EPOCHS) -> NeuralStudent:
        return world.base.learn(*texts, seed=world.draw(12), epochs=epochs)

    for epochs in (1, 3, 12):
        yield f"{epochs} pass{'es' * (epochs > 1)}", learn(dyed, epochs=epochs)
    full = learn(dyed)
    yield f"{EPOCHS} passes", full
    ours = world.plain(ANSWERS, 17)
    yield "then as much unmarked text of ours", full.learn(ours, seed=world.draw(18))
    yield "then as much of another laboratory's", full.learn(elsewhere, seed=world.draw(18))
    for share in (0.1, 0.25, 0.5):
        yield f"{share:.0%} of tokens replaced", learn(edited(dyed, elsewhere, share, world))
    for share in (0.5, 0.9):
        cut = round(ANSWERS * share)
        yield f"{share:.0%} of answers from another laboratory", learn(dyed[cut:], elsewhere[:cut])


def edited(texts: Texts, other: Texts, share: float, world: World) -> Texts:
    """Texts with a share of tokens replaced by those of other texts."""
    return np.where(np.random.default_rng(world.draw(21)).random(texts.shape) < share, other, texts)


def by_replies(world: World) -> Rows:
    """The sibling test, by replies in the log and by how the student learnt them; no mark anywhere."""
    served = world.plain(ANSWERS, 22)
    drawn = [write(world.ours, 50, seed=world.draw(30 + i), prompts=served[:50, :2]) for i in range(6)]
    once = world.base.learn(served, seed=world.draw(12), epochs=1)
    full = world.base.learn(served, seed=world.draw(12))
    elsewhere = write(world.other, ANSWERS, seed=world.draw(16))
    quarter = world.base.learn(served[:250], world.plain(750, 23), seed=world.draw(12))
    others = world.base.learn(world.plain(ANSWERS, 23), seed=world.draw(12))
    models: list[tuple[str, Model]] = [
        ("not taught", world.base), ("taught by other replies", others), ("1 pass", once), ("6 passes", full),
        ("6 passes, a quarter of its data", quarter),
        ("6 passes, then another laboratory's", full.learn(elsewhere, seed=world.draw(18))),
    ]  # fmt: skip
    for name, model in models:
        for replies in REPLIES:
            claim = rank_siblings(
                world.ours,
                served[:replies],
                [d[:replies] for d in drawn],
                "s",
                model,
                plan_of(world.draw(20)),
            )
            yield {"seed": world.seed, "student": name, "replies": replies, "log10_p": round(claim.log10_p_value, 3),
                   "verdict": claim.verdict.value}  # fmt: skip
