"""The one door to truth: the opening is recorded, then the files are read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from stillwatch.errors import ConfigError, SourceError
from stillwatch.lab.discipline.family import WORLD, Family, read_family
from stillwatch.lab.discipline.ledger import LEDGER, Ledger, Unwritable
from stillwatch.lab.discipline.seal import SUFFIX, read_sealed
from stillwatch.lab.discipline.standing import Standing, declared_seeds, standing_of
from stillwatch.lab.scoring.truth import Truth

PURPOSES = ("tune", "report")


@dataclass(frozen=True, slots=True)
class Opened:
    """Truth that was opened, and what figures on it are worth."""

    truth: Truth
    standing: Standing
    family: Family | None
    heads: tuple[str, ...]
    """Digest of the recorded opening in each ledger, the world's own first and empty when that cannot be written;
    whoever keeps it can tell whether lines were cut off later."""
    folder: Path

    def file(self, name: str) -> bytes:
        """Another file of the same truth; raises `FileNotFoundError` when there is none."""
        return read_sealed(self.folder, name, self.family)


def open_truth(
    place: Path, *, purpose: str, ledgers: Iterable[Path] = (), by: str = "", at: str = "", world: Path | None = None
) -> Opened:  # fmt: skip
    """Open the truth of a world.

    Args
    ----
    place: the truth folder, or the world that holds it.
    purpose: ``report``, or ``tune`` when something may be changed after looking.
    ledgers: where the opening is recorded beside ``ledger.jsonl`` of the world; all of them are read first. When the
        world's folder cannot be written these stand in for it, and the standing says so.
    by: what opened it (a verb, a detector).
    at: when, RFC 3339; a room does not look at the clock.
    world: the world's folder when the truth was moved out of it.

    Raises
    ------
    ConfigError
        Unknown purpose; the family was opened for tuning; the opening cannot be recorded.
    VerificationError
        A ledger or seal is broken.
    SourceError
        There is no truth.
    """
    standing, family, heads, folder = _enter(place, purpose, ledgers, by, at, world)
    return Opened(_read(folder, family), standing, family, heads, folder)


def copy_truth(
    place: Path, out: Path, *, purpose: str, ledgers: Iterable[Path] = (), by: str = "", at: str = ""
) -> Opened:
    """Open truth and write its files unsealed into the empty or new folder ``out``.

    Raises
    ------
    ConfigError: ``out`` is not empty, or lies in the world, where a detector would read it; else as `open_truth`.
    """
    above = place.parent
    alone = (place / "truth").is_dir() or not ((above / WORLD).exists() or (above / "exchanges").is_dir())
    home = place if alone else above
    if out.resolve().is_relative_to(home.resolve()):
        raise ConfigError(
            f"{out} lies inside the world, where a detector would read it", hint="name a folder elsewhere"
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out.name} is not an empty folder", hint="name a folder that does not exist yet")
    standing, family, heads, folder = _enter(place, purpose, ledgers, by, at, None)
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(p for p in folder.iterdir() if p.is_file()):
        name = path.name.removesuffix(SUFFIX)
        (out / name).write_bytes(read_sealed(folder, name, family))
    return Opened(_read(folder, family), standing, family, heads, folder)


def _enter(
    place: Path, purpose: str, ledgers: Iterable[Path], by: str, at: str, world: Path | None
) -> tuple[Standing, Family | None, tuple[str, ...], Path]:
    """Check, judge and record; nothing of the truth has been looked at when this raises."""
    if purpose not in PURPOSES:
        raise ConfigError(f"unknown purpose {purpose!r}", hint=f"known: {', '.join(PURPOSES)}")
    folder = place / "truth" if (place / "truth").is_dir() else place
    files = [folder / "accounts.parquet", folder / f"accounts.parquet{SUFFIX}"]
    found = next((f for f in files if f.exists()), None)
    if found is None:
        raise SourceError(
            str(folder), "holds no truth", hint="give the folder `truth` that `lab generate` wrote"
        )
    home = world or folder.parent
    family = read_family(home)
    digest = hashlib.sha256(found.read_bytes()).hexdigest()
    books = _books([home / LEDGER, *ledgers])
    seeds = declared_seeds(family.scenario, family.seed) if family else ()
    entries = [e for book in books for e in book.entries()]
    standing = standing_of(family, purpose, entries, digest, seeds)
    row: dict[str, Any] = {
        "opening": uuid4().hex, "at": at, "purpose": purpose, "by": by, "world": digest,
        "scenario": family.scenario if family else None, "seed": family.seed if family else None,
        "scale": family.scale if family else None, "split": family.split if family else None,
    }  # fmt: skip
    named = [book.append(row) for book in books[1:]]
    try:
        own = books[0].append(row)
    except Unwritable:
        if not named:
            raise
        own, standing = "", replace(standing, beside=False)
    return standing, family, (own, *named), folder


def _books(paths: Sequence[Path]) -> list[Ledger]:
    """Each ledger once, in order."""
    return [Ledger(p) for p in dict.fromkeys(path.resolve() for path in paths)]


def _read(folder: Path, family: Family | None) -> Truth:
    try:
        return Truth.read(lambda name: read_sealed(folder, name, family))
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(
            str(folder), "not a world's truth", hint="generate the world again with `stillwatch lab generate`"
        ) from error


__all__ = ["PURPOSES", "Opened", "copy_truth", "open_truth"]
