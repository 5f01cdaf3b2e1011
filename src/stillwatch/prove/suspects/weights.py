"""Weights as files: a folder of Hugging Face, or one GGUF file, fixed by what their bytes are.

Whoever holds a suspect's weights got them from a stranger. Only safetensors and GGUF are taken, which
hold numbers and no program; code beside them is never run. What is read is what was digested: nothing in the folder may
point out of it, and what is not numbers has a largest size.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError

MOST_FILES = 4_096
MOST_BESIDE = 256 << 20
"""Bytes of one file that is not numbers: the largest vocabularies known take some 40 MB."""
MOST_CONFIG = 4 << 20
INDEX = "model.safetensors.index.json"
CAPS = {"layers": 2_048, "layer": 2_048, "experts": 8_192}
"""Largest number that a configuration may say, by the end of its field's name: each of them is a module to build."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights on this machine."""

    path: Path
    said: str
    """The path as the plan says it."""
    sha256: str
    """Of the names and digests of its files."""
    size: int = 0
    """Bytes of its files."""
    kind: str = "folder"
    """``folder`` or ``gguf``, as the plan names it."""


def read_weights(path: Path, said: str, kind: str = "folder") -> Weights:
    """Find weights and digest them: seconds a gigabyte.

    Raises:
        ConfigError: they are not there, in a format that can hold a program, or not a model by itself.
    """
    try:
        if kind == "gguf":
            files = _gguf(path, said)
        else:
            files = _files(path, said)
            _check(files, said)
        digest = hashlib.sha256()
        for name, file_path in files.items():
            with file_path.open("rb") as file:
                digest.update(f"{name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
        return Weights(
            path, said, digest.hexdigest(), sum(one.stat().st_size for one in files.values()), kind
        )
    except OSError as error:
        raise ConfigError(f"{said} could not be read", hint="paths are beside the plan") from error


def _gguf(path: Path, said: str) -> dict[str, Path]:
    if not stat.S_ISREG(path.lstat().st_mode):
        raise ConfigError(f"{said} is a link, or no file", hint="name the file itself")
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise ConfigError(
                f"{said} is no GGUF file", hint='a folder of Hugging Face is named with folder = "..."'
            )
    return {"model.gguf": path}


def _files(folder: Path, said: str) -> dict[str, Path]:
    """Files of a folder by their names below it, in order, hidden ones left out."""
    found: dict[str, Path] = {}
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in [*folders, *sorted(n for n in names if not n.startswith("."))]:
            path = Path(place) / name
            kind = path.lstat().st_mode
            if stat.S_ISLNK(kind) or not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
                raise ConfigError(
                    f"{said} holds a link, or what is no file: {path.relative_to(folder).as_posix()!r}",
                    hint="a copy without links: cp -rL FOLDER COPY (a cache of the hub is made of links)",
                )
            if stat.S_ISREG(kind):
                found[path.relative_to(folder).as_posix()] = path
            if len(found) > MOST_FILES:
                raise ConfigError(
                    f"{said} holds more than {MOST_FILES:,} files", hint="name the model's own folder"
                )
    return dict(sorted(found.items(), key=lambda one: Path(one[0])))


def _check(files: dict[str, Path], said: str) -> None:
    if "config.json" not in files:
        raise ConfigError(f"{said} holds no config.json", hint="name a model's folder of Hugging Face")
    if not any(name.endswith(".safetensors") for name in files):
        raise ConfigError(
            f"{said} holds no safetensors",
            hint="pickled weights run what their maker wrote when they are read: have them converted first",
        )
    if "adapter_config.json" in files:
        raise ConfigError(
            f"{said} is an adapter, which takes its base from elsewhere",
            hint="merge it into its base and name that",
        )
    for name, path in files.items():
        most = MOST_CONFIG if name in ("config.json", INDEX) else MOST_BESIDE
        if path.stat().st_size > most and not name.endswith((".safetensors", ".bin", ".pt", ".pth", ".gguf")):
            raise ConfigError(
                f"{said}: {name!r} is larger than {most >> 20} MB",
                hint="no model needs that: is it what it says?",
            )
    _check_config(_object(files["config.json"], said), said)
    if INDEX in files:
        shards = _object(files[INDEX], said).get("weight_map")
        if not isinstance(shards, dict) or not set(map(str, shards.values())) <= set(files):
            raise ConfigError(
                f"{said}: {INDEX} names files that the folder does not hold",
                hint="name a folder that is whole",
            )


def _object(path: Path, said: str) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"{said}: {path.name} is not JSON", hint="take the folder again from where it came"
        ) from error
    if not isinstance(found, dict):
        raise ConfigError(
            f"{said}: {path.name} is no object", hint="take the folder again from where it came"
        )
    return found


def _check_config(found: dict[str, Any], said: str) -> None:
    """What would be built by the million is refused by name; how much memory the rest asks for shows on loading."""
    waiting = [found]
    while waiting:
        for field, value in waiting.pop().items():
            if isinstance(value, dict):
                waiting.append(value)
            most = next((most for end, most in CAPS.items() if field.endswith(end)), None)
            if most is not None and isinstance(value, int | float) and not value <= most:
                raise ConfigError(
                    f"{said}: config.json says {field[:60]!r} above {most:,}",
                    hint="no model is built so: take the folder again from where it came",
                )
