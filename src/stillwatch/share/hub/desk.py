"""The one place where things are done at a hub: a rule is asked, entries are kept, leaves are logged, objects go out.

Order, and what a crash between two steps leaves: an entry is in the journal before anybody is told; its leaf follows
in the order of the journal, so that what is missing in the log is known by its length and made up at the next step;
objects are put out in the same order, and putting one out twice changes nothing; what is to be destroyed is destroyed
there too. A log that is longer than its journal stops everything: the journal is an older copy.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import rfc8785

from stillwatch.errors import VerificationError
from stillwatch.records.hub import Entry, Who
from stillwatch.share.hub import rules_rounds
from stillwatch.share.hub.asked import Draft, NotAllowed
from stillwatch.share.hub.pseudonym import Face
from stillwatch.share.hub.rules import RULES
from stillwatch.share.hub.state import State

OUT = "objects_out"


class Writer(Protocol):
    """A transaction of the journal."""

    def since(self, seq: int) -> list[tuple[int, bytes, bytes]]: ...
    def append(self, seq: int, body: bytes, salt: bytes, blob: bytes) -> None: ...


class Journal(Protocol):
    """Where entries lie."""

    def writing(self) -> AbstractContextManager[Writer]: ...
    def since(self, seq: int) -> list[tuple[int, bytes, bytes]]: ...
    def blob(self, seq: int) -> bytes | None: ...
    def drop(self, seqs: list[int]) -> None: ...
    def mark(self, name: str) -> int: ...
    def set_mark(self, name: str, value: int) -> None: ...


class Leaves(Protocol):
    """The log: one leaf for each entry."""

    @property
    def size(self) -> int: ...
    def append(self, leaves: Sequence[tuple[str, int]]) -> None:
        """Digest and time of each entry, in order; they are published when this returns."""

    def digest(self, index: int) -> str:
        """What a leaf commits to."""

    def proof(self, index: int) -> dict[str, Any]:
        """Leaf, path and signed checkpoint."""


class Shelf(Protocol):
    """Where members fetch objects."""

    def put(self, objects: list[dict[str, Any]]) -> None: ...
    def withdraw(self, objects: list[dict[str, Any]], at_us: int) -> None: ...
    def admit(self, member: str, clearance: int, active: bool) -> None: ...


@dataclass(slots=True)
class Desk:
    """A hub at work. One process works at a journal."""

    journal: Journal
    leaves: Leaves
    shelf: Shelf
    face: Face
    now_us: Callable[[], int]
    state: State = field(default_factory=State)
    _logged: int = 0
    _salts: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def catch_up(self) -> None:
        """Take in what others wrote into the journal, and make up what a crash left undone."""
        with self._lock:
            self._take_in(self.journal.since(self.state.seq))
            self._follow()

    def who(self, key_id: str) -> tuple[Who | None, str]:
        """Whose key this is, and the key itself."""
        self.catch_up()
        key = self.state.keys.get(key_id)
        return self.state.who(key_id), key.public if key else ""

    def do(self, who: Who, what: str, given: Any) -> dict[str, Any]:
        """What a member asks for; a receipt for each entry that was made.

        Raises:
            NotAllowed: it may not, or what it sent cannot be used.
        """
        rule = RULES.get(what)
        if rule is None:
            raise NotAllowed(404, "nothing of this name is done here", "see the page on the hub")
        with self._lock:
            made = self._make(who, lambda now: rule(self.state, who, given, now, self.face))
            return {"done": [self.receipt(seq) for seq in made], "already": not made}

    def note(self, *drafts: Draft) -> list[int]:
        """What whoever runs the hub does."""
        with self._lock:
            return self._make(None, lambda _now: list(drafts))

    def see(self, look: Callable[[State, int], Any]) -> Any:
        """What holds, through a view."""
        with self._lock:
            self.catch_up()
            return look(self.state, self.now_us())

    def close_rounds(self) -> None:
        """Close what is due: join, keep the pairs, destroy the tags."""
        with self._lock:
            self.catch_up()
            for held in list(self.state.rounds.values()):
                if rules_rounds.due(held, self.now_us()):
                    self._close(held.epoch)

    def receipt(self, seq: int) -> dict[str, Any]:
        """An entry, the salt of its leaf, and the proof that the leaf is in the log."""
        body, salt = self._salts[seq]
        return {"entry": json.loads(body), "salt": salt.hex(), "proof": self.leaves.proof(seq - 1)}

    def _make(self, who: Who | None, rule: Callable[[int], list[Draft]]) -> list[int]:
        with self.journal.writing() as writer:
            self._take_in(writer.since(self.state.seq))
            now = self.now_us()
            made = enter(writer, self.state.seq, who, rule(now), now)
        self._take_in(made)
        self._follow()
        return [seq for seq, _, _ in made]

    def _take_in(self, rows: list[tuple[int, bytes, bytes]]) -> None:
        for seq, body, salt in rows:
            self.state.apply(Entry(**json.loads(body)))
            self._salts[seq] = body, salt

    def _follow(self) -> None:
        """Log and put out what is in the journal and not there yet."""
        if self._logged != self.leaves.size:  # as this desk left it, unless it was opened just now
            self._hold_against_the_log()
        new = [self._salts[seq] for seq in range(self.leaves.size + 1, self.state.seq + 1)]
        if new:
            self.leaves.append([(commitment(body, salt), json.loads(body)["at_us"]) for body, salt in new])
            self._logged = self.leaves.size
        for seq in range(self.journal.mark(OUT) + 1, self.state.seq + 1):
            self._put_out(Entry(**json.loads(self._salts[seq][0])))
            self.journal.set_mark(OUT, seq)

    def _hold_against_the_log(self) -> None:
        size = self.leaves.size
        newest = self._salts.get(size)
        if newest is None or self.leaves.digest(size - 1) != commitment(*newest):
            raise VerificationError(
                f"the journal's {self.state.seq} entries are not those of the log's {size} leaves: an older copy?",
                hint="restore the newest journal, or the log that belongs to it",
            )
        self._logged = size

    def _put_out(self, entry: Entry) -> None:
        data = entry.data
        if entry.kind == "submission" and data["confirmed"]:
            self.shelf.put(self._objects(entry.seq))
        elif entry.kind == "confirmation":
            self.shelf.put(self._objects(self.state.submissions[data["submission"]].seq))
        elif entry.kind == "withdrawal":
            what = self.state.submissions[data["submission"]]
            if what.confirmed:
                own = [o for o in self._objects(what.seq) if o["id"] in what.objects]
                self.shelf.withdraw(own, entry.at_us)
            self.journal.drop([what.seq])
        elif entry.kind == "member":
            self.shelf.admit(data["name"], data["clearance"], data["active"])
        elif entry.kind == "joined":
            self.journal.drop(self.state.rounds[data["epoch"]].seqs)

    def _objects(self, seq: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.journal.blob(seq) or b"[]")
        return found

    def _close(self, epoch: str) -> None:
        held = self.state.rounds[epoch]
        blobs = {seq: json.loads(self.journal.blob(seq) or b"[]") for seq in held.seqs}
        honey = frozenset(map(bytes.fromhex, blobs[held.seqs[0]]))
        given = [
            rules_rounds.contribution(json.loads(self._salts[seq][0])["member"], epoch, blobs[seq])
            for seq in held.seqs[1:]
        ]
        given = [each for each in given if self.state.members[each.member].active]
        self._make(None, lambda _now: [rules_rounds.close(held, given, honey)])


def enter(
    writer: Writer, seq: int, who: Who | None, drafts: Sequence[Draft], now_us: int
) -> list[tuple[int, bytes, bytes]]:
    """Make drafts the next entries of a journal; number, body and salt of each."""
    made = []
    for n, draft in enumerate(drafts, seq + 1):
        by = (who.member, who.person) if who else ("", "")
        body = rfc8785.dumps(asdict(Entry(n, now_us, *by, draft.kind, draft.data)))
        salt = secrets.token_bytes(32)
        writer.append(n, body, salt, draft.blob)
        made.append((n, body, salt))
    return made


def commitment(body: bytes, salt: bytes) -> str:
    """What the leaf of an entry says: nobody can guess the entry from it, and no other entry fits it."""
    return hmac.new(salt, body, hashlib.sha256).hexdigest()


__all__ = ["Desk", "Journal", "Leaves", "Shelf", "commitment", "enter"]
