"""The rule pack: listed, written as YAML; and the events that it reads, made of logs and of a gate's decisions."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from stillwatch.errors import ConfigError, StillwatchError
from stillwatch.practice.events import event_of_line, event_of_row
from stillwatch.practice.sigma import Rule, rule, rules, to_yaml
from stillwatch.settings import Settings
from stillwatch.wiring.gate_folder import all_lines
from stillwatch.wiring.progress import Progress, writable, write_whole

ABOUT = ("ts", "acct", "model", "operation", "country", "n", "max_tokens", "input_tokens", "output_tokens", "finish",
         "status", "ip", "ua", "cred", "logprobs", "cues", "head", "tail", "s1", "s2", "s3", "t1")  # fmt: skip
"""Columns of a feature row that an event is made of."""


def list_rules() -> list[dict[str, Any]]:
    """What ships."""
    return [{"id": r.key, "level": r.level, "fields from": r.source, "title": r.title} for r in rules()]


def show_rule(key: str) -> str:
    """One rule as Sigma."""
    return to_yaml(rule(key))


def export_rules(keys: tuple[str, ...], out: Path) -> list[str]:
    """Write rules as Sigma, one YAML file each; the whole pack when none is named.

    Raises:
        ConfigError: none has this name; a file is there already.
    """
    chosen: tuple[Rule, ...] = tuple(map(rule, keys)) if keys else rules()
    made = {out / f"{r.key}.yml": to_yaml(r) for r in chosen}
    for path in made:
        if path.exists():
            raise ConfigError(f"{path} exists already", hint="name another folder, or remove the file")
    with writable(out):
        out.mkdir(parents=True, exist_ok=True)
        for path, text in made.items():
            write_whole(path, text)
    return [str(path) for path in made]


def sigma_events(
    inputs: Sequence[str], out: Path, *, gate: Path | None, settings: Settings, format: str | None,
    mapping: Path | None, progress: Progress, env: Mapping[str, str] = os.environ, stdin: BinaryIO | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Write the events of logs, and of a gate's decision log, as JSON lines.

    Raises:
        ConfigError: there is nothing to read, or the file is there already.
    """
    if not inputs and gate is None:
        raise ConfigError("there is nothing to read", hint="name logs, or the folder of a gate with --gate")
    if out.exists():
        raise ConfigError(f"{out} exists already", hint="name another file, or remove it")
    counts: dict[str, Any] = {"exchanges": 0, "decisions": 0, "rejected": 0}
    partial = out.with_name(f".{out.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        with writable(out), open(partial, "w", encoding="ascii", opener=_private) as lines:
            for kind, event in _events(inputs, gate, settings, format, mapping, progress, env, stdin, counts):
                lines.write(json.dumps(event) + "\n")
                counts[kind] += 1
        if not counts["exchanges"] + counts["decisions"]:
            raise StillwatchError(
                "nothing could be read", hint="`stillwatch ingest` says why records are refused"
            )
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    return {"events": counts["exchanges"] + counts["decisions"], **counts}


def _private(path: str, flags: int) -> int:
    """A file for its owner alone: an event names accounts."""
    return os.open(path, flags | os.O_EXCL, 0o600)


def _events(
    inputs: Sequence[str], gate: Path | None, settings: Settings, format: str | None, mapping: Path | None,
    progress: Progress, env: Mapping[str, str], stdin: BinaryIO | None, counts: dict[str, Any],
) -> Iterator[tuple[str, dict[str, Any]]]:  # fmt: skip
    if inputs:
        progress.step("reading")
        for event in _of_logs(inputs, settings, format, mapping, progress, env, stdin, counts):
            yield "exchanges", event
    if gate is not None:
        progress.step("decisions")
        for line in all_lines(gate):
            try:
                event = event_of_line(line)
            except (KeyError, TypeError, ValueError, OverflowError):
                counts["rejected"] += 1
                continue
            yield "decisions", event


def _of_logs(
    inputs: Sequence[str], settings: Settings, format: str | None, mapping: Path | None, progress: Progress,
    env: Mapping[str, str], stdin: BinaryIO | None, counts: dict[str, Any],
) -> Iterator[dict[str, Any]]:  # fmt: skip
    from stillwatch.detect.features import portable
    from stillwatch.wiring.intake import Intake, key_of

    class Counting:
        def add(self, one: object) -> None:
            counts["rejected"] += 1

    key = key_of(settings, env)
    intake = Intake(
        inputs,
        settings,
        key,
        format=format,
        mapping=mapping,
        stdin=stdin,
        progress=progress,
        refused=Counting(),
    )
    intake.announce()
    for batch in intake.batches():
        for row in portable(batch, intake.feat.names, key.key_id).select(ABOUT).to_pylist():
            yield event_of_row(row, intake.feat.lexicon.names)


__all__ = ["export_rules", "list_rules", "show_rule", "sigma_events"]
