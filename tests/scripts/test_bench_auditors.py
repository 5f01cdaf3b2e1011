"""Other auditors beside ours: the section is what the data say, and every tool is asked about the same students."""

from __future__ import annotations

import math

import httpx
import numpy as np

from scripts import bench_auditors as bench
from scripts.students.world import World
from stillwatch.prove.school import VOCABULARY, Teacher, write


def test_the_section_says_what_the_data_say() -> None:
    """Every figure between the marks is computed from docs/data, and every world has every student under every tool."""
    shown = bench.PAGE.read_text("utf-8").partition(bench.BEGIN)[2].partition(bench.END)[0]
    found = bench.read()
    assert shown.strip() == bench.render(found), "python -m scripts.bench_auditors --seeds"
    for tool in ("stillwatch", "textseal", "knowlyr-modelaudit"):
        told = [(row["seed"], row["student"]) for row in found["rows"] if row["tool"] == tool]
        assert len(set(told)) == len(told) == 4 * len({row["seed"] for row in found["rows"]})


def test_an_innocent_that_a_tool_convicts_is_counted() -> None:
    """The count of wronged students is of something that can happen."""
    row = {"seed": 1, "fired": True, "p": 0.5, "cpu_s": 1.0, "scores": {"llmmap": [0.9, True]}}
    tools = ("stillwatch", "textseal", "knowlyr-modelaudit", "textseal, a key never served")
    kinds = ("our answers", bench.INNOCENT[0])
    rows = [row | {"tool": tool, "student": kind} for tool in tools for kind in kinds]
    told = bench.render({"rows": rows})
    for tool in tools[:3]:
        assert f"| {tool} | {bench.share([True])} | {bench.share([True])} | 1.00 |" in told


def test_another_laboratorys_key_was_never_issued_here() -> None:
    """Else the innocent that learnt under it would carry a stolen key, and be convicted rightly."""
    world = World(401)
    assert not (world.keys == bench.strange(world)).all(axis=1).any()


def test_a_foreign_mark_is_written_as_its_numbers_say() -> None:
    """Where its numbers prefer one token everywhere, that token is written."""
    uniform = np.full(VOCABULARY**3, 0.5)
    uniform[7::VOCABULARY] = 1 - 1e-12
    mark = bench.Foreign(2, uniform)
    key = np.zeros(1, dtype=np.uint64)
    scores = mark.scores(key, np.array([[1, 2], [3, 4]]), np.array([7, 8]))
    assert scores[0] > 15 and math.isclose(scores[1], math.log(2), rel_tol=1e-6)
    texts = write(Teacher.of(1), 20, seed=1, mark=mark, key=key)
    assert (texts[:, 2:] == 7).mean() > 2 * (write(Teacher.of(1), 20, seed=1)[:, 2:] == 7).mean()


def test_students_answer_behind_an_address_by_their_names() -> None:
    """The same question has the same answer of one student, and another of another."""
    with bench.served({"a": Teacher.of(1), "b": Teacher.of(2)}) as base:

        def answer(model: str) -> str:
            body = {"model": model, "messages": [{"role": "user", "content": "Who are you?"}]}
            told = httpx.post(f"{base}/chat/completions", json=body, timeout=30).json()
            return str(told["choices"][0]["message"]["content"])

        assert answer("a") == answer("a") != answer("b") and len(answer("a").split()) == 48
