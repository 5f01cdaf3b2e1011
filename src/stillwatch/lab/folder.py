"""The folder of a world: cleared before a run, and whole only when ``world.json`` stands in it.

``world.json`` goes first when a folder is written again and comes last when everything else is there. A run that
fails takes its files with it; one that is killed leaves a scratch folder and no ``world.json``, and the next run
into the folder clears what it left. Ledgers and files of other names are never touched.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError

WORLD = "world.json"
SCRATCH = ".scratch-"
"""Beginning of the names of scratch folders."""
_FILES = (
    "exchanges/part-*.parquet",
    "accounts.parquet",
    "grants.jsonl",
    "releases.jsonl",
    "client_releases.jsonl",
    "truth/accounts.parquet*",
    "truth/campaigns.jsonl*",
    "truth/exchanges.parquet*",
)
"""What a world consists of beside ``world.json``; truth may be sealed and then has a further suffix."""


@contextmanager
def world_folder(out: Path) -> Iterator[Path]:
    """A cleared folder to write a world into; gives a scratch folder that is removed in the end.

    Raises
    ------
    ConfigError
        ``out`` is a file, or holds files of a world's names that no world or interrupted run has left there.
    """
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{out} is a file", hint="name a folder")
    foreign = [] if _is_ours(out) else _written(out)
    if foreign:
        raise ConfigError(
            f"{out} holds {foreign[0].relative_to(out)} and no {WORLD}: it is not a world that may be replaced",
            hint="name an empty folder",
        )
    _clear(out)
    (out / "exchanges").mkdir(parents=True, exist_ok=True)
    (out / "truth").mkdir(exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=SCRATCH, dir=out))
    try:
        yield scratch
    except BaseException:
        _clear(out)
        raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def write_about(out: Path, about: Mapping[str, Any]) -> None:
    """``world.json``, in one step: it is there whole, or not at all."""
    fresh = out / f".{WORLD}"
    fresh.write_text(json.dumps(about, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(fresh, out / WORLD)


def _is_ours(out: Path) -> bool:
    return (out / WORLD).is_file() or any(out.glob(f"{SCRATCH}*"))


def _written(out: Path) -> list[Path]:
    return [path for pattern in _FILES for path in sorted(out.glob(pattern))]


def _clear(out: Path) -> None:
    (out / WORLD).unlink(missing_ok=True)
    for path in _written(out):
        path.unlink()
    for left in out.glob(f"{SCRATCH}*"):
        shutil.rmtree(left, ignore_errors=True)


__all__ = ["SCRATCH", "WORLD", "world_folder", "write_about"]
