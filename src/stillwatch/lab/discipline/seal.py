"""A seal on truth files: nobody reads them by accident, and opening them goes through the ledger.

The key is made from the scenario's name and the seed, which anybody knows who knows the world. So this is an
envelope, not a safe. What it prevents: a detector, a search through the disk or a careless script reading the answers.
What it does not: somebody who sets out to cheat.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Any

import numpy as np

from stillwatch.errors import VerificationError
from stillwatch.lab.discipline.family import Family, split_of, stamp

SUFFIX = ".sealed"
MAGIC = b"stillwatch seal 1\n"


def seal_folder(truth: Path, family: Family) -> None:
    """Replace every file of a truth folder by its sealed form; sealed files stay as they are."""
    for path in sorted(truth.iterdir()):
        if path.is_file() and path.suffix != SUFFIX:
            path.with_name(path.name + SUFFIX).write_bytes(sealed(path.read_bytes(), path.name, family))
            path.unlink()


def close_world(world: Path, scenario: Any, seed: int, scale: float) -> Family:
    """Say in a world which family it is of, and seal its truth when the scenario's split asks for it.

    Raises
    ------
    ConfigError: the scenario names an unknown split.
    """
    family = Family(scenario.name, seed, scale, split_of(scenario))
    stamp(world, family)
    if family.split == "sealed":
        seal_folder(world / "truth", family)
    return family


def read_sealed(truth: Path, name: str, family: Family | None) -> bytes:
    """The content of a truth file, sealed or not.

    Raises
    ------
    FileNotFoundError: there is neither. VerificationError: the seal is broken, or of another world.
    """
    plain = truth / name
    if plain.exists():
        return plain.read_bytes()
    path = truth / (name + SUFFIX)
    if not path.exists():
        raise FileNotFoundError(str(plain))
    if family is None:
        raise VerificationError(f"{path}: sealed, and the world does not say of which family", hint=_AGAIN)
    return unsealed(path.read_bytes(), name, family, str(path))


def sealed(content: bytes, name: str, family: Family) -> bytes:
    """Content in its envelope."""
    hidden = _cover(content, name, family)
    return MAGIC + _tag(hidden, name, family) + hidden


def unsealed(content: bytes, name: str, family: Family, where: str = "seal") -> bytes:
    """Content out of its envelope; raises `VerificationError` when it is not whole or not this world's."""
    head, tag, hidden = content[: len(MAGIC)], content[len(MAGIC) :][:32], content[len(MAGIC) + 32 :]
    if head != MAGIC or not hmac.compare_digest(tag, _tag(hidden, name, family)):
        raise VerificationError(f"{where}: the seal is broken or of another world", hint=_AGAIN)
    return _cover(hidden, name, family)


_AGAIN = "generate the world again with `stillwatch lab generate`"


def _key(name: str, family: Family) -> bytes:
    return hashlib.sha256(f"stillwatch seal 1|{family.scenario}|{family.seed}|{name}".encode()).digest()


def _tag(hidden: bytes, name: str, family: Family) -> bytes:
    return hmac.digest(_key(name, family), hidden, "sha256")


def _cover(content: bytes, name: str, family: Family) -> bytes:
    """XOR with a stream drawn from the key; its own inverse."""
    stream = hashlib.shake_256(_key(name, family)).digest(len(content))
    mixed = np.frombuffer(content, np.uint8) ^ np.frombuffer(stream, np.uint8)
    return mixed.tobytes()


__all__ = ["SUFFIX", "close_world", "read_sealed", "seal_folder", "sealed", "unsealed"]
