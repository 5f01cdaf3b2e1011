"""Looks for words in everything that was written, however they are spelt."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


def spellings(word: str) -> Iterator[bytes]:
    """A word as text, UTF-16, hexadecimal, base64 at every alignment, and as its unkeyed digests.

    Its letters are lower-case ASCII, so that URL, JSON and HTML escapes and any change of case leave it as it is.
    """
    raw = word.encode()
    yield raw
    yield word.encode("utf-16-le")
    yield raw.hex().encode()
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + raw)
        yield coded[(4 if shift else 0) : -4]
    for digest in (hashlib.md5, hashlib.sha1, hashlib.sha256, hashlib.blake2b):
        yield digest(raw).hexdigest()[:24].encode()
        yield digest(raw).digest()[:12]


def numbers(word: str) -> Iterator[int]:
    """The unkeyed digests of a word as 64-bit integers, which is how features keep digests."""
    for digest in (hashlib.md5, hashlib.sha1, hashlib.sha256, hashlib.blake2b):
        start = digest(word.encode()).digest()[:8]
        yield from (int.from_bytes(start, order, signed=True) for order in ("little", "big"))


class Words:
    """Words that must not be found."""

    def __init__(self, words: Iterable[str]) -> None:
        self.words = sorted(set(words))
        forms = {form: word for word in self.words for form in spellings(word)}
        self._forms = {form.upper(): word for form, word in forms.items() if form.isalnum()} | forms
        self._numbers = {number: word for word in self.words for number in numbers(word)}

    def in_bytes(self, data: bytes) -> set[str]:
        """Words spelt in any way in some bytes; Parquet and gzip are looked into as well."""
        found = {word for form, word in self._forms.items() if form in data}
        lowered = data.lower()
        found |= {word for word in self.words if word.encode() in lowered}
        if data.startswith(b"PAR1"):
            found |= self._in_table(pq.read_table(io.BytesIO(data)))
        elif data.startswith(b"\x1f\x8b"):
            found |= self.in_bytes(gzip.decompress(data))
        return found

    def _in_table(self, table: pa.Table) -> set[str]:
        found = self.in_bytes(repr((table.schema.metadata, table.column_names)).encode())
        for column in table.columns:
            if pa.types.is_list(column.type):
                column = pc.list_flatten(column)
            if pa.types.is_integer(column.type):
                found |= {self._numbers[n] for n in set(pc.unique(column).to_pylist()) & set(self._numbers)}
            elif pa.types.is_map(column.type):
                found |= self.in_bytes(repr(column.to_pylist()).encode())
            elif pa.types.is_string(column.type) or pa.types.is_binary(column.type):
                unique = pc.unique(column).to_pylist()
                found |= self.in_bytes("\n".join(map(str, unique)).encode("utf-8", "surrogatepass"))
        return found

    def in_folder(self, folder: Path) -> dict[str, set[str]]:
        """Words by file, names of files included."""
        out: dict[str, set[str]] = {}
        for path in sorted(folder.rglob("*")):
            found = self.in_bytes(str(path.relative_to(folder)).encode())
            if path.is_file():
                found |= self.in_bytes(path.read_bytes())
            if found:
                out[str(path.relative_to(folder))] = found
        return out


class Attic:
    """Keeps a copy of every file that ever was in a folder, as far as one looks at the right moments."""

    def __init__(self, watched: Path) -> None:
        self.watched = watched
        self.kept: dict[tuple[str, bytes], bytes] = {}

    def look(self) -> None:
        """Copy what is there now."""
        for path in sorted(self.watched.rglob("*")):
            try:
                data = path.read_bytes() if path.is_file() else b""
            except OSError:
                continue
            name = str(path.relative_to(self.watched))
            self.kept.setdefault((name, hashlib.sha256(data).digest()), data)

    def found(self, words: Words) -> dict[str, set[str]]:
        """Words by name of file, over all that was kept."""
        out: dict[str, set[str]] = {}
        for (name, _), data in self.kept.items():
            found = words.in_bytes(name.encode()) | words.in_bytes(data)
            if found:
                out.setdefault(name, set()).update(found)
        return out
