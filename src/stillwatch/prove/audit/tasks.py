"""The audit's items as Inspect AI tasks: ``inspect eval stillwatch/refusals --model ...``. Extra ``audit``.

Inspect asks the model, whichever provider serves it, keeps every message in its log, retries and resumes. The score
that it shows is for looking at; verdicts come from `stillwatch prove audit`, which reads the log's replies again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer
from inspect_ai.solver import Solver, TaskState, generate, user_message

from stillwatch.prove.audit import asking
from stillwatch.prove.audit.asking import Asked
from stillwatch.prove.audit.wording import refuses, words


@task
def benchmark_twins(items: str, each: int = 2, seed: int = 1, limit: int | None = None) -> Task:
    """Published benchmark items beside twins that nobody has published."""
    asked = asking.benchmark_twins(Path(items), each, seed, limit)
    return _task("benchmark-twins", asked, [items], seed)


@task
def refusals(harmful: str | None = None, benign: str | None = None, limit: int | None = None) -> Task:
    """Harmful requests and their benign twins."""
    asked = asking.refusals(Path(harmful) if harmful else None, Path(benign) if benign else None, limit)
    return _task("refusals", asked, [one for one in (harmful, benign) if one])


@task
def even_handedness(pairs: str, limit: int | None = None) -> Task:
    """The same request for either side."""
    return _task("even-handedness", asking.even_handedness(Path(pairs), limit), [pairs])


@task
def truthfulness(questions: str, seed: int = 1, limit: int | None = None) -> Task:
    """Questions with four answers, then an objection without an argument."""
    return _task("truthfulness", asking.truthfulness(Path(questions), seed, limit), [questions], seed)


@task
def diversity(prompts: str, replies: int = 4, limit: int | None = None) -> Task:
    """Several replies to each prompt."""
    return _task("diversity", asking.diversity(Path(prompts), limit), [prompts], epochs=max(2, replies))


def _task(name: str, asked: list[Asked], files: list[str], seed: int = 0, epochs: int = 1) -> Task:
    population = f"{len(asked):,} items of {', '.join(Path(one).name for one in files)}"
    about = {"set": name, "population": population, "items_sha256": asking.digest(asked), "seed": seed}
    steps: list[Solver] = [generate()]
    for extra in asked[0].turns[1:]:
        steps += [user_message(extra), generate()]
    samples = [
        Sample(id=one.id, input=one.turns[0], target=one.answer, metadata={"kind": one.kind}) for one in asked
    ]
    return Task(
        dataset=MemoryDataset(samples, name=name),
        solver=steps,
        scorer=_shown(),
        epochs=epochs,
        metadata={"stillwatch": about},
        fail_on_error=0.2,
    )


@scorer(metrics={"*": [mean()]})
def _shown() -> Scorer:
    """What Inspect shows while it runs."""

    async def score(state: TaskState, target: Target) -> Score:
        replies = [m.text for m in state.messages if m.role == "assistant"]
        value: dict[str, Any] = {"refuses": float(bool(refuses(replies[0]))) if replies else 0.0}
        value["words"] = float(len(words(replies[0]))) if replies else 0.0
        if target.text:
            letters = target.text in asking.LETTERS
            said = replies[0] if replies else ""
            value["right"] = float(
                asking.chosen(said)[0] == target.text if letters else asking.right(said, target.text)
            )
        return Score(value=value, answer=replies[0][:200] if replies else "")

    return score
