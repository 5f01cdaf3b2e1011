"""Text of others for a world: a folder of prompts, answers, documents and recipes in a simple layout.

A detector that was developed on worlds of our grammars may have learnt the grammars. With a corpus, honest
people and campaigns speak with text from the folder instead; nothing of it is kept in the repository.

Layout: any number of files, in any folders below.

- ``*.jsonl`` and ``*.csv`` (or ``.gz`` of either): one text per row with the fields ``role`` and ``text``, and
  optionally ``kind`` (of question, recipe or answer). A conversation has ``turns`` instead of ``text``, a list
  of what the person says (JSONL only).
- ``ROLE.txt``: one text per line. ``ROLE-NAME.txt``: the whole file is one text.

Roles: ``question`` (a message), ``document`` (longer text), ``conversation``, ``system`` (a builder's system
prompt), ``instruction`` (a task without its input), ``recipe`` (a template with ``{slots}`` that asks for
training data), ``answer`` (what a model says), ``result`` (what a tool returns). Kinds in use: ``math``,
``code``, ``reasoning``, ``sensitive``, ``paired``, ``attack`` for questions and answers; ``reasoning``,
``generation``, ``grading``, ``rewrite`` for recipes. Anything else is fine and counts as general.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from stillwatch.errors import ConfigError, SourceError

ROLES = ("question", "document", "conversation", "system", "instruction", "recipe", "answer", "result")
_LEAST = {"question": 50, "recipe": 1, "answer": 20}
_LONGEST = 6000
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True, slots=True)
class Item:
    """One text and what it is for."""

    role: str
    """One of ``ROLES``."""
    text: str
    """The text."""
    kind: str = ""
    """Kind of question, recipe or answer; empty for general."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Texts by role and kind."""

    texts: Mapping[tuple[str, str], tuple[str, ...]]
    """By role and kind."""
    digest: str
    """SHA-256 over all texts in order: goes into ``world.json``."""

    def pool(self, role: str, *kinds: str) -> tuple[str, ...]:
        """Texts of a role and of the first of these kinds that has any; of the whole role when none has."""
        for kind in kinds:
            if self.texts.get((role, kind)):
                return self.texts[role, kind]
        return tuple(text for (of, _), texts in self.texts.items() if of == role for text in texts)

    def sentences(self, limit: int = 40_000) -> tuple[str, ...]:
        """Distinct sentences of 25 to 240 characters from documents, answers and questions; attacks stay out."""
        found: dict[str, None] = {}
        for role in ("document", "answer", "question"):
            texts = (
                t for (of, kind), held in self.texts.items() if of == role and kind != "attack" for t in held
            )
            for text in texts:
                for part in _SENTENCE.split(text):
                    if 25 <= len(part) <= 240 and "\n" not in part:
                        found[part] = None
        return tuple(found)[:limit]


def corpus_of(items: Iterable[Item]) -> Corpus:
    """Collect texts; doubles count once, very long ones are cut at 6,000 characters.

    Raises
    ------
    ConfigError
        Too few questions (50), answers (20) or recipes (1) to make a world of.
    """
    texts: dict[tuple[str, str], dict[str, None]] = {}
    seal = sha256()
    for item in items:
        text = item.text.strip()[:_LONGEST]
        if text:
            texts.setdefault((item.role, item.kind), {})[text] = None
            seal.update(f"{item.role}\0{item.kind}\0{text}\0".encode())
    kept = Corpus({key: tuple(found) for key, found in texts.items()}, seal.hexdigest())
    for role, least in _LEAST.items():
        if len(kept.pool(role)) < least:
            raise ConfigError(
                f"the corpus has {len(kept.pool(role))} texts of role {role}; {least} are needed",
                hint="see the layout in docs/lab_generator.md",
            )
    return kept


def load_corpus(folder: Path) -> Corpus:
    """Read a corpus folder in the layout above.

    Raises
    ------
    ConfigError
        No such folder, or too little text.
    SourceError
        A row that is not of the layout (names the file and line), a file that cannot be read, or a link out of the
        folder.
    """
    if not folder.is_dir():
        raise ConfigError(f"no corpus folder {folder}", hint="give a folder of .jsonl, .csv or .txt files")
    return corpus_of(item for path in files_of(folder) for item in readable(path, _read))


def files_of(folder: Path) -> list[Path]:
    """Files below a folder, in order of name.

    Raises
    ------
    SourceError
        A link leads out of the folder.
    """
    found, home = sorted(p for p in folder.rglob("*") if p.is_file()), folder.resolve()
    for path in found:
        if not path.resolve().is_relative_to(home):
            raise SourceError(_said(path), "a link that leads out of the corpus folder", hint="copy the file")
    return found


def readable(path: Path, reader: Callable[[Path], Iterable[Item]]) -> Iterator[Item]:
    """What a reader finds in a file.

    Raises
    ------
    SourceError
        The file is not what its name says: damaged, no text, or of another shape.
    """
    try:
        for item in reader(path):
            item.text.encode()  # half a surrogate pair cannot be written
            yield item
    except (OSError, EOFError, zlib.error, csv.Error, ValueError) as error:
        raise SourceError(_said(path), f"not readable: {error}", hint="text in UTF-8, whole") from error
    except (KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise SourceError(_said(path), f"not of the shape that its name says ({error!r})") from error


def _said(path: Path) -> str:
    """A file's name as it may be shown: odd bytes and control characters as escapes."""
    name = path.name.encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def lines_of(path: Path) -> Iterator[str]:
    """Lines of a text file, unpacked when it is a ``.gz``."""
    with (
        gzip.open(path, "rt", encoding="utf-8")
        if path.suffix == ".gz"
        else path.open(encoding="utf-8") as file
    ):
        yield from file


def table_of(path: Path) -> Iterator[dict[str, str]]:
    """Rows of a CSV file by its header; prompts may be longer than the reader's usual limit of 128 kB."""
    csv.field_size_limit(1 << 24)
    yield from csv.DictReader(lines_of(path))


def save_corpus(items: Iterable[Item], path: Path) -> int:
    """Write texts as one JSONL file of the layout, whole or not at all; returns how many."""
    count, part = 0, path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8") as out:
            for item in items:
                count += 1
                row = {"role": item.role, "kind": item.kind, "text": item.text}
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return count


def _read(path: Path) -> Iterator[Item]:
    name = path.name.removesuffix(".gz")
    if name.endswith(".txt"):
        role, _, rest = name.removesuffix(".txt").partition("-")
        if role in ROLES:
            whole = "".join(lines_of(path))
            yield from (Item(role, text) for text in ([whole] if rest else whole.splitlines()))
    elif name.endswith((".jsonl", ".csv")):
        rows: Iterable[object] = table_of(path) if name.endswith(".csv") else lines_of(path)
        for number, row in enumerate(rows, 1):
            yield from _row(f"{_said(path)}:{number}", row)


def _row(where: str, row: object) -> Iterator[Item]:
    if isinstance(row, str):
        try:
            row = json.loads(row)
        except json.JSONDecodeError as error:
            raise SourceError(where, "not JSON") from error
    if not isinstance(row, dict) or row.get("role") not in ROLES:
        raise SourceError(where, "no known role", hint=f"known: {', '.join(ROLES)}")
    kind, turns = str(row.get("kind") or ""), row.get("turns")
    if isinstance(turns, list):
        yield from conversation([str(t) for t in turns], kind)
    elif isinstance(row.get("text"), str):
        yield Item(str(row["role"]), str(row["text"]), kind)
    else:
        raise SourceError(where, "neither text nor turns")


def conversation(turns: list[str], kind: str = "") -> Iterator[Item]:
    """What a person says: the first turn is a question, later ones follow up."""
    for number, text in enumerate(turns):
        yield Item("question" if number == 0 else "conversation", text, kind)


__all__ = [
    "ROLES",
    "Corpus",
    "Item",
    "conversation",
    "corpus_of",
    "files_of",
    "lines_of",
    "load_corpus",
    "readable",
    "save_corpus",
    "table_of",
]
