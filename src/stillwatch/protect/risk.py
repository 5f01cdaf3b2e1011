"""The risk table: what the newest scan says of each account, compiled for look-ups in microseconds.

One Arrow file: sorted 64-bit account digests, packed rows, campaign ids. It is mapped, not read, so a million
accounts cost their 55 MB once for all processes of a machine, and a new table takes effect by swapping one
reference. Unmapping a file that was replaced frees its blocks on the disk, which takes as long as the disk likes: let
go of a table's ``mapping`` with its ``close``, during which other threads go on. Digests are salted with the run's own
digest: nobody outside can make an id that collides.

Examples
--------
>>> import pyarrow as pa
>>> from stillwatch.protect.risk_build import build
>>> members = pa.table({"account_id": ["a"], "campaign_id": ["G-1"], "tier": ["member"], "membership_bits": [30.0],
...                     "extraction_share": [0.5]})
>>> groups = pa.table({"campaign_id": ["G-1"], "kind": ["campaign"], "confidence": ["high"],
...                    "false_discovery_rate": [0.01], "bits_timing": [40.0]})
>>> accounts = pa.table({"account_id": ["a", "b"], "campaign_id": ["G-1", None], "disposition_hint": ["act", "none"]})
>>> table = RiskTable(build(groups, members, accounts, run_digest="00"))
>>> table.standing("a").hint, table.standing("a").families, table.standing("b").hint
('act', ('timing',), 'none')
"""

from __future__ import annotations

import json
import mmap
import re
import struct
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.errors import SourceError
from stillwatch.protect.conditions import LEVELS
from stillwatch.records import NOBODY, Confidence, Disposition, Family, Kind, Standing, Tier

ROW = struct.Struct("<BBBBBBHHxxfff")
"""tier, kind, hint, confidence, families, verification, plan, programme, bits, share, rate."""
VERSION = "1"
TIERS = ("none", *(t.value for t in Tier))
KINDS = ("none", *(k.value for k in Kind))
HINTS = tuple(d.value for d in Disposition)
SURE = ("none", *(c.value for c in Confidence))
FAMILIES = tuple(f.value for f in Family)
VERIFIED: tuple[str | None, ...] = (None, *LEVELS)
SCHEMA = pa.schema([("digest", pa.uint64()), ("row", pa.binary(ROW.size)), ("campaign", pa.string())])
_SETS = tuple(
    tuple(name for bit, name in enumerate(FAMILIES) if mask >> bit & 1) for mask in range(1 << len(FAMILIES))
)
_PAGE = 4096
_OPENS, _BETWEEN = re.compile(r"\s*\[\s*"), re.compile(r"\s*([,\]])\s*")
_ITEM = json.JSONDecoder()
_HINT = "make it again: stillwatch policy publish RUN --into FOLDER"


def account_digest(account_id: str, salt: bytes) -> int:
    """64-bit digest of an account id under a table's salt (at most 16 bytes)."""
    data = account_id.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=8, salt=salt).digest(), "little")


class RiskTable:
    """A compiled table, ready for look-ups."""

    def __init__(self, table: pa.Table, mapping: mmap.mmap | None = None) -> None:
        self.mapping = mapping
        """The file behind it, when it has one. It can be closed once nobody holds the table any more."""
        meta = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}
        if meta.get("stillwatch.risk") != VERSION or table.schema.remove_metadata() != SCHEMA:
            raise SourceError("risk table", "not a risk table of this version", hint=_HINT)
        whole = table.combine_chunks()
        self.run_digest: str = meta["run_digest"]
        self.grants: list[dict[str, Any]] = list(in_pieces(meta["grants"]))
        self.counts: dict[str, int] = json.loads(meta["counts"])
        self._words: list[str | None] = [None, *in_pieces(meta["words"])]
        self._salt = bytes.fromhex(self.run_digest)[:16]
        self._digests, self._rows, self._campaigns = _arrays(whole)
        self._n = len(self._digests)

    @classmethod
    def open(cls, path: Path) -> RiskTable:
        """Map a table's file.

        Raises
        ------
        SourceError
            It is missing, or is no risk table.
        """
        try:
            with path.open("rb") as file:
                mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            made = cls(pa.ipc.open_file(pa.py_buffer(mapping)).read_all(), mapping)
            made.touch()
            return made
        except FileNotFoundError as error:
            raise SourceError(path.name, "no such risk table", hint=_HINT) from error
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            raise SourceError(path.name, "not a readable risk table", hint=_HINT) from error

    def __len__(self) -> int:
        return self._n

    @property
    def nbytes(self) -> int:
        """Bytes of the table's arrays."""
        campaign = self._campaigns.nbytes if self._campaigns is not None else 0
        return int(self._digests.nbytes + self._rows.nbytes + campaign)

    def touch(self) -> None:
        """Read a byte of every page, so that no look-up waits for the disk. Other threads go on meanwhile."""
        parts = [self._digests.view(np.uint8), np.frombuffer(self._rows, np.uint8)]
        if self._campaigns is not None:
            parts += [
                np.frombuffer(buffer, np.uint8) for buffer in self._campaigns.buffers() if buffer is not None
            ]
        for part in parts:
            part[::_PAGE].max(initial=0)

    def standing(self, account_id: str) -> Standing:
        """What the scan says of an account; NOBODY when it says nothing."""
        wanted = np.uint64(account_digest(account_id, self._salt))
        at = int(self._digests.searchsorted(wanted))
        if at >= self._n or self._digests[at] != wanted:
            return NOBODY
        tier, kind, hint, sure, families, verified, plan, programme, bits, share, rate = ROW.unpack_from(
            self._rows, at * ROW.size
        )
        campaign = self._campaigns[at].as_py() if tier else None
        return Standing(
            TIERS[tier], KINDS[kind], HINTS[hint], SURE[sure], _SETS[families], campaign, bits, share, rate,
            VERIFIED[verified], self._words[plan], self._words[programme],
        )  # fmt: skip


def in_pieces(text: str) -> Iterator[Any]:
    """Items of a JSON list, one at a time: to parse a long one at once would hold up every other thread.

    >>> list(in_pieces('[1, {"a": [2]}, "x,]"]')), list(in_pieces("[]"))
    ([1, {'a': [2]}, 'x,]'], [])
    """
    opens = _OPENS.match(text)
    if opens is None:
        raise ValueError("not a list")
    at, more = opens.end(), not text.startswith("]", opens.end())
    while more:
        item, at = _ITEM.raw_decode(text, at)
        yield item
        between = _BETWEEN.match(text, at)
        if between is None:
            raise ValueError("not a list")
        at, more = between.end(), between[1] == ","


EMPTY_META = {"stillwatch.risk": VERSION, "run_digest": "", "grants": "[]", "counts": "{}", "words": "[]"}


def _arrays(table: pa.Table) -> tuple[np.ndarray, memoryview, Any]:
    if not table.num_rows:
        return np.zeros(0, np.uint64), memoryview(b""), None
    digest, row, campaign = (table.column(name).chunk(0) for name in SCHEMA.names)
    digests = digest.to_numpy(zero_copy_only=True)
    if len(digests) > 1 and not bool((digests[1:] > digests[:-1]).all()):
        raise SourceError("risk table", "its rows are not in order", hint=_HINT)
    start = row.offset * ROW.size
    rows = memoryview(row.buffers()[1])[start : start + len(row) * ROW.size]
    return digests, rows, campaign


def empty_table() -> RiskTable:
    """A table that says nothing of anybody.

    >>> len(empty_table()), empty_table().standing("a").tier
    (0, 'none')
    """
    return RiskTable(SCHEMA.with_metadata(EMPTY_META).empty_table())
