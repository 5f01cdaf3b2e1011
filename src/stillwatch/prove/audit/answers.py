"""Replies read from logs and put into results: the audit's other half, which asks nobody.

Read are logs of `stillwatch.prove.audit.tasks` (Inspect AI: ``.json`` as they are, ``.eval`` where ``inspect_ai`` is
installed) and the samples that ``lm-eval --log_samples`` writes, where a task's name ends in ``_twin1``, ``_twin2`` and
so on for twins of the task without. Logs are files that others may have written: bounded, checked, and never run.

*Looks alike*: a log of another prompt, system prompt or temperature than the reference's; the settings that the two
logs state are compared, and a difference is a note on every result.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError

LARGEST = 1024 * 1024 * 1024
TWIN = re.compile(r"^samples_(?P<task>.+?)(?:_twin(?P<twin>\d+))?_\d{4}-\d\d-\d\dT[\d.:-]+\.jsonl$")
GENERATION = ("temperature", "top_p", "top_k", "max_tokens", "system_message", "frequency_penalty")


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model said to one item, turn by turn; empty where it failed."""

    item: str
    kind: str
    epoch: int
    said: tuple[str, ...]
    answer: str = ""
    request: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    """One model's replies to one set of items."""

    set: str
    model: str
    population: str
    items_sha256: str
    seed: int
    replies: tuple[Reply, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    file: str = ""
    sha256: str = ""
    failed: int = 0
    scores: Mapping[tuple[str, int], float] = field(default_factory=dict)
    """Of lm-eval: (document, 0 for published or the twin's number) to score; empty for Inspect."""


def read_logs(folder: Path) -> list[Log]:
    """Every log in a folder, or the one file named.

    Raises:
        ConfigError: no log, one of another tool, or two of one set.
    """
    paths = sorted(p for p in folder.iterdir() if p.is_file()) if folder.is_dir() else [folder]
    logs = [log for p in paths if p.suffix in (".json", ".eval") for log in [_inspect(p)] if log]
    logs += _lm_eval([p for p in paths if TWIN.match(p.name)])
    if not logs:
        raise ConfigError(
            f"{folder} holds no log of an audit",
            hint="run `inspect eval stillwatch/refusals --log-dir FOLDER ...` first; docs/audit.md shows how",
        )
    seen: dict[str, str] = {}
    for log in logs:
        if log.set in seen:
            raise ConfigError(
                f"{folder} holds two logs of {log.set}: {seen[log.set]} and {log.file}",
                hint="keep the one that is meant; an audit that picks is none",
            )
        seen[log.set] = log.file
    asked = {log.model for log in logs if not log.scores}
    if len(asked) > 1:
        names = ", ".join(sorted(asked))
        raise ConfigError(f"{folder} holds logs of several models: {names}", hint="one folder a model")
    return logs


def pair(suspect: Log, reference: Log) -> list[tuple[Reply, Reply]]:
    """Replies of both to the same items, in order.

    Raises:
        ConfigError: they were asked different items.
    """
    if suspect.items_sha256 != reference.items_sha256:
        raise ConfigError(
            f"{suspect.set}: suspect and reference were asked different items",
            hint="the same files, seed and limit for both",
        )
    theirs = {(one.item, one.epoch): one for one in reference.replies}
    ours = {(one.item, one.epoch): one for one in suspect.replies}
    return [(ours[key], theirs[key]) for key in sorted(ours.keys() & theirs.keys(), key=_in_order)]


def differences(suspect: Log, reference: Log) -> list[str]:
    """Settings of sampling that the two logs state differently."""
    return [
        f"{name}: {suspect.settings.get(name)!r} for the suspect, {reference.settings.get(name)!r} for the reference"
        for name in GENERATION
        if suspect.settings.get(name) != reference.settings.get(name)
    ]


def _in_order(key: tuple[str, int]) -> tuple[tuple[tuple[int, str], ...], int]:
    parts = tuple((int(p), "") if p.isdigit() else (-1, p) for p in key[0].split("."))
    return parts, key[1]


def _inspect(path: Path) -> Log | None:
    if path.stat().st_size > LARGEST:
        raise ConfigError(f"{path} is larger than 1 GiB", hint="audit fewer items at a time")
    raw = _eval_file(path) if path.suffix == ".eval" else _loaded(path)
    head = raw.get("eval") if isinstance(raw, dict) else None
    about = (head.get("metadata") or {}).get("stillwatch") if isinstance(head, dict) else None
    if not isinstance(head, dict) or not isinstance(about, dict):
        return None
    try:
        samples = raw.get("samples") or []
        replies = tuple(_reply(one) for one in samples)
        return Log(
            set=str(about["set"]), model=str(head["model"]), population=str(about["population"]),
            items_sha256=str(about["items_sha256"]), seed=int(about["seed"]), replies=replies,
            settings=dict(head.get("model_generate_config") or {}), file=path.name, sha256=_sha256(path),
            failed=sum(not one.said for one in replies),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(
            f"{path} is not a whole log of an audit", hint="write it again with `inspect log convert`"
        ) from error


def _reply(sample: Mapping[str, Any]) -> Reply:
    said = tuple(_words(m.get("content")) for m in sample["messages"] if m.get("role") == "assistant")
    kind = str(sample.get("metadata", {}).get("kind", ""))
    if sample.get("error"):
        said = ()
    target = sample.get("target", "")
    asked = _words(sample["input"]) if not isinstance(sample["input"], list) else ""
    return Reply(str(sample["id"]), kind, int(sample["epoch"]), said, str(target), asked)


def _words(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(str(p.get("text", "")) for p in parts if isinstance(p, dict) and p.get("type") == "text")


def _eval_file(path: Path) -> Any:
    try:
        from inspect_ai.log import read_eval_log
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{path.name} is in Inspect's own format",
            hint="pip install 'stillwatch[audit]', or `inspect log convert`",
        ) from error
    try:
        return read_eval_log(str(path)).model_dump(mode="json")
    except Exception as error:
        raise ConfigError(f"{path} is no log of Inspect", hint="name a log that Inspect wrote") from error


def _loaded(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not JSON", hint="name logs written with --log-format json") from error


def _lm_eval(paths: Sequence[Path]) -> list[Log]:
    """One log for each task of lm-eval whose twins are there."""
    found: dict[str, dict[tuple[str, int], float]] = {}
    asked: dict[str, dict[tuple[str, int], str]] = {}
    digests: dict[str, list[str]] = {}
    models: dict[str, Path] = {}
    runs: dict[tuple[str, int], Path] = {}
    for path in paths:
        name = TWIN.match(path.name)
        if name is None:
            continue
        task, twin = name["task"], int(name["twin"] or 0)
        if (task, twin) in runs:
            raise ConfigError(
                f"{path.parent} holds two runs of {task}{f'_twin{twin}' if twin else ''}",
                hint="keep the one that is meant; an audit that picks is none",
            )
        runs[task, twin] = models[task] = path
        digests.setdefault(task, []).append(_sha256(path))
        scores, said = found.setdefault(task, {}), asked.setdefault(task, {})
        for line in _lines(path):
            document, score, content = _scored(line, path)
            if (document, twin) in scores:
                raise ConfigError(f"{path} holds a document twice", hint="one score for each document")
            scores[document, twin], said[document, twin] = score, content
    return [
        Log(
            set=f"benchmark-twins:{task}", model=models[task].parent.name, population=f"{task} of lm-eval",
            items_sha256=_asked(task, asked[task]), seed=1, replies=(), file=models[task].name,
            sha256=",".join(sorted(digests[task])), scores=scores,
        )
        for task, scores in sorted(found.items())
        if any(twin for _, twin in scores)
    ]  # fmt: skip


def _lines(path: Path) -> Iterator[bytes]:
    """Lines as JSON Lines has them: other separators are characters of a reply."""
    if path.stat().st_size > LARGEST:
        raise ConfigError(f"{path} is larger than 1 GiB", hint="audit fewer items at a time")
    with path.open("rb") as file:
        yield from (line for line in file if line.strip())


def _asked(task: str, documents: Mapping[tuple[str, int], str]) -> str:
    """Digest of what was asked, by lm-eval's own digests of its documents."""
    rows = sorted((document, twin, content) for (document, twin), content in documents.items())
    return hashlib.sha256(json.dumps([task, rows]).encode()).hexdigest()


def _scored(line: bytes, path: Path) -> tuple[str, float, str]:
    """Document, score, and the digest that lm-eval has of the document's content."""
    try:
        row = json.loads(line)
        for metric in ("exact_match", "acc", "acc_norm"):
            if metric in row:
                score = float(row[metric])
                break
        else:
            raise KeyError("exact_match or acc")
        if not 0.0 <= score <= 1.0:
            raise ValueError(score)
        return str(row["doc_id"]), score, str(row.get("doc_hash", ""))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"{path} holds a line without doc_id and a score between 0 and 1",
            hint="write samples with lm-eval's --log_samples; exact_match, acc or acc_norm is read",
        ) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
