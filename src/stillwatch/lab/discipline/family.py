"""Which scenario, seed and scale a world was made from, kept in ``world.json`` beside it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError, SourceError
from stillwatch.lab.scenario import SPLITS

WORLD = "world.json"
DEVELOPMENT_SEEDS = range(11, 23)
"""Seeds that stillwatch itself was developed on (its shipped baseline is fitted on them): never a result."""


@dataclass(frozen=True, slots=True)
class Family:
    """Where a world comes from."""

    scenario: str
    seed: int
    scale: float
    split: str = "develop"

    @property
    def development(self) -> bool:
        """Whether figures on this world are development, whatever was or was not opened."""
        return self.split == "develop" or self.seed in DEVELOPMENT_SEEDS


def split_of(scenario: Any) -> str:
    """The split that a scenario names, ``develop`` when it names none.

    Raises
    ------
    ConfigError: the split is none of `SPLITS`.
    """
    split = str(getattr(scenario, "split", "develop") or "develop")
    if split not in SPLITS:
        raise ConfigError(f"unknown split {split!r}", hint=f"known: {', '.join(SPLITS)}")
    return split


def stamp(world: Path, family: Family) -> None:
    """Write into ``world.json`` where the world comes from; what else stands there stays."""
    path = world / WORLD
    data = _world(path) if path.exists() else {}
    data["family"] = asdict(family)
    path.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read_family(world: Path) -> Family | None:
    """Where a world comes from; None when it does not say.

    Raises
    ------
    SourceError: ``world.json`` is damaged, or says something impossible.
    """
    path = world / WORLD
    if not path.exists():
        return None
    data = _world(path).get("family")
    if data is None:
        return None
    try:
        family = Family(str(data["scenario"]), int(data["seed"]), float(data["scale"]), str(data["split"]))
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(str(path), "does not say which family it is of", hint=_AGAIN) from error
    if family.split not in SPLITS:
        raise SourceError(str(path), f"unknown split {family.split!r}", hint=_AGAIN)
    return family


_AGAIN = "generate the world again with `stillwatch lab generate`"


def _world(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SourceError(str(path), "not readable as JSON", hint=_AGAIN) from error
    if not isinstance(data, dict):
        raise SourceError(str(path), "not a JSON object", hint=_AGAIN)
    return data


__all__ = ["DEVELOPMENT_SEEDS", "SPLITS", "WORLD", "Family", "read_family", "split_of", "stamp"]
