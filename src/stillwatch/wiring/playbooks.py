"""Playbooks that ship: listed, filled in, written as CACAO; and files of others checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError, SourceError
from stillwatch.practice.cacao import to_cacao
from stillwatch.practice.cacao_rules import breaches
from stillwatch.practice.playbook import Playbook, playbook, playbooks
from stillwatch.wiring.progress import writable, write_whole

MOST_BYTES = 10_000_000


def list_playbooks() -> list[dict[str, Any]]:
    """What ships."""
    return [
        {
            "id": p.key,
            "types": ", ".join(p.types),
            "title": p.name,
            "steps": sum(s.kind == "action" for s in p.steps),
        }
        for p in playbooks()
    ]


def show_playbook(key: str, values: Mapping[str, str]) -> Playbook:
    """One playbook, its commands filled in."""
    return playbook(key).filled(values)


def playbook_as_cacao(key: str, values: Mapping[str, str]) -> dict[str, Any]:
    """One playbook as CACAO 2.0."""
    return to_cacao(playbook(key).with_values(values))


def export_playbooks(keys: tuple[str, ...], out: Path, values: Mapping[str, str]) -> list[str]:
    """Write playbooks as CACAO 2.0, one JSON file each; all that ship when none is named.

    Raises:
        ConfigError: none has this name; values are given for more than one; a file is there already.
    """
    chosen = tuple(map(playbook, keys)) if keys else playbooks()
    if values and len(chosen) != 1:
        raise ConfigError("values belong to one playbook", hint="name the playbook that --set is for")
    made = {out / f"{p.key}.json": to_cacao(p.with_values(values)) for p in chosen}
    for path in made:
        if path.exists():
            raise ConfigError(f"{path} exists already", hint="name another folder, or remove the file")
    with writable(out):
        out.mkdir(parents=True, exist_ok=True)
        for path, one in made.items():
            write_whole(path, json.dumps(one, indent=2, ensure_ascii=False) + "\n")
    return [str(path) for path in made]


def check_playbook(path: Path) -> list[dict[str, str]]:
    """Breaches of CACAO 2.0 in a playbook of anybody's; empty when there are none."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise SourceError(str(path), "too large", hint=f"a playbook has at most {MOST_BYTES:,} bytes")
        made = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(str(path), "cannot be read as JSON", hint="name a CACAO playbook") from error
    if not isinstance(made, dict):
        raise SourceError(str(path), "is no JSON object", hint="name a CACAO playbook")
    return [{"rule": b.rule, "where": b.where, "why": b.why} for b in breaches(made)]


__all__ = ["check_playbook", "export_playbooks", "list_playbooks", "playbook_as_cacao", "show_playbook"]
