"""Scenario files that build on others: ``include`` first, then changes for all, then the file's own words.

``include = ["parts/honest_week.toml"]`` names files beside the including one, or built-in ones. Tables are
merged key by key, campaigns are appended. ``[every_honest]`` and ``[every_campaign]`` set keys in every
class or campaign that was included; what the file itself says comes last.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError

Table = dict[str, Any]
_DEEPEST = 8


def read_table(path: Path, built_in: Path, depth: int = 0) -> Table:
    """A scenario file as one table, includes resolved.

    Args
    ----
    path: the file.
    built_in: folder looked into when an included file does not stand beside ``path``.
    depth: how many files deep; deeper than eight is taken for a circle.

    Raises
    ------
    ConfigError
        Not TOML, an included file that does not exist, or includes in a circle.
    """
    if depth > _DEEPEST:
        raise ConfigError(f"{path.name}: files include each other in a circle")
    try:
        own = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path.name}: {error}", hint="scenario files are TOML") from error
    merged: Table = {}
    for name in own.pop("include", []):
        merged = merge(merged, read_table(_found(name, path, built_in), built_in, depth + 1))
    for key, of in (("every_honest", "honest"), ("every_campaign", "campaigns")):
        change = own.pop(key, {})
        kept = merged.get(of, {})
        for entry in kept.values() if isinstance(kept, dict) else kept:
            entry.update(change)
    return merge(merged, own)


def merge(below: Table, above: Table) -> Table:
    """Two tables as one: tables merge, lists of tables are joined, anything else is replaced.

    >>> merge({"days": 1, "honest": {"byok": {"n_orgs": 2}}}, {"days": 7, "honest": {"byok": {"exchanges": [1, 2]}}})
    {'days': 7, 'honest': {'byok': {'n_orgs': 2, 'exchanges': [1, 2]}}}
    >>> merge({"campaigns": [{"level": 0}]}, {"campaigns": [{"level": 3}]})
    {'campaigns': [{'level': 0}, {'level': 3}]}
    """
    out = dict(below)
    for key, value in above.items():
        old = out.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            out[key] = merge(old, value)
        elif isinstance(old, list) and old and isinstance(old[0], dict) and isinstance(value, list):
            out[key] = old + value
        else:
            out[key] = value
    return out


def _found(name: str, path: Path, built_in: Path) -> Path:
    for folder in (path.parent, built_in):
        if (folder / name).is_file():
            return folder / name
    raise ConfigError(f"{path.name}: no file {name} to include", hint="paths count from the including file")
