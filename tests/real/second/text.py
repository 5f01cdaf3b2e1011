"""The second week's share of the text: what the first week did not send, or sends differently.

Most public sets are small and the first week used them up. So this week takes other branches of the same
conversations, other columns of the same benchmarks, prompts too long or too rare for the first week, and turns
benchmark items round (code to review, solutions to check). Every string is material to send, never to follow.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..sources import Dialogue, Message, Sources, _lines, _rows, _text
from ..sources import load as load_common

FAMOUS = 150
"""Personas the first week's strangers share; this week leaves them out."""


@dataclass(frozen=True)
class Text:
    """All text of the second week."""

    common: Sources
    """The first week's reading, with this week's answers and dialogues in place of its own."""
    questions: list[str]
    dialogues: list[Dialogue]
    tool_dialogues: list[Dialogue]
    personas: list[str]
    roles: list[str]
    """Names of personas: who somebody could be, in a few words."""
    documents: list[str]
    """Longer real texts, to be summarised, translated, sorted."""
    code: list[tuple[str, str]]
    religion: list[str]
    """BBQ items with their three options."""
    truthful: list[str]
    """TruthfulQA as multiple choice, from the columns of correct and incorrect answers."""
    bbh: dict[str, list[tuple[str, str]]]
    mmlu: list[tuple[str, str]]
    neutrality: list[tuple[str, str]]
    long_jailbreaks: list[str]
    contextual_harm: list[str]
    expansion: str
    refinement: str
    extraction: str
    longer: str
    shorter: str


def _branches(node: dict[str, Any]) -> list[list[Message]]:
    role = "user" if node["role"] == "prompter" else "assistant"
    here: list[Message] = [{"role": role, "content": node["text"]}]
    replies = node.get("replies") or []
    return [[*here, *rest] for reply in replies for rest in _branches(reply)] or [here]


def _oasst(path: Path, seen: set[str]) -> list[Dialogue]:
    """Branches whose last answer the first week's reading does not hold."""
    out: list[Dialogue] = []
    for i, tree in enumerate(_lines(path)):
        for branch in _branches(tree):
            turns = branch if branch[-1]["role"] == "assistant" else branch[:-1]
            if len(turns) >= 2 and turns[-1]["content"] not in seen:
                out.append(Dialogue(tuple(turns), key=f"oasst-other-{i}-{len(out)}"))
    return out


def _later_turns(dialogues: list[Dialogue]) -> list[str]:
    """What people said later in a conversation, as openings of their own."""
    found = {
        turn["content"]
        for d in dialogues
        if d.key.startswith("hh")
        for turn in d.turns[2:]
        if turn["role"] == "user" and 30 < len(turn["content"]) < 600
    }
    return sorted(found)


def _choice(rnd: random.Random, row: dict[str, str]) -> str:
    right, wrong = row["Correct Answers"].split(";"), row["Incorrect Answers"].split(";")
    options = [rnd.choice(right).strip(), *(w.strip() for w in rnd.sample(wrong, min(3, len(wrong))))]
    rnd.shuffle(options)
    listed = "\n".join(f"({'ABCD'[i]}) {option}" for i, option in enumerate(options))
    return f"[{row['Category']}] {row['Question']}\n{listed}\nReply with one letter."


def _mmlu(shots: dict[str, str]) -> list[tuple[str, str]]:
    """Single questions out of the worked examples."""
    out = []
    for subject in sorted(shots):
        for part in shots[subject].split("\n\nQ: ")[1:]:
            question, _, answer = part.partition("\nA: ")
            out.append((f"Subject: {subject.replace('_', ' ')}\n{question}\nThe correct option is", answer))
    return out


def load(shared: Path) -> Text:
    """The second week's text under ``shared/data``."""
    data = shared / "data"
    benign, bench, bad = data / "prompts_benign", data / "benchmarks", data / "adversarial"
    recipes = data / "distill_recipes" / "easydistill"
    common = load_common(shared)
    rnd = random.Random("second text")
    prompts = _rows(benign / "awesome_chatgpt_prompts_2026-03-20.csv.gz")
    short = common.personas[FAMOUS:]
    odd = {r["prompt"] for r in prompts if r["type"] != "IMAGE" and 80 < len(r["prompt"]) < 6000}
    rest = sorted(odd - set(common.personas))
    seen = {t["content"] for d in common.dialogues if d.key.startswith("oasst") for t in d.turns}
    other = _oasst(benign / "oasst_en_100_message.jsonl", seen)
    talks = [d for d in common.dialogues if d.key.startswith("hh") and len(d.turns) >= 4]
    cut = [Dialogue(d.turns[2:], key=f"{d.key}-later") for d in talks if d.turns[2]["role"] == "user"]
    two_turn = [d for d in common.dialogues if d.key.startswith("mt-")]
    branch_turns = [t["content"] for d in other for t in d.turns if t["role"] == "user"]
    answers = [t["content"] for d in [*other, *cut] for t in d.turns if t["role"] == "assistant"]
    answers = [a for a in answers if 50 < len(a) < 1400]
    calls = [d for d in common.tool_dialogues if d.tools]
    code = [(p, s) for p, s in common.humaneval]
    harm = _rows(bad / "harmbench_behaviors_text_all.csv")
    jailbreaks = json.loads(_text(bad / "inthewild_jailbreak_666.json.gz"))
    return Text(
        common=replace(common, answers=answers),
        # the first week sent the later turns inside conversations, so they get the smaller share
        questions=[
            *_later_turns(common.dialogues),
            *(sorted(set(branch_turns)) + rest[::3] + short[::2]) * 4,
        ],
        dialogues=[*other * 3, *cut, *two_turn],
        tool_dialogues=calls,
        personas=[*reversed(short[1::2]), *rest[1::3]],
        roles=sorted({r["act"] for r in prompts if r["type"] == "TEXT" and 8 < len(r["act"]) < 60}),
        documents=[*(a for a in answers if len(a) > 250), *rest[2::3], *(s for s in short if len(s) > 900)],
        code=code,
        religion=[
            f"{r['context']}\n{r['question']}\nA. {r['ans0']}\nB. {r['ans1']}\nC. {r['ans2']}"
            for r in _lines(bench / "bbq_Religion.jsonl.gz")
        ],
        truthful=[_choice(rnd, r) for r in _rows(bench / "truthfulqa.csv")],
        bbh={task: items[3:] for task, items in common.bbh.items()},
        mmlu=_mmlu(common.mmlu),
        neutrality=common.neutrality[1::2],
        long_jailbreaks=[t for t in jailbreaks if len(t) >= 2500],
        contextual_harm=[f"{r['ContextString']}\n\n{r['Behavior']}".strip() for r in harm],
        expansion=_text(recipes / "expansion_prompt.txt"),
        refinement=_text(recipes / "refinement_prompt.txt"),
        extraction=_text(recipes / "extraction_prompt.txt"),
        longer=_text(recipes / "cot_short2long_prompt.txt"),
        shorter=_text(recipes / "cot_long2short_prompt.txt"),
    )


def renumber(rnd: random.Random, problem: str) -> str:
    """A sum with other numbers, as distillers multiply their problems; the answer is no longer known."""

    def other(match: re.Match[str]) -> str:
        value = int(match.group())
        return str(max(2, value + rnd.randrange(1, 4 + value // 2)))

    return re.sub(r"(?<![\d.,])\d{1,3}(?![\d.,])", other, problem)


def fragment(rnd: random.Random, code: tuple[str, str]) -> str:
    """A few consecutive lines of a program."""
    lines = "".join(code).split("\n")
    size = min(len(lines), rnd.randrange(4, 15))
    first = rnd.randrange(0, len(lines) - size + 1)
    return "\n".join(lines[first : first + size])
