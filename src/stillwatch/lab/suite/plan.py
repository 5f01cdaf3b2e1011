"""Suites as data: worlds, detectors, ablations. Unknown keys are refused.

Example
-------
>>> load_suite("smoke").worlds[0].scenario
'demo_day'
"""

from __future__ import annotations

import fnmatch
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from math import isfinite
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError
from stillwatch.lab.scenario import scenarios

_FOLDER = Path(__file__).parent / "data"
NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
"""What the id of a detector or ablation looks like."""
SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Shares of a campaign's volume at which a detector is asked whether it sees it."""


@dataclass(frozen=True, slots=True)
class Worlds:
    """One family: a scenario, its seeds, its scale."""

    scenario: str
    """Built-in name, a pattern of such names (``ladder_L*``), or a .toml file beside the suite."""
    seeds: tuple[int, ...]
    scale: float = 1.0
    delay: tuple[float, ...] = ()
    """Shares of each campaign's volume, in (0, 1], at which the time to detect is looked at; costly."""


@dataclass(frozen=True, slots=True)
class Ablation:
    """A detector with something taken away."""

    id: str
    title: str = ""
    settings: Mapping[str, Any] | None = None
    """Settings by their dotted names, such as ``detect.kappa``."""
    drop_traits: tuple[str, ...] = ()
    """Traits that are switched off."""


@dataclass(frozen=True, slots=True)
class Suite:
    """What is run."""

    name: str
    title: str
    version: int
    worlds: tuple[Worlds, ...]
    detectors: tuple[str, ...] = ("stillwatch",)
    """Ids: ``stillwatch``, ``stillwatch/<ablation>``, a baseline's id; ``ablations`` or ``baselines`` for all."""
    ablations: tuple[Ablation, ...] = ()


def suites() -> dict[str, str]:
    """Names of the built-in suites and what each is for."""
    return {p.stem: load_suite(p.stem).title for p in sorted(_FOLDER.glob("*.toml"))}


def load_suite(name_or_path: str | Path) -> Suite:
    """Read a built-in suite by name, or a TOML file by path.

    Raises
    ------
    ConfigError: unknown suite, key or scenario, a value of the wrong kind, the same family twice.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = _FOLDER / f"{name_or_path}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in _FOLDER.glob("*.toml")))
        raise ConfigError(f"no suite {name_or_path!s}", hint=f"built in: {known}; or give a .toml file")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name}: not valid TOML: {error}") from error
    given = enumerate(_list(table.pop("worlds", None), "worlds", path))
    worlds = tuple(w for i, one in given for w in _worlds(one, path, i))
    ablations = tuple(
        _ablation(a, path, i) for i, a in enumerate(_list(table.pop("ablations", []), "ablations", path))
    )
    plain = _take(Suite, table, path.name)
    if not worlds:
        raise ConfigError(f"{path.name}: no worlds", hint=_WORLD)
    _once([(w.scenario, w.scale, s) for w in worlds for s in w.seeds], path, "a world")
    _once([a.id for a in ablations], path, "an ablation")
    detectors = plain.get("detectors", ["stillwatch"])
    if not isinstance(detectors, list) or not all(isinstance(d, str) for d in detectors):
        raise ConfigError(
            f"{path.name}: detectors is no list of ids", hint='as in detectors = ["stillwatch"]'
        )
    version = plain.get("version", 1)
    if type(version) is not int:
        raise ConfigError(
            f"{path.name}: version is {version!r}", hint="give a whole number, as in version = 1"
        )
    return Suite(
        name=path.stem, title=str(plain.get("title", "")), version=version, worlds=worlds,
        detectors=tuple(detectors), ablations=ablations,
    )  # fmt: skip


def _worlds(table: Mapping[str, Any], path: Path, index: int) -> list[Worlds]:
    """One family, or one for each built-in scenario that a pattern such as ``ladder_L*`` fits."""
    where = f"{path.name}: worlds[{index}]"
    taken = _take(Worlds, table, where)
    if "scenario" not in taken or "seeds" not in taken:
        raise ConfigError(f"{where}: scenario and seeds are needed", hint=_WORLD)
    scenario, scale, delay = str(taken["scenario"]), taken.get("scale", 1.0), taken.get("delay", [])
    if not (_number(scale) and scale > 0):
        raise ConfigError(f"{where}: scale is {scale!r}", hint="give a number above 0, as in scale = 0.5")
    if not isinstance(delay, list) or not all(_number(s) and 0 < s <= 1 for s in delay):
        raise ConfigError(
            f"{where}: delay is {delay!r}",
            hint="give a list of shares above 0 up to 1, as in delay = [0.1, 1.0]",
        )
    if scenario.endswith(".toml"):
        beside = path.parent / scenario
        if not beside.is_file():
            raise ConfigError(
                f"{where}: no file {scenario}", hint="a scenario's path starts at the suite's folder"
            )
        scenario = str(beside.resolve())
    made = Worlds(scenario, _seeds(taken["seeds"], where), float(scale), tuple(map(float, delay)))
    if not set("*?[") & set(scenario):
        return [made]
    names = sorted(fnmatch.filter(scenarios(), scenario))
    if not names:
        raise ConfigError(
            f"{where}: no scenario fits {scenario}", hint="`stillwatch lab scenarios` lists them"
        )
    return [replace(made, scenario=name) for name in names]


_WORLD = 'add [[worlds]] with scenario = "smoke" and seeds = [501], or others'


def _number(value: Any) -> bool:
    return type(value) in (int, float) and isfinite(value)


def _seeds(value: Any, where: str) -> tuple[int, ...]:
    """Seeds from a list, or from ``"first-last"``.

    >>> _seeds("11-13", "here")
    (11, 12, 13)
    """
    if isinstance(value, str) and (found := re.fullmatch(r"(\d+)-(\d+)", value)):
        seeds = tuple(range(int(found[1]), int(found[2]) + 1))
    elif isinstance(value, list | tuple) and all(type(x) is int and x >= 0 for x in value):
        seeds = tuple(value)
    else:
        raise ConfigError(
            f"{where}: seeds is {value!r}",
            hint='give a list of whole numbers or "first-last", as in seeds = "501-503"',
        )
    if not seeds:
        raise ConfigError(f"{where}: no seeds", hint='as in seeds = [501], or "501-503", the smaller first')
    return seeds


def _ablation(table: Mapping[str, Any], path: Path, index: int) -> Ablation:
    taken = _take(Ablation, table, f"{path.name}: ablations[{index}]")
    if not NAME.fullmatch(str(taken.get("id", ""))):
        raise ConfigError(f"{path.name}: ablations[{index}] needs an id of small letters, digits and hyphens")
    return Ablation(
        str(taken["id"]), str(taken.get("title", "")), dict(taken.get("settings", {})),
        tuple(taken.get("drop_traits", ())),
    )  # fmt: skip


def _list(value: Any, name: str, path: Path) -> list[Mapping[str, Any]]:
    if value is None or not isinstance(value, list) or not all(isinstance(x, dict) for x in value):
        raise ConfigError(f"{path.name}: {name} must be tables, written [[{name}]]")
    return value


def _take(kind: type, table: Mapping[str, Any], where: str) -> dict[str, Any]:
    known = {f.name for f in fields(kind)} - ({"name"} if kind is Suite else set())
    unknown = sorted(set(table) - known)
    if unknown:
        raise ConfigError(
            f"{where}: unknown keys {', '.join(unknown)}", hint=f"known keys: {', '.join(sorted(known))}"
        )
    return dict(table)


def _once(keys: list[Any], path: Path, what: str) -> None:
    if len(set(keys)) < len(keys):
        raise ConfigError(f"{path.name}: {what} is listed twice")


__all__ = ["NAME", "SHARES", "Ablation", "Suite", "Worlds", "load_suite", "suites"]
