"""Put an audit together: two folders of logs in, results corrected together, a page and a file of figures out."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError
from stillwatch.prove.audit.answers import read_logs
from stillwatch.prove.audit.compared import ALPHA, corrected
from stillwatch.prove.audit.judging import UNCHECKED, judge, notes, read_labels
from stillwatch.prove.audit.page import page

FORMAT = 1


def audit(
    suspect: Path,
    reference: Path,
    labels: Path | None = None,
    alpha: float = ALPHA,
    told: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Every set of items that both models answered, each test, Holm over all of them.

    Args:
        suspect: folder of the suspect's logs, or one log.
        reference: the same of the reference model.
        labels: labelled replies that the refusal scorer is held to; without them refusals are not judged.
        alpha: level for all tests together.
        told: hears what is being read.

    Returns:
        What ``audit.json`` holds: names, logs with digests, results, notes.

    Raises:
        ConfigError: no log, other items, nothing in common.
    """
    logs = []
    for name, folder in (("suspect", suspect), ("reference", reference)):
        told(f"reading the {name}'s logs")
        logs.append({log.set: log for log in read_logs(folder)})
    ours, theirs = logs
    both = [name for name in ours if name in theirs]
    if not both:
        raise ConfigError(
            f"the two have no set of items in common: {', '.join(ours)} and {', '.join(theirs)}",
            hint="run the same tasks for both",
        )
    scorer = read_labels(labels) if labels else UNCHECKED
    results, said = [], []
    for name in both:
        told(f"judging {name}")
        results += judge(ours[name], theirs[name], alpha, scorer)
        said += [f"{name}: {one}" for one in notes(ours[name], theirs[name])]
    for side, mine, other in (("suspect", ours, theirs), ("reference", theirs, ours)):
        said += [f"{name}: only the {side} has a log; left out" for name in mine if name not in other]
    found = {
        "format": FORMAT,
        "stillwatch": version("stillwatch"),
        "suspect": ours[both[0]].model,
        "reference": theirs[both[0]].model,
        "alpha": alpha,
        "correction": f"Holm over {len(results)} tests",
        "labels": {"file": labels.name, "sha256": _sha256(labels)} if labels else None,
        "logs": [
            {
                "set": name,
                "side": side,
                "file": log.file,
                "sha256": log.sha256,
                "replies": len(log.replies or log.scores),
            }
            for name in both
            for side, log in (("suspect", ours[name]), ("reference", theirs[name]))
        ],
        "notes": said,
        "results": [asdict(one) | {"sentence": one.sentence} for one in corrected(results)],
    }
    return json.loads(json.dumps(_plain(found)))  # type: ignore[no-any-return]  # a dict went in


def write_audit(found: dict[str, Any], out: Path) -> list[Path]:
    """``audit.json`` and ``audit.html`` in `out`; an audit that stands there is never overwritten."""
    out.mkdir(parents=True, exist_ok=True)
    texts = {"audit.json": json.dumps(found, indent=1, ensure_ascii=False) + "\n", "audit.html": page(found)}
    taken = [name for name in texts if (out / name).exists()]
    if taken:
        raise ConfigError(f"{out / taken[0]} exists", hint="name another folder: --out audits/2")
    for name, text in texts.items():
        (out / name).write_text(text, encoding="utf-8")
    return [out / name for name in texts]


def _plain(value: Any) -> Any:
    """Without what JSON cannot say: a figure that is not a number becomes null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
