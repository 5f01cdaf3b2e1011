"""An append-only log in tiles: every run, finding, decision, action, unlock, share, withdrawal and key becomes a leaf.

What was appended is durable when `Log.append` returns. Entries wait in a journal until 256 of them fill a bundle; the
bundle and the tiles over it are functions of the entries, so that after a crash at any point they are made again and
nothing else is: entries that were acknowledged are there, in their order, and a torn one that was not is gone. Nothing
is mended before what lies there fits the checkpoint, and nothing at all for somebody who only reads (`mending`). A
caller that does not know whether its entry arrived looks for it among `Log.entries` from where the log ended before.

Limits: whoever keeps the log and its key can write another log. That is seen by everyone who holds an earlier
checkpoint (every package does) and by witnesses; it is not seen by looking at the folder alone.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from stillwatch.errors import StillwatchError, VerificationError
from stillwatch.evidence import merkle
from stillwatch.evidence.mending import Files, Mending
from stillwatch.evidence.tiles import MOST_ENTRY, WIDTH, bundle, split_hashes, tile_path, unbundled

if TYPE_CHECKING:
    from stillwatch.evidence.note import Checkpoint

CHECKPOINT = "checkpoint"
_FRAME = struct.Struct(">II")
_MOST_CACHED = 1024
_LEVELS = 8


class Log:
    """The one writer of a log; also its reader.

    Args:
        mend: finish what a crash left unfinished, once everything fits the checkpoint. Whoever only looks does not.

    Raises:
        VerificationError: what lies there does not fit together, or is less than its checkpoint says.
    """

    def __init__(self, files: Files, *, origin: str, mend: bool = True) -> None:
        held = Mending(files)
        self.files: Files = held
        self.origin = origin
        self._edge: list[list[bytes]] = [[] for _ in range(_LEVELS)]
        """For each level the hashes of the tile at the right edge."""
        self._pending: list[bytes] = []
        self._bundles = 0
        self._cache: dict[tuple[int, int], list[bytes]] = {}
        self._broken = False
        self._reading = not mend
        self._recover()
        self.unfinished = held.names
        """Files that a crash left so, or somebody changed or took away since; mended when ``mend``."""
        if mend:
            held.carry_out()
            self.files = files

    @property
    def size(self) -> int:
        """Leaves in the log."""
        return self._bundles * WIDTH + len(self._pending)

    def root(self, size: int | None = None) -> bytes:
        """Root of the tree, now or when it had ``size`` leaves."""
        return merkle.root(self._read, self.size if size is None else self._within(size))

    def append(self, entries: Sequence[bytes]) -> int:
        """Append entries; they are durable when this returns the index of the first.

        Raises:
            StillwatchError: an entry is too long, or an earlier write failed and the log must be opened again.
            OSError: the disk refused; some of the first entries may have arrived.
        """
        self._to_write()
        if self._broken:
            raise StillwatchError("an earlier write to the log failed", hint="open the log again")
        for entry in entries:
            if len(entry) > MOST_ENTRY:
                raise StillwatchError(
                    f"an entry of {len(entry)} bytes is too long for the log", hint="log its digest instead"
                )
        first, at = self.size, 0
        self._broken = True
        while at < len(entries):
            part = entries[at : at + WIDTH - len(self._pending)]
            frames = b"".join(_FRAME.pack(len(e), zlib.crc32(e)) + e for e in part)
            self.files.append(self._journal(), frames)
            for entry in part:
                self._pending.append(entry)
                self._edge[0].append(merkle.leaf_hash(entry))
            at += len(part)
            if len(self._pending) == WIDTH:
                self._seal()
        self._broken = False
        return first

    def entry(self, index: int) -> bytes:
        """The entry of a leaf."""
        return next(self.entries(index))

    def entries(self, start: int = 0) -> Iterator[bytes]:
        """The entries from a leaf on."""
        self._within(start)
        for number in range(start // WIDTH, self._bundles):
            yield from unbundled(self._needed(tile_path("entries", number)))[start - number * WIDTH :]
            start = (number + 1) * WIDTH
        yield from self._pending[start - self._bundles * WIDTH :]

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """Proof that a leaf is in the log."""
        return merkle.inclusion(self._read, index, self.size if size is None else self._within(size))

    def consistency(self, old: int, new: int | None = None) -> list[bytes]:
        """Proof that the log only grew."""
        return merkle.consistency(self._read, old, self.size if new is None else self._within(new))

    def publish(self, signed: Callable[[str], str]) -> str:
        """Write what others read: partial tiles, then the checkpoint, signed by ``signed(text)``."""
        from stillwatch.evidence.note import Checkpoint

        self._to_write()
        for level, hashes in enumerate(self._edge):
            if hashes:
                self.files.put(tile_path(level, self._tiles(level), len(hashes)), b"".join(hashes))
        if self._pending:
            self.files.put(tile_path("entries", self._bundles, len(self._pending)), bundle(self._pending))
        note = signed(Checkpoint(self.origin, self.size, self.root()).text)
        self.files.put(CHECKPOINT, note.encode())
        return note

    def audit(self) -> int:
        """Read every entry and every tile and hold them against one another; returns the number of leaves.

        Raises:
            VerificationError: a bundle or a tile is missing or was changed.
        """
        rows: list[list[bytes]] = [[] for _ in range(_LEVELS)]
        for number in range(self._bundles):
            entries = unbundled(self._needed(tile_path("entries", number)))
            rows[0] = [merkle.leaf_hash(entry) for entry in entries]
            index = number
            for level in range(_LEVELS):
                if len(rows[level]) != WIDTH:
                    break
                if self._needed(tile_path(level, index)) != b"".join(rows[level]):
                    raise _broken(f"tile {tile_path(level, index)} does not fit the entries below it")
                rows[level + 1].append(merkle.folded(rows[level]))
                rows[level] = []
                index //= WIDTH
        if [row for row in rows[1:] if row] != [row for row in self._edge[1:] if row]:
            raise _broken("the tiles at the right edge do not fit the entries")
        self._audit_published()
        return self.size

    def _audit_published(self) -> None:
        """Hold what others read of the right edge, when the checkpoint was made, against the tree."""
        seen = self._checkpoint()
        size = seen.size if seen else 0
        for level in range(_LEVELS):
            full, width = divmod(size >> 8 * level, WIDTH)
            if width:
                path = tile_path(level, full, width)
                hashes = (self._read(8 * level, full * WIDTH + n) for n in range(width))
                if self._needed(path) != b"".join(hashes):
                    raise _broken(f"{path} does not fit the entries")
        full, width = divmod(size, WIDTH)
        if width:
            path = tile_path("entries", full, width)
            if self._needed(path) != bundle(islice(self.entries(full * WIDTH), width)):
                raise _broken(f"{path} does not hold the entries")

    def _recover(self) -> None:
        self._bundles = self._count()
        if self._bundles:
            self._restore_tiles()
            self.files.remove(self._journal(self._bundles - 1))
        data = self.files.read(self._journal()) or b""
        entries, good = _frames(data)
        if good < len(data):
            self.files.cut(self._journal(), good)
        self._pending = entries[:WIDTH]
        self._edge[0] = [merkle.leaf_hash(entry) for entry in self._pending]
        if len(self._pending) == WIDTH:
            self._seal()
        self._hold_against_checkpoint()

    def _count(self) -> int:
        """Bundles that are whole: they follow one another, so that a search by halves finds the last."""
        high = 1
        while self.files.has(tile_path("entries", high - 1)):
            high *= 2
        low = high // 2
        while low < high - 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.files.has(tile_path("entries", middle - 1)) else (low, middle)
        return low

    def _restore_tiles(self) -> None:
        """Make the last tile of each level again where a crash came before it, and read the right edge."""
        count = self._bundles
        for level in range(_LEVELS):
            if not count:
                break
            path = tile_path(level, count - 1)
            if not self.files.has(path):
                self.files.put(path, b"".join(self._row_below(level, count - 1)))
            full, rest = divmod(count, WIDTH)
            self._edge[level + 1] = [merkle.folded(self._tile(level, full * WIDTH + i)) for i in range(rest)]
            count = full

    def _row_below(self, level: int, index: int) -> list[bytes]:
        if level == 0:
            entries = unbundled(self._needed(tile_path("entries", index)))
            return [merkle.leaf_hash(entry) for entry in entries]
        return [merkle.folded(self._tile(level - 1, index * WIDTH + i)) for i in range(WIDTH)]

    def _checkpoint(self) -> Checkpoint | None:
        from stillwatch.evidence.note import Checkpoint, split

        signed = self.files.read(CHECKPOINT)
        return None if signed is None else Checkpoint.parse(split(signed.decode("utf-8", "replace"))[0])

    def _hold_against_checkpoint(self) -> None:
        seen = self._checkpoint()
        if seen is None:
            return
        if seen.origin != self.origin:
            raise _broken(f"this is the log of {seen.origin!r}, not of {self.origin!r}")
        if seen.size > self.size:
            raise _broken(f"the log was truncated: {self.size} leaves, and its checkpoint says {seen.size}")
        if self.root(seen.size) != seen.root:
            raise _broken(
                f"the log was rewritten: its first {seen.size} leaves are not those of its checkpoint"
            )

    def _seal(self) -> None:
        """A full journal becomes a bundle, and its hashes tiles, from the bottom up; only then is it removed."""
        number = self._bundles
        self.files.put(tile_path("entries", number), bundle(self._pending))
        index = number
        for level in range(_LEVELS):
            hashes = self._edge[level]
            if len(hashes) < WIDTH:
                break
            self.files.put(tile_path(level, index), b"".join(hashes))
            self._remember((level, index), hashes)
            self._edge[level] = []
            self._edge[level + 1].append(merkle.folded(hashes))
            index //= WIDTH
        self.files.remove(self._journal(number))
        self._bundles, self._pending = number + 1, []

    def _read(self, height: int, index: int) -> bytes:
        level, within = divmod(height, 8)
        tile, place = divmod(index << within, WIDTH)
        return merkle.folded(self._tile(level, tile)[place : place + (1 << within)])

    def _tile(self, level: int, index: int) -> list[bytes]:
        if index == self._tiles(level):
            return self._edge[level]
        if (level, index) not in self._cache:
            self._remember((level, index), split_hashes(self._needed(tile_path(level, index))))
        return self._cache[(level, index)]

    def _remember(self, which: tuple[int, int], hashes: list[bytes]) -> None:
        if len(self._cache) >= _MOST_CACHED:
            self._cache.pop(next(iter(self._cache)))
        self._cache[which] = hashes

    def _tiles(self, level: int) -> int:
        """Full tiles of a level."""
        return int(self._bundles // WIDTH**level)

    def _journal(self, number: int | None = None) -> str:
        return f"pending/{self._bundles if number is None else number}"

    def _needed(self, path: str) -> bytes:
        data = self.files.read(path)
        if data is None:
            raise _broken(f"{path} is missing")
        return data

    def _to_write(self) -> None:
        if self._reading:
            raise StillwatchError("the log was opened for reading", hint="open it as its writer")

    def _within(self, size: int) -> int:
        if not 0 <= size <= self.size:
            raise StillwatchError(
                f"the log has {self.size} leaves, not {size}", hint="ask for an earlier size"
            )
        return size


def _frames(data: bytes) -> tuple[list[bytes], int]:
    """Whole entries of a journal, and the bytes they take; a torn end was never acknowledged."""
    entries, at = [], 0
    while at + _FRAME.size <= len(data):
        length, crc = _FRAME.unpack_from(data, at)
        entry = data[at + _FRAME.size : at + _FRAME.size + length]
        if len(entry) < length or zlib.crc32(entry) != crc:
            break
        entries.append(entry)
        at += _FRAME.size + length
    return entries, at


def _broken(message: str) -> VerificationError:
    return VerificationError(
        message, hint="compare with a checkpoint held elsewhere, and restore the folder from a backup"
    )
