"""The demo's engine and its students: answers written under the key that a request carries, students trained on them.

What a student learns is read from the file that the engine's log wrote, and the very same file goes into the ledger.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stillwatch.errors import StillwatchError
from stillwatch.records import Action, Request
from stillwatch.settings import Settings
from stillwatch.wiring.dye import issued_keys, open_desk, read_tokens, record_served
from stillwatch.wiring.dye_demo import EARLIER, EPOCH, EVERYONE, NARROW, SCHEME, Wish, as_texts, earlier
from stillwatch.wiring.gate_dye import Dyer
from stillwatch.wiring.progress import Progress, write_whole

if TYPE_CHECKING:
    from stillwatch.protect.dye import Dye
    from stillwatch.prove.power import Effect
    from stillwatch.prove.school import Exam, NeuralStudent
    from stillwatch.prove.school.page import Subject

OURS, OTHERS, PUBLIC, CONTROLS = 1, 2, 3, (11, 12, 13)
"""Seeds of teachers: ours, another laboratory's, whoever wrote the public text, three unrelated control models."""
PUBLIC_TEXTS, EARLIER_ANSWERS, READ = 400, 40, 100
MODEL = "m-1"


@dataclass(frozen=True, slots=True)
class Log:
    """What the engine served: one file of token ids for each key."""

    files: Mapping[str, Path]
    """By the name that policy knows the key under; ``everyone`` for an honest customer."""
    tokens: int
    """In the ledger, over all keys."""


def serve(wish: Wish, run: Path, settings: Settings, accounts: Mapping[str, str], progress: Progress) -> Log:
    """One account of each campaign and an honest one ask through the gate; earlier campaigns were served before."""
    from stillwatch.wiring.policies import publish_risk, show_policy
    from stillwatch.wiring.policy import Gate

    policy, gate = wish.out / "policy.toml", wish.out / "gate"
    policy.write_text(show_policy().replace('mode = "shadow"', 'mode = "enforce"'), encoding="utf-8")
    publish_risk(run, into=gate, settings=settings)
    dyer = Dyer.open(settings)
    asking = {f"campaign:{name}": account for name, account in accounts.items()} | {EVERYONE: "acct-honest"}
    folder = wish.out / "served"
    folder.mkdir()
    files, tokens = {}, 0
    with Gate.open(policy, gate, settings=settings) as judge:
        for number, (name, account) in enumerate(asking.items()):
            progress.step(f"serving {wish.answers:,} answers under the key of {name}")
            decision = judge.decide(Request(f"r-{number}", account, MODEL))
            marked = decision.terms.key if Action.MARK in decision.actions else EVERYONE
            body = dyer.dyed({"model": MODEL, "watermarking": False}, decision, writes=True) if dyer else None
            if marked != name or body is None or "watermarking" in body:
                raise StillwatchError(f"the gate marked {name} as {marked}", hint="report this")
            seed, path = wish.seed * 1_000 + number, folder / f"{number}.jsonl"
            files[name] = _engine(body["watermark"], wish.answers, seed, path)
            tokens += record_served(settings, f"{EPOCH}/{name}", read_tokens(files[name]))["tokens"]
    before = earlier(len(accounts))
    progress.step("serving earlier campaigns", float(len(before)))
    desk, _ = open_desk(settings)
    dyes: dict[str, Dye] = {dye.key_id: dye for dye in desk.issued()}
    for number, name in enumerate(before):
        asked = dyes[f"{EARLIER}/{name}"].request()["watermark"]
        seed, path = wish.seed * 1_000 + 100 + number, folder / f"earlier-{number}.jsonl"
        told = _engine(asked, EARLIER_ANSWERS, seed, path)
        tokens += record_served(settings, f"{EARLIER}/{name}", read_tokens(told))["tokens"]
        progress.advance(1.0)
    return Log(files, tokens)


def _engine(asked: Mapping[str, Any], answers: int, seed: int, log: Path) -> Path:
    """Write answers under the key and window of a request, and log their tokens."""
    from stillwatch.prove.marks import as_keys, make_mark
    from stillwatch.prove.school import Teacher, write

    mark = make_mark(SCHEME, width=asked["context_window"])
    texts = write(Teacher.of(OURS), answers, seed=seed, mark=mark, key=as_keys([asked["key"]])[0])
    write_whole(log, "".join(json.dumps(row) + "\n" for row in texts.tolist()))
    return log


@dataclass(frozen=True, slots=True)
class Lesson:
    """One student to be: what it is taught, and which campaign has to be named for it."""

    taught: str
    texts: np.ndarray[Any, Any]
    expected: tuple[str, ...] = ()


def _lessons(wish: Wish, served: Log) -> list[Lesson]:
    from stillwatch.prove.school import Teacher, write

    def plain(teacher: int, number: int) -> np.ndarray[Any, Any]:
        return write(Teacher.of(teacher), wish.answers, seed=wish.seed * 1_000 + 200 + number)

    logged = {name: as_texts(read_tokens(path)) for name, path in served.files.items()}
    guilty = [
        Lesson(f"taught by what {name} was served", texts, (name.removeprefix("campaign:"),))
        for name, texts in logged.items()
        if name != EVERYONE
    ]
    return [
        *guilty,
        Lesson("taught by what an honest customer was served, under everyone's key", logged[EVERYONE]),
        Lesson("taught by our answers from before any key", plain(OURS, 0)),
        Lesson("taught by another laboratory's answers", plain(OTHERS, 1)),
        Lesson("taught by more of the public text that all of them share", plain(PUBLIC, 2)),
    ]


def take_tests(
    wish: Wish, settings: Settings, served: Log, progress: Progress
) -> tuple[list[Subject], str, str]:
    """Train and test every student; returns them with the seeds and the measured effects, in words."""
    from stillwatch.prove.fuse import conclude
    from stillwatch.prove.marks import make_mark
    from stillwatch.prove.radio import Plan
    from stillwatch.prove.school import (
        Exam,
        NeuralStudent,
        Teacher,
        let_write,
        probe,
        read_weights,
        write,
    )
    from stillwatch.prove.school.page import Subject

    ours, first = Teacher.of(OURS), wish.seed * 1_000
    public = write(Teacher.of(PUBLIC), PUBLIC_TEXTS, seed=first + 300)
    base = NeuralStudent.born(first).learn(
        public, seed=first, step=_heard(progress, "training the shared base")
    )
    texts = write(ours, READ, seed=first + 301)
    controls = tuple((f"unrelated model {n}", Teacher.of(n)) for n in CONTROLS)
    keys = issued_keys(settings, SCHEME, NARROW)
    asked = Exam(ours, make_mark(SCHEME, width=NARROW), texts, keys, controls)
    read = replace(asked, issued=[replace(key, exposure=None) for key in keys])
    effects = _rehearsed(wish, base, read, progress)
    subjects = []
    for number, lesson in enumerate(_lessons(wish, served), 1):
        name = f"student {number}"
        seed = first + 400 + number
        model = base.learn(
            lesson.texts, seed=seed, step=_heard(progress, f"training {name}, {lesson.taught}")
        )
        progress.step(f"testing {name} against {len(keys)} keys")
        claims = [
            ask(exam, name, model, Plan(seed, effect))
            for (ask, exam), effect in zip(
                ((read_weights, read), (let_write, read), (probe, asked)), effects, strict=True
            )
        ]
        subjects.append(Subject(conclude(claims), lesson.taught, lesson.expected))
    seeds = (
        f"teachers {OURS}, {OTHERS}, {PUBLIC} and {', '.join(map(str, CONTROLS))}; all else from {first} upwards; the "
        "master comes from the seed, as no real one may"
    )
    told = "; ".join(f"{e.at_full:.3f} standard deviations a score ({e.source})" for e in effects)
    return subjects, seeds, told


def _rehearsed(wish: Wish, base: NeuralStudent, exam: Exam, progress: Progress) -> list[Effect]:
    """What each test shows of a student of ours, dyed with a key that is never issued: weights, writing, probes."""
    from stillwatch.protect.dye import Served
    from stillwatch.prove.nulls import random_keys
    from stillwatch.prove.power import Effect
    from stillwatch.prove.radio import IssuedKey, Plan
    from stillwatch.prove.school import effect_of, let_write, probe, read_weights, write

    first = wish.seed * 1_000
    key = random_keys(first + 500, 1)[0]
    texts = write(exam.ours, wish.answers, seed=first + 500, mark=exam.mark, key=key)
    told = _heard(progress, "training the rehearsal student")
    model = base.learn(texts, seed=first + 501, step=told)
    ledger = Served(bytes(32), NARROW)
    ledger.add(texts.tolist())
    alone = replace(exam, issued=[IssuedKey("rehearsal", key)], controls=())
    asked = replace(exam, issued=[IssuedKey("rehearsal", key, exposure=ledger)], controls=())
    plan = Plan(first + 502, Effect(1.0, "not known yet: this is where it is measured"))
    source = f"measured on a rehearsal student of {wish.answers:,} dyed answers"
    return [
        effect_of(ask(on, "rehearsal", model, plan), f"{word}, {source}")
        for word, ask, on in (
            ("weights", read_weights, alone), ("writing", let_write, alone), ("probes", probe, asked)
        )
    ]  # fmt: skip


def _heard(progress: Progress, what: str) -> Callable[[int, int], None]:
    """Tell of epochs."""
    begun = False

    def step(_: int, epochs: int) -> None:
        nonlocal begun
        if not begun:
            progress.step(what, float(epochs))
            begun = True
        progress.advance(1.0)

    return step


__all__: Sequence[str] = ["Log", "serve", "take_tests"]
