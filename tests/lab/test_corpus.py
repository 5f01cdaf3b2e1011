"""Worlds that speak with other people's text: the layout, its limits, and what is left of the grammars."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest

from stillwatch.errors import ConfigError, SourceError
from stillwatch.lab import generate
from stillwatch.lab.corpus import Item, corpus_of, load_corpus, save_corpus
from stillwatch.lab.corpus_public import main, read_public
from stillwatch.lab.scenario import CampaignSpec, LookAlike
from stillwatch.lab.text.borrowed import renumber
from stillwatch.lab.text.instructions import GENERATE, RUBRIC, SOLVE, THINK, reworded
from tests.lab.conftest import Written, scenario

WORDS = (
    "amber brisk cedar dune ember fjord grove heron inlet juniper kelp lichen moss nettle orchid pine".split()
)


def _items() -> list[Item]:
    """A made-up corpus: every sentence starts with a word no grammar of ours has."""
    rng = np.random.default_rng(4)

    def said(number: int) -> str:
        words = " ".join(WORDS[int(i)] for i in rng.integers(0, len(WORDS), 9))
        return f"Zyx {words} {int(rng.integers(10, 99))} item {number}."

    items = [Item("question", said(i), ("", "math", "code", "reasoning")[i % 4]) for i in range(400)]
    items += [Item("answer", said(i), ("", "math", "code")[i % 3]) for i in range(300)]
    items += [Item("document", f"{said(i)} {said(i + 1)}") for i in range(60)]
    items += [Item(role, said(i)) for role in ("system", "instruction", "conversation") for i in range(60)]
    for kind in ("reasoning", "generation", "grading", "rewrite"):
        items += [
            Item(
                "recipe",
                f"Zyx {kind} recipe {i}: ponder. Then proceed. Take this:\n{{problem}}\nMark it <q>.",
                kind,
            )
            for i in range(3)
        ]
    return items


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus on disk."""
    place = tmp_path_factory.mktemp("corpus")
    save_corpus(_items(), place / "all.jsonl")
    return place


@pytest.fixture(scope="module")
def spoken(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """A world with campaigns and asking look-alikes in the corpus's words."""
    out = tmp_path_factory.mktemp("world")
    campaigns = tuple(
        CampaignSpec(variant=v, accounts=12, exchanges_per_account=30, level=n, extraction_share=0.8)
        for v, n in (("cot_math", 0), ("rubric_grading", 0), ("task_generation", 4), ("agentic", 1))
    )
    honest = {n: LookAlike(2, (2, 3), (20, 30)) for n in ("llm_judge", "eval_harness", "synthetic_own_docs")}
    made = scenario(ordinary=200, honest=honest, campaigns=campaigns)
    generate(made, seed=3, out=out, corpus=folder)
    return Written(out)


def test_campaigns_send_the_corpus_recipes_and_no_wording_of_ours(spoken: Written) -> None:
    """Every extraction prompt or its system prompt holds a recipe; no ask of the grammars is left."""
    sql = "select prompt, coalesce(system_prompt, '') from x join marks using (exchange_id) where extraction"
    rows = spoken.rows(f"{sql} and coalesce(turn, 0) = 0")
    assert len(rows) > 300
    texts = [f"{system} {prompt}" for prompt, system in rows]
    # Teachers answer the plain problem that a grader quotes later: they need no ask.
    asked = [t for t in texts if "recipe" in t]
    assert len(asked) > 0.6 * len(texts)
    ours = [ask.split("#")[0] for pool in (THINK, SOLVE, RUBRIC, GENERATE) for ask in pool]
    assert not [t for t in texts if any(ask in t for ask in ours if len(ask) > 12)]


def test_honest_people_ask_in_the_same_words(spoken: Written) -> None:
    """Look-alikes that grade, evaluate and generate use the same recipes as campaigns."""
    for name in ("llm_judge", "eval_harness", "synthetic_own_docs"):
        share = spoken.one(
            "select avg(contains(prompt, 'recipe')::int) from x join truth using (account_id)"
            f" where class = '{name}' and coalesce(turn, 0) = 0"
        )
        assert share == 1.0, name


def test_payloads_of_a_campaign_stay_distinct(spoken: Written) -> None:
    """Few texts make many payloads: no extraction prompt is answered twice."""
    sql = "select count(*), count(distinct prompt) from x join marks using (exchange_id) join truth using (account_id)"
    total, distinct = spoken.rows(f"{sql} where extraction and status = 200 and turn is null")[0]
    assert distinct >= 0.97 * total


def test_english_prompts_and_answers_come_from_the_corpus(spoken: Written) -> None:
    """Latin-script prompts of ordinary accounts hold borrowed text; so do most answers."""
    prompts, answers = spoken.rows(
        "select avg(contains(prompt, 'Zyx')::int), avg(contains(completion, 'Zyx')::int)"
        " from x join truth using (account_id) where class = 'ordinary' and status = 200"
    )[0]
    assert prompts > 0.5
    assert answers > 0.5


def test_the_world_names_its_corpus(spoken: Written, folder: Path) -> None:
    """The digest in ``world.json`` is the corpus's."""
    about = json.loads((spoken.folder / "world.json").read_text())
    assert about["corpus_digest"] == load_corpus(folder).digest


def test_the_layout_reads_all_its_forms(tmp_path: Path) -> None:
    """Lines, whole files, CSV, packed JSONL and conversations; other files are left alone."""
    (tmp_path / "question.txt").write_text("".join(f"Question {i}?\n" for i in range(60)))
    (tmp_path / "recipe-one.txt").write_text("Do this:\n\n{problem}")
    (tmp_path / "more.csv").write_text("role,kind,text\nanswer,math,It is 4.\n")
    rows = [{"role": "answer", "text": f"Answer {i}."} for i in range(20)]
    rows.append({"role": "conversation", "turns": ["First?", "Then?"]})  # type: ignore[dict-item]
    with gzip.open(tmp_path / "packed.jsonl.gz", "wt") as out:
        out.write("".join(json.dumps(r) + "\n" for r in rows))
    (tmp_path / "README.md").write_text("not read")
    found = load_corpus(tmp_path)
    assert len(found.pool("question")) == 61
    assert found.pool("recipe") == ("Do this:\n\n{problem}",)
    assert found.pool("answer", "math") == ("It is 4.",)
    assert found.pool("conversation") == ("Then?",)
    assert len(found.pool("answer", "poetry")) == 21


@pytest.mark.parametrize("row", ['{"role": "poem", "text": "a"}', "{", '{"role": "answer"}'])
def test_rows_outside_the_layout_are_refused_with_their_line(tmp_path: Path, row: str) -> None:
    """The error names file and line."""
    (tmp_path / "bad.jsonl").write_text('{"role": "answer", "text": "fine"}\n' + row + "\n")
    with pytest.raises(SourceError, match=r"bad\.jsonl:2"):
        load_corpus(tmp_path)


def test_a_corpus_too_small_or_missing_is_refused(tmp_path: Path) -> None:
    """A world of three questions would be a world of repeats."""
    with pytest.raises(ConfigError, match="question"):
        corpus_of([Item("question", "Why?")])
    with pytest.raises(ConfigError, match="no corpus folder"):
        load_corpus(tmp_path / "nowhere")


def test_known_public_files_are_read_by_name(tmp_path: Path) -> None:
    """Names decide, wherever the file stands; an unknown file is left alone."""
    place = tmp_path / "benchmarks"
    (place / "easydistill").mkdir(parents=True)
    (place / "gsm8k_test.jsonl").write_text('{"question": "2+2?", "answer": "It is <<2+2=4>>4."}\n')
    (place / "easydistill" / "cot_generation_prompt.txt").write_text("Think. {problem}")
    (place / "unknown.jsonl").write_text('{"x": 1}\n')
    found = list(read_public(tmp_path))
    assert Item("question", "2+2?", "math") in found
    assert Item("answer", "It is 4.", "math") in found
    assert Item("recipe", "Think. {problem}", "reasoning") in found
    assert len(found) == 3


def test_numbers_change_and_years_and_words_stay() -> None:
    """Same seed, same text; other seed, other numbers of the same length."""
    text = "In 1987 she sold 16 eggs v2 for 250 a dozen."
    assert renumber(text, 1) == renumber(text, 1) != renumber(text, 2)
    assert renumber(text, 1).startswith("In 1987 she sold ")
    assert "v2" in renumber(text, 1)
    assert len(renumber(text, 1)) == len(text)


def test_rewording_keeps_the_last_sentence() -> None:
    """The sentence that introduces the payload stays in its place."""
    found = reworded(np.random.default_rng(1), "Think it over. Be thorough. Take the case below:", 50)
    assert len(set(found)) > 10
    assert all("case below:" in text for text in found)


ROW = b'{"role": "question", "text": "Why?"}\n'


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (b"latin.jsonl", b'{"role": "question", "text": "caf\xe9"}\n'),
        (b"cut.jsonl.gz", gzip.compress(ROW * 500)[:-20]),
        (b"no.jsonl.gz", b"not packed"),
        (b"half.jsonl", b'{"role": "question", "text": "\\ud800"}\n'),
        (b"deep.jsonl", b"[" * 200_000 + b"\n"),
        (b"question-\x1b[31mred.txt", b"\xff"),
        (b"question-\xff\n.txt", b"\xff"),
    ],
)
def test_damaged_files_and_hostile_names_are_one_clean_error(
    tmp_path: Path, name: bytes, content: bytes
) -> None:
    """The message names the file, holds no control character, and can be printed."""
    (tmp_path / os.fsdecode(name)).write_bytes(content)
    with pytest.raises(SourceError) as caught:
        load_corpus(tmp_path)
    said = str(caught.value)
    assert said.split(".")[0].split("-")[0] in ("latin", "cut", "no", "half", "deep", "question")
    assert said.isprintable()
    assert said.encode()


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    """A corpus folder gives its own files and nobody else's."""
    (tmp_path / "secret.txt").write_text("mine")
    inside = tmp_path / "corpus"
    inside.mkdir()
    (inside / "question.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(SourceError, match="leads out"):
        load_corpus(inside)


def test_a_public_file_of_another_shape_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its name promises a field that is not there: exit status 2, the file named; so for missing folders."""
    (tmp_path / "gsm8k_test.jsonl").write_text('{"frage": "2+2?"}\n')
    assert main([str(tmp_path), str(tmp_path / "out")]) == 2
    assert "gsm8k_test.jsonl" in capsys.readouterr().err
    assert not list((tmp_path / "out").iterdir())
    assert main([str(tmp_path / "none"), str(tmp_path / "out")]) == 2
