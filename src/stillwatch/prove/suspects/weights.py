"""Weights as files: a folder of Hugging Face, fixed by what its bytes are.

Whoever holds a suspect's weights got them from a stranger. Only safetensors are taken, which hold
numbers and no program; code beside them is never run.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from stillwatch.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights on this machine."""

    path: Path
    said: str
    """The path as the plan says it."""
    sha256: str
    """Of the names and digests of its files."""


def read_weights(path: Path, said: str) -> Weights:
    """Find weights and digest them: seconds a gigabyte.

    Raises:
        ConfigError: they are not there, or in a format that can hold a program.
    """
    try:
        files = _files(path)
        names = {name for name, _ in files}
        if "config.json" not in names:
            raise ConfigError(f"{said} holds no config.json", hint="name a model's folder of Hugging Face")
        if not any(name.endswith(".safetensors") for name in names):
            raise ConfigError(
                f"{said} holds no safetensors",
                hint="pickled weights run what their maker wrote when they are read: have them converted first",
            )
        digest = hashlib.sha256()
        for name, file_path in files:
            with file_path.open("rb") as file:
                digest.update(f"{name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
        return Weights(path, said, digest.hexdigest())
    except OSError as error:
        raise ConfigError(f"{said} could not be read", hint="paths are beside the plan") from error


def _files(folder: Path) -> list[tuple[str, Path]]:
    """Files of a folder by their names below it, hidden ones left out."""
    found = []
    for path in sorted(folder.rglob("*")):
        below = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in below.parts):
            found.append((below.as_posix(), path))
    return found
