"""Find the files a user named, open them, and undo gzip or zstd while hashing what was read.

Compression is told by its magic bytes, never by a file's name. Nothing here holds a whole file.

>>> squash(b"\\x1f\\x8b\\x08\\x00")
'gzip'
>>> squash(b"{}")
'plain'
"""

from __future__ import annotations

import glob
import hashlib
import os
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import zstandard

from stillwatch.errors import SourceError
from stillwatch.ingest.refusal import Broken

CHUNK = 1 << 20
"""Bytes read, and at most decompressed, in one step."""

KEPT = ("features-", "exchanges-")
"""How the names begin of the files in which an ingest keeps rows."""
REJECTED = "rejected.jsonl"
"""Where an ingest or a scan lists what it refused."""

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_ZSTD_STEP = 1 << 8
"""Compressed bytes handed to zstd at once: a block of four bytes can unfold into 128 KiB, so one step into 8 MiB."""

_MESSAGE = 1 << 27
"""A longer message of a compressed stream is not unfolded."""

Progress = Callable[[str, int, int], None]
"""Called with a source's name, the bytes read so far and the bytes in all (0 when unknown)."""


@dataclass(frozen=True, slots=True)
class Source:
    """One thing to read: a file, or standard input."""

    name: str
    """As the user named it; ``-`` for standard input."""
    path: Path | None
    """None for standard input, and for what lies elsewhere."""
    named: bool = True
    """False when it was found by walking a folder or a pattern: then it may turn out not to be a log."""
    elsewhere: Callable[[], BinaryIO] | None = None
    """Opens what is no file of this machine, such as an object of an object store."""
    size: int = 0
    """Bytes of what lies elsewhere."""
    version: str = ""
    """Changes when the bytes of what lies elsewhere do; empty where nobody says."""

    def open(self, stdin: BinaryIO | None = None) -> BinaryIO:
        """Open for reading bytes.

        Raises:
            SourceError: when the file cannot be opened.
        """
        if self.elsewhere is not None:
            return self.elsewhere()
        if self.path is None:
            return stdin if stdin is not None else sys.stdin.buffer
        try:
            return self.path.open("rb")
        except OSError as error:
            reason = error.strerror or "cannot be opened"
            raise SourceError(self.name, reason.lower(), hint="check that the file is readable") from error


def find_sources(inputs: Sequence[str | Source]) -> list[Source]:
    """Files, folders (recursive, sorted, hidden files left out), patterns and ``-``, each file once.

    A source that was already found stays as it is.

    Raises:
        SourceError: when nothing was named, a name does not exist, or a folder or pattern holds no file.
    """
    if not inputs:
        raise SourceError(
            "input", "nothing to read", hint="name a log file, a folder, or - for standard input"
        )
    found: dict[str, Source] = {}
    for given in inputs:
        for source in [given] if isinstance(given, Source) else _expand(given):
            key = source.name if source.path is None else os.path.realpath(source.path)
            if key not in found or (source.named and not found[key].named):
                found[key] = source
    return list(found.values())


def _expand(given: str) -> list[Source]:
    if given == "-":
        return [Source("-", None)]
    path = Path(given)
    if path.is_dir():
        sources = [Source(str(each), each, named=False) for each in _walk(path)]
        if not sources:
            raise SourceError(given, "the folder holds no files", hint="hidden files are left out")
        return sources
    if path.exists():
        return [Source(given, path)]
    if glob.has_magic(given):
        names = sorted(glob.glob(given, recursive=True))
        sources = [s for name in names for s in _matched(Path(name))]
        if sources:
            return sources
        raise SourceError(
            given, "no file matches this pattern", hint="quote the pattern, or check the folder"
        )
    raise SourceError(given, "no such file or folder", hint="check the spelling; use - for standard input")


def _matched(path: Path) -> list[Source]:
    files = _walk(path) if path.is_dir() else [path]
    return [Source(str(each), each, named=False) for each in files]


def _walk(folder: Path) -> Iterator[Path]:
    """Regular files below a folder. Links to folders are followed once, so a loop ends."""
    seen: set[str] = set()
    for here, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(here)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(here, name)
            if not name.startswith(".") and not set_aside(name, files) and path.is_file():
                yield path


def set_aside(name: str, beside: Sequence[str]) -> bool:
    """What an ingest refused, lying beside what it kept: no log."""
    return name == REJECTED and any(each.startswith(KEPT) for each in beside)


class Tap:
    """A byte stream that counts and hashes what passes, and reports progress."""

    def __init__(self, source: Source, stream: BinaryIO, on_file: Progress | None) -> None:
        self.source = source
        self.total = source.path.stat().st_size if source.path is not None else source.size
        self.done = 0
        self._stream = stream
        self._sha256 = hashlib.sha256()
        self._on_file = on_file

    def chunks(self) -> Iterator[bytes]:
        """The raw bytes, at most `CHUNK` at a time.

        Raises:
            Broken: when the operating system fails to go on reading.
        """
        while True:
            try:
                chunk = self._stream.read(CHUNK)
            except OSError as error:
                raise Broken("the file could not be read to its end") from error
            if not chunk:
                return
            self._sha256.update(chunk)
            self.done += len(chunk)
            if self._on_file is not None:
                self._on_file(self.source.name, self.done, max(self.total, self.done))
            yield chunk

    def silence(self) -> None:
        """Report no more progress."""
        self._on_file = None

    def drained(self) -> str:
        """SHA-256 of the whole stream, after reading on to its end."""
        with suppress(Broken):
            for _ in self.chunks():
                pass
        return self._sha256.hexdigest()


def squash(head: bytes) -> str:
    """Name the compression that a stream's first bytes show: ``plain``, ``gzip``, ``zstd`` or ``zstd messages``.

    The last is what the OpenTelemetry collector's file exporter writes: a length before each compressed message.
    """
    if head.startswith(_GZIP):
        return "gzip"
    if head.startswith(_ZSTD):
        return "zstd"
    if head[4:8] == _ZSTD and head[:1] == b"\0":
        return "zstd messages"
    return "plain"


def unpacked(chunks: Iterator[bytes], compression: str) -> Iterator[bytes]:
    """Decompress a stream step by step; a small file that unfolds into a huge one stays small here.

    Raises:
        Broken: when the stream is cut short or damaged.
    """
    if compression == "gzip":
        return _gunzip(chunks)
    if compression == "zstd":
        return _unzstd(chunks)
    if compression == "zstd messages":
        return _unzstd_messages(chunks)
    return chunks


def _gunzip(chunks: Iterator[bytes]) -> Iterator[bytes]:
    engine, fresh = zlib.decompressobj(31), True
    for raw in chunks:
        rest = raw
        while rest:
            if fresh and not (rest := rest.lstrip(b"\0")):
                break
            fresh = False
            try:
                out = engine.decompress(rest, CHUNK)
            except zlib.error as error:
                raise Broken("damaged gzip stream") from error
            if out:
                yield out
            rest = engine.unconsumed_tail
            while not engine.eof and not rest and len(out) == CHUNK:
                out = engine.decompress(b"", CHUNK)
                if out:
                    yield out
            if engine.eof:
                rest, engine, fresh = engine.unused_data, zlib.decompressobj(31), True
    if not fresh:
        raise Broken("truncated: the gzip stream ends before its end mark")


def _unzstd(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Frame by frame with a decompression object, so that a missing end mark is noticed."""
    maker = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    engine, fresh = maker.decompressobj(), True
    for raw in chunks:
        rest = raw
        while rest:
            piece, rest = rest[:_ZSTD_STEP], rest[_ZSTD_STEP:]
            fresh = False
            try:
                out = engine.decompress(piece)
            except zstandard.ZstdError as error:
                raise Broken("damaged zstd stream") from error
            for start in range(0, len(out), CHUNK):
                yield out[start : start + CHUNK]
            if engine.eof:
                rest, engine, fresh = engine.unused_data + rest, maker.decompressobj(), True
    if not fresh:
        raise Broken("truncated: the zstd stream ends before its end mark")


def _unzstd_messages(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Each message on a line of its own when it is JSON, else with its length before it, as without compression."""
    held = bytearray()
    for raw in chunks:
        held += raw
        while len(held) >= 4 and len(held) >= 4 + (length := int.from_bytes(held[:4], "big")):
            message = bytearray()
            for piece in _unzstd(iter([bytes(held[4 : 4 + length])])):
                message += piece
                if len(message) > _MESSAGE:
                    raise Broken(f"a compressed message is longer than {_MESSAGE} bytes")
            yield bytes(message) + b"\n" if message[:1] == b"{" else len(message).to_bytes(4, "big") + message
            del held[: 4 + length]
        if len(held) > _MESSAGE:
            raise Broken(f"a compressed message is longer than {_MESSAGE} bytes")
    if held:
        raise Broken("truncated: the stream ends inside a message")
