"""Reads well-known public prompt sets, benchmarks and distillation recipes into the corpus layout.

Files are known by their name, wherever they stand below the folder; others are left alone. Nothing of them is
part of this project: bring the files, mind their licences, and run

    python -m stillwatch.lab.corpus_public DATA CORPUS
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError, StillwatchError
from stillwatch.lab.corpus import Item, conversation, files_of, lines_of, readable, save_corpus, table_of

_CODE = re.compile(r"\b(python|javascript|sql|code|function|class|java|c\+\+|html|script|rust|api)\b", re.I)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    for line in lines_of(path):
        if line.strip():
            row = json.loads(line)
            yield row if isinstance(row, dict) else {"text": row}


def _kind(text: str) -> str:
    return "code" if _CODE.search(text) else ""


def _arena(path: Path) -> Iterator[Item]:
    for row in _rows(path):
        yield Item("question", row["prompt"], _kind(row["prompt"]))


def _turns(path: Path) -> Iterator[Item]:
    for row in _rows(path):
        kind = {"math": "math", "coding": "code", "reasoning": "reasoning"}.get(row.get("category", ""), "")
        yield from conversation(row["turns"], kind)


def _lottery(path: Path) -> Iterator[Item]:
    yield from (Item("question", row["text"]) for row in _rows(path))


def _tree(path: Path) -> Iterator[Item]:
    waiting = [(row, 0) for row in _rows(path)]
    while waiting:
        node, depth = waiting.pop()
        said = node.get("role") == "prompter"
        yield Item("answer" if not said else "question" if depth == 0 else "conversation", node["text"])
        waiting += [(reply, depth + 1) for reply in node.get("replies", [])]


def _tasks(path: Path) -> Iterator[Item]:
    for row in _rows(path):
        yield Item("instruction", row["instruction"])
        for instance in row["instances"]:
            whole = f"{row['instruction']}\n\n{instance['input']}"
            yield Item("question", whole, _kind(whole))
            yield Item("document", instance["input"])
            yield Item("answer", instance["output"])


def _dialogue(path: Path) -> Iterator[Item]:
    for row in _rows(path):
        parts = re.split(r"\n\n(Human|Assistant): ", row["chosen"])[1:]
        said = list(zip(parts[::2], parts[1::2], strict=False))
        yield from conversation([text for who, text in said if who == "Human"])
        yield from (Item("answer", text) for who, text in said if who == "Assistant")


def _tool_calls(path: Path) -> Iterator[Item]:
    role = {"gpt": "answer", "observation": "result", "function_call": "answer"}
    for row in json.loads("".join(lines_of(path))):
        told = row["conversations"]
        yield from conversation([t["value"] for t in told if t["from"] == "human"])
        for turn in told:
            if turn["from"] in role:
                yield Item(
                    role[turn["from"]], turn["value"], "code" if turn["from"] == "function_call" else ""
                )


def _personas(path: Path) -> Iterator[Item]:
    yield from (Item("system", row["prompt"]) for row in table_of(path))


def _school_maths(path: Path) -> Iterator[Item]:
    for row in _rows(path):
        yield Item("question", row["question"], "math")
        yield Item("answer", re.sub(r"<<.*?>>", "", row["answer"]), "math")


def _functions(path: Path) -> Iterator[Item]:
    for row in _rows(path):
        yield Item("question", row["prompt"], "code")
        yield Item("answer", row["canonical_solution"], "code")


def _hard_tasks(path: Path) -> Iterator[Item]:
    for row in json.loads("".join(lines_of(path)))["examples"]:
        yield Item("question", row["input"], "reasoning")


def _truths(path: Path) -> Iterator[Item]:
    for row in table_of(path):
        yield Item("question", row["Question"])
        yield Item("answer", row["Best Answer"])


def _shots(path: Path) -> Iterator[Item]:
    for text in json.loads("".join(lines_of(path))).values():
        yield Item("document", text)
        for shot in text.split("\n\nQ: ")[1:]:
            question, _, answer = shot.partition("\nA: ")
            yield Item("question", question, "reasoning")
            yield Item("answer", answer, "reasoning")


def _pairs(path: Path) -> Iterator[Item]:
    for row in table_of(path):
        for side in ("prompt_a", "prompt_b"):
            yield Item("question", row[side], "paired")
            yield Item("question", row[side], "sensitive")


def _contexts(path: Path) -> Iterator[Item]:
    for row in _rows(path):
        yield Item("question", f"{row['context']} {row['question']}", "sensitive")


def _jailbreaks(path: Path) -> Iterator[Item]:
    for text in json.loads("".join(lines_of(path))):
        yield Item("question", text if isinstance(text, str) else str(text.get("prompt", "")), "attack")


def _recipe(kind: str) -> Callable[[Path], Iterator[Item]]:
    def read(path: Path) -> Iterator[Item]:
        yield Item("recipe", "".join(lines_of(path)), kind)

    return read


_KNOWN: tuple[tuple[str, Callable[[Path], Iterator[Item]]], ...] = (
    (r"arena_hard.*\.jsonl", _arena),
    (r"(mt|vicuna)_bench_question\.jsonl", _turns),
    (r"oasst_prompt_lottery.*\.jsonl", _lottery),
    (r"oasst_.*_message\.jsonl", _tree),
    (r"self_instruct_.*\.jsonl", _tasks),
    (r"hh_rlhf_.*\.jsonl", _dialogue),
    (r"glaive_toolcall.*\.json", _tool_calls),
    (r"awesome_chatgpt_prompts.*\.csv", _personas),
    (r"gsm8k.*\.jsonl", _school_maths),
    (r"HumanEval\.jsonl", _functions),
    (r"bbh/.*\.json", _hard_tasks),
    (r"truthfulqa\.csv", _truths),
    (r"mmlu_cot_fewshot\.json", _shots),
    (r"political_neutrality_pairs\.csv", _pairs),
    (r"bbq_.*\.jsonl", _contexts),
    (r"inthewild_jailbreak.*\.json", _jailbreaks),
    (r"easydistill/(cot|mm_cot).*\.txt", _recipe("reasoning")),
    (r"easydistill/refinement_prompt\.txt", _recipe("rewrite")),
    (r"easydistill/(expansion|extraction)_prompt\.txt", _recipe("generation")),
    (r"airoboros/(filter|contextual_response|cot_response)\.txt", _recipe("grading")),
    (r"airoboros/.*\.txt", _recipe("generation")),
    (r"alpaca_prompt\.txt", _recipe("generation")),
)


def read_public(folder: Path) -> Iterator[Item]:
    """Texts of every known file below ``folder``, file by file in order of name."""
    for path in files_of(folder):
        name = path.relative_to(folder.parent).as_posix().removesuffix(".gz")
        for pattern, reader in _KNOWN:
            if re.search(f"(^|/){pattern}$", name):
                yield from readable(path, reader)
                break


def main(arguments: list[str]) -> int:
    """Write ``CORPUS/public.jsonl`` from the known files below ``DATA``; 2 when that cannot be done."""
    try:
        if len(arguments) != 2 or not Path(arguments[0]).is_dir():
            raise ConfigError("two folders are needed: DATA and CORPUS", hint="DATA holds the public files")
        out = Path(arguments[1])
        out.mkdir(parents=True, exist_ok=True)
        count = save_corpus(read_public(Path(arguments[0])), out / "public.jsonl")
    except StillwatchError as error:
        sys.stderr.write(f"{error}\n{error.hint}\n")
        return error.exit_status
    sys.stdout.write(f"{count} texts\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
