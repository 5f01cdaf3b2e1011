"""Scenario files that build on others: ``include`` first, then changes for all, then the file's own words.

``include = ["parts/honest_week.toml"]`` names files beside the including one or below, or built-in ones. Tables are
merged key by key, campaigns are appended. ``[every_honest]`` and ``[every_campaign]`` set keys in every
class or campaign that was included; what the file itself says comes last. Changes from the command line
(``-P ordinary.accounts=100``) stand above the file as if they were one that includes it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from stillwatch.errors import ConfigError
from stillwatch.lab.scenario_check import check_table

Table = dict[str, Any]
_DEEPEST = 8
_KEY = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")
_BARE = re.compile(r"[A-Za-z][\w-]*")


def read_table(path: Path, built_in: Path, above: Sequence[Path] = ()) -> Table:
    """A scenario file as one table, includes resolved, every file checked.

    Args
    ----
    path: the file.
    built_in: folder looked into when an included file does not stand beside ``path``.
    above: files that led to this one, outermost first.

    Raises
    ------
    ConfigError
        Not TOML, an unknown key or value, an included file that does not exist or stands outside the folder, or
        includes in a circle.
    """
    trail = [*above, path.resolve()]
    if trail[-1] in above or len(trail) > _DEEPEST:
        raise ConfigError(
            f"{path.name}: files include each other in a circle, or more than {_DEEPEST} deep",
            hint=" > ".join(p.name for p in trail),
        )
    own = _parsed(path)
    names = own.pop("include", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigError(
            f"{path.name}: include is {names!r}", hint='a list of files: include = ["base.toml"]'
        )
    check_table(own, path.name)
    merged: Table = {}
    for name in names:
        merged = merge(merged, read_table(_found(name, path, built_in), built_in, trail))
    return changed(merged, own)


def changed(below: Table, own: Table) -> Table:
    """What was included, with a file's changes for all and then its own words.

    >>> changed({"honest": {"byok": {"n_orgs": 2}}}, {"every_honest": {"n_orgs": 4}, "days": 7})
    {'honest': {'byok': {'n_orgs': 4}}, 'days': 7}
    """
    below, own = dict(below), dict(own)
    honest, campaign = own.pop("every_honest", {}), own.pop("every_campaign", {})
    if "honest" in below:
        below["honest"] = {name: merge(kept, honest) for name, kept in below["honest"].items()}
    if "campaigns" in below:
        below["campaigns"] = [merge(kept, campaign) for kept in below["campaigns"]]
    return merge(below, own)


def split_changes(given: Sequence[str]) -> dict[str, str]:
    """``NAME=VALUE`` as names and values; of a name given twice the last counts.

    Raises
    ------
    ConfigError
        No equals sign.
    """
    for one in given:
        if "=" not in one:
            raise ConfigError(f"-P {one}: no value", hint="as in -P ordinary.accounts=100")
    return {name.strip(): value.strip() for name, _, value in (one.partition("=") for one in given)}


def parse_changes(changes: Mapping[str, str]) -> Table:
    """Changes by dotted name as one table; values are TOML, a bare word is text.

    >>> parse_changes({"ordinary.accounts": "100", "days": "2", "split": "develop"})
    {'ordinary': {'accounts': 100}, 'days': 2, 'split': 'develop'}

    Raises
    ------
    ConfigError
        A name or a value that cannot be read, or a key or value that no scenario may have.
    """
    table: Table = {}
    for name, text in changes.items():
        if not _KEY.fullmatch(name):
            raise ConfigError(f"-P {name}: not a name", hint="as in -P ordinary.accounts=100")
        value = _value(name, text)
        for part in reversed(name.split(".")):
            value = {part: value}
        table = merge(table, value)
    check_table(table, "-P")
    return table


def _value(name: str, text: str) -> Any:
    if _BARE.fullmatch(text) and text not in ("true", "false", "nan", "inf"):
        return text
    try:
        found = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"-P {name}={text}: {error}", hint='values are TOML: 3, 0.5, true, "text", [1, 2]'
        ) from error
    if list(found) != ["value"]:
        raise ConfigError(f"-P {name}: more than one value", hint="one -P for each")
    return found["value"]


def _parsed(path: Path) -> Table:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name}: {error}", hint="scenario files are TOML in UTF-8") from error
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", hint="name a readable .toml file") from error


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
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or pure.suffix != ".toml":
        raise ConfigError(
            f"{path.name}: include {name!r} leaves the folder or is no .toml file",
            hint="name a file beside this one or below, or a built-in one",
        )
    here = path.parent / name
    if here.is_file():
        if path.parent != built_in and not here.resolve().is_relative_to(path.parent.resolve()):
            raise ConfigError(f"{path.name}: include {name!r} leads out of the folder", hint="copy the file")
        return here
    if (built_in / name).is_file():
        return built_in / name
    raise ConfigError(f"{path.name}: no file {name} to include", hint="paths count from the including file")
