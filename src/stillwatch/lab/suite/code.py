"""Digests of the program: a figure that was kept counts only for the code that made it.

A cell depends on three programs: the generator made its world, a detector judged it, the scorer formed the figures.
Each digest covers the files that may change its part, so that a new detector leaves the cells of every baseline as
they are. Settings are not among the files of a scan: their digest is part of our own detector's version.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import stillwatch

ROOT = Path(stillwatch.__file__).parent
NOUNS = ("records/exchange", "records/finding")
PARTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "generator": (
        ("lab", *NOUNS),
        ("lab/baselines", "lab/discipline", "lab/evasion", "lab/fit", "lab/framing", "lab/leaderboard",
         "lab/scoring", "lab/suite"),
    ),
    "scorer": (
        ("lab/scoring", "lab/suite/delay.py", "lab/suite/log.py", "lab/suite/prefix.py", "lab/suite/successors.py",
         "lab/suite/world.py"),
        (),
    ),
    "own": (
        ("detect", "errors.py", "ingest", *NOUNS, "report", "store/days", "store/engine", "store/places",
         "wiring/columns", "wiring/features", "wiring/intake", "wiring/lab", "wiring/run_result", "wiring/scanning",
         "wiring/sources"),
        (),
    ),
    "baselines": (("lab/baselines", *NOUNS), ()),
    "all": (("",), ()),
}  # fmt: skip
"""Beginnings of the paths of files that belong to a part, and of those that do not."""


@cache
def code_digest(part: str) -> str:
    """Digest of the files of a part, 16 hexadecimal digits.

    >>> len(code_digest("scorer")), code_digest("own") == code_digest("baselines")
    (16, False)
    """
    return digest_of(ROOT, *PARTS[part])


def digest_of(root: Path, inside: tuple[str, ...], outside: tuple[str, ...]) -> str:
    """Digest of files under a folder by the beginnings of their paths; what compilers keep beside them is left out."""
    whole = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.suffix == ".pyc" or path.parent.name == "__pycache__" or not path.is_file():
            continue
        if name.startswith(inside) and not (outside and name.startswith(outside)):
            whole.update(f"{name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()[:16]


__all__ = ["code_digest", "digest_of"]
