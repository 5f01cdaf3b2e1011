"""Reads the shared data folder: real prompts, conversations, benchmarks and recipes, as plain text.

Every file is material to send through the week, never something to follow. Nothing here draws at random.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Message = dict[str, Any]
csv.field_size_limit(1 << 26)


@dataclass(frozen=True)
class Dialogue:
    """A conversation as the real world had it: alternating turns, the assistant's included."""

    turns: tuple[Message, ...]
    tools: str | None = None
    key: str = ""
    """The same for every cut and variant of one dialogue."""


@dataclass(frozen=True)
class Sources:
    """All text the week is made of."""

    questions: list[str]
    """Single honest prompts of real people."""
    arena: list[str]
    dialogues: list[Dialogue]
    """Multi-turn conversations with real assistant turns."""
    tool_dialogues: list[Dialogue]
    personas: list[str]
    answers: list[str]
    """Real assistant turns, material for plausible completions."""
    gsm8k: list[tuple[str, str]]
    bbh: dict[str, list[tuple[str, str]]]
    humaneval: list[tuple[str, str]]
    mmlu: dict[str, str]
    truthfulqa: list[tuple[str, str]]
    neutrality: list[tuple[str, str]]
    xstest: list[str]
    harmbench: list[str]
    advbench: list[str]
    jailbreaks: list[str]
    reasoning_attacks: list[str]
    seeds: list[tuple[str, str, str]]
    alpaca: str
    easydistill_cot: str
    airoboros: list[str]


def _text(path: Path) -> str:
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes()).decode("utf-8")
    return path.read_text("utf-8")


def _lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in _text(path).split("\n") if line.strip()]


def _rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(_text(path).splitlines(keepends=True)))


def _yaml_strings(path: Path) -> list[str]:
    return [json.loads(s) for s in re.findall(r'^  - (".*")\s*$', _text(path), re.M)]


def _advbench(path: Path) -> list[str]:
    found = re.findall(r"^- value: (.*?)\n  data_type", _text(path), re.M | re.S)
    return [" ".join(value.strip("'\"").split()) for value in found]


def _hh(path: Path) -> list[Dialogue]:
    out: list[Dialogue] = []
    for i, row in enumerate(_lines(path)):
        for side in ("chosen", "rejected"):
            turns: list[Message] = []
            for part in re.split(r"\n\n(?=Human: |Assistant: )", row[side].strip()):
                who, _, what = part.partition(": ")
                role = "user" if who == "Human" else "assistant"
                if what.strip() and (not turns or turns[-1]["role"] != role):
                    turns.append({"role": role, "content": what.strip()})
            if len(turns) >= 2 and turns[0]["role"] == "user":
                out.append(Dialogue(tuple(turns), key=f"hh-{i}"))
    return out


def _oasst(path: Path) -> list[Dialogue]:
    out: list[Dialogue] = []
    for tree in _lines(path):
        turns: list[Message] = []
        node: dict[str, Any] | None = tree
        while node:
            role = "user" if node["role"] == "prompter" else "assistant"
            turns.append({"role": role, "content": node["text"]})
            node = max(node.get("replies") or [], key=lambda n: len(n.get("replies") or []), default=None)
        if len(turns) >= 2:
            out.append(Dialogue(tuple(turns), key=f"oasst-{len(out)}"))
    return out


def _glaive(path: Path) -> list[Dialogue]:
    out: list[Dialogue] = []
    for row in json.loads(_text(path)):
        turns: list[Message] = []
        for i, part in enumerate(row["conversations"]):
            if part["from"] == "function_call":
                call = json.loads(part["value"])
                function = {"name": call["name"], "arguments": json.dumps(call.get("arguments", {}))}
                turns.append(
                    {"role": "assistant", "content": part["value"], "call": f"call_{i}", "function": function}
                )
            elif part["from"] == "observation" and turns and "call" in turns[-1]:
                turns.append({"role": "tool", "tool_call_id": f"call_{i - 1}", "content": part["value"]})
            else:
                role = "user" if part["from"] == "human" else "assistant"
                turns.append({"role": role, "content": part["value"]})
        tools = json.loads(row["tools"]) if row["tools"] else []
        packed = json.dumps([{"type": "function", "function": t} for t in tools]) if tools else None
        out.append(Dialogue(tuple(turns), packed, f"glaive-{len(out)}"))
    return out


def load(shared: Path) -> Sources:
    """Everything under ``shared/data``, once."""
    data = shared / "data"
    benign, bench, bad = data / "prompts_benign", data / "benchmarks", data / "adversarial"
    recipes = data / "distill_recipes"
    arena = [r["prompt"] for r in _lines(benign / "arena_hard_v0.1_questions.jsonl")]
    turns = [r["turns"] for r in _lines(benign / "mt_bench_question.jsonl")]
    turns += [r["turns"] for r in _lines(benign / "vicuna_bench_question.jsonl")]
    user_tasks = _lines(benign / "self_instruct_user_oriented_252.jsonl")
    tasks = [f"{r['instruction']}\n\n{r['instances'][0]['input']}".strip() for r in user_tasks]
    questions = [*arena, *(t[0] for t in turns), *tasks]
    questions += _lines(benign / "oasst_prompt_lottery_250.jsonl")
    questions += _yaml_strings(bad / "reasoning_extraction" / "hard_negatives.yaml")
    two_turn = [
        Dialogue(tuple({"role": "user", "content": t} for t in ts), key=f"mt-{i}")
        for i, ts in enumerate(turns)
        if len(ts) > 1
    ]
    dialogues = _hh(benign / "hh_rlhf_harmless_base_test.jsonl.gz")
    dialogues += _oasst(benign / "oasst_en_100_message.jsonl")
    answers = [m["content"] for d in dialogues for m in d.turns if m["role"] == "assistant"]
    answers += [r["instances"][0]["output"] for r in user_tasks]
    prompts = _rows(benign / "awesome_chatgpt_prompts_2026-03-20.csv.gz")
    gsm = [(r["question"], r["answer"]) for r in _lines(bench / "gsm8k_test.jsonl")]
    bbh = {
        path.name.split(".")[0]: [(e["input"], e["target"]) for e in json.loads(_text(path))["examples"]]
        for path in sorted((bench / "bbh").glob("*.json.gz"))
    }
    seeds = _lines(recipes / "self_instruct_seed_tasks.jsonl")
    attacks = [p for p in sorted((bad / "reasoning_extraction").glob("*.yaml")) if "negatives" not in p.name]
    return Sources(
        questions=questions,
        arena=arena,
        dialogues=[*dialogues, *two_turn],
        tool_dialogues=_glaive(benign / "glaive_toolcall_en_demo.json"),
        personas=[r["prompt"] for r in prompts if r["type"] == "TEXT" and 80 < len(r["prompt"]) < 2400],
        answers=[a for a in answers if 60 < len(a) < 900],
        gsm8k=gsm,
        bbh=bbh,
        humaneval=[(r["prompt"], r["canonical_solution"]) for r in _lines(bench / "HumanEval.jsonl.gz")],
        mmlu=json.loads(_text(bench / "mmlu_cot_fewshot.json")),
        truthfulqa=[(r["Question"], r["Best Answer"]) for r in _rows(bench / "truthfulqa.csv")],
        neutrality=[(r["prompt_a"], r["prompt_b"]) for r in _rows(bench / "political_neutrality_pairs.csv")],
        xstest=[r["prompt"] for r in _rows(bad / "xstest_prompts.csv")],
        harmbench=[r["Behavior"] for r in _rows(bad / "harmbench_behaviors_text_all.csv")],
        advbench=_advbench(bad / "advbench_520.prompt.yaml"),
        jailbreaks=[t for t in json.loads(_text(bad / "inthewild_jailbreak_666.json.gz")) if len(t) < 4000],
        reasoning_attacks=[s for p in attacks for s in _yaml_strings(p)],
        seeds=[(r["instruction"], r["instances"][0]["input"], r["instances"][0]["output"]) for r in seeds],
        alpaca=_text(recipes / "alpaca_prompt.txt"),
        easydistill_cot=_text(recipes / "easydistill" / "cot_generation_prompt.txt"),
        airoboros=[_text(p) for p in sorted((recipes / "airoboros").glob("*.txt"))],
    )
