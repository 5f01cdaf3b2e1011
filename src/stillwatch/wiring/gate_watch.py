"""Follows what is published to a gate, in a thread beside the requests.

What changed is loaded beside what is in force and takes its place by the swap of one reference. What cannot be
used is refused aloud. While this thread is at work, threads take shorter turns, and while something loads nobody
looks for garbage, so that a request that is being decided waits half a millisecond for the interpreter, not five or
forty. A table is touched whole before it takes its place: pages come from the disk here, not in a decision. What was in
force is let go of here as well, one look later, since unmapping a table takes milliseconds.
"""

from __future__ import annotations

import mmap
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from stillwatch.protect.risk import RiskTable
from stillwatch.wiring.garbage import uncollected
from stillwatch.wiring.gate_folder import RISK, SWITCHES, put_pieces, read_switches, stamp
from stillwatch.wiring.in_force import InForce, usable_policy

if TYPE_CHECKING:
    from stillwatch.wiring.policy import Gate

FLUSH_S = 1.0
TURN_S = 0.0005
PUBLISHED = (RISK, SWITCHES)

Stamps = dict[str, tuple[int, int, int] | None]


class Board(Protocol):
    """Where replicas on several machines take published files from."""

    def numbers(self, names: tuple[str, ...]) -> dict[str, int]:
        """Numbers of the files that were published; one rises with every change."""

    def pieces(self, name: str) -> Iterator[bytes]:
        """A file, in pieces."""

    def close(self) -> None:
        """Let go of it."""


class Mirror:
    """Copies what is on a board into the gate's folder when it is new."""

    def __init__(self, board: Board, folder: Path) -> None:
        self._board, self._folder = board, folder
        self._seen: dict[str, int] = {}

    def look(self, switched: Callable[[], None] = lambda: None) -> None:
        """Copy what changed, and call ``switched`` when switches are new, which also happens in the middle of a table.

        Raises `UpstreamError` while the board is gone.
        """
        numbers = self._board.numbers(PUBLISHED)
        self._copy(SWITCHES, numbers, self._board.pieces(SWITCHES), switched)
        self._copy(RISK, numbers, self._table(switched), lambda: None)

    def _copy(
        self, name: str, numbers: Mapping[str, int], pieces: Iterable[bytes], then: Callable[[], None]
    ) -> None:
        number = numbers.get(name)
        if number is None or self._seen.get(name) == number:
            return
        if put_pieces(self._folder / name, pieces, partial(self._still, name, number)):
            self._seen[name] = number
            then()

    def _table(self, switched: Callable[[], None]) -> Iterator[bytes]:
        """Pieces of the table. A kill switch does not wait for the last of them."""
        for piece in self._board.pieces(RISK):
            yield piece
            numbers = self._board.numbers((SWITCHES,))
            self._copy(SWITCHES, numbers, self._board.pieces(SWITCHES), switched)

    def _still(self, name: str, number: int) -> bool:
        return self._board.numbers((name,)).get(name) == number

    def close(self) -> None:
        """Let go of the board."""
        self._board.close()


def stamps(policy: str | Path | None, folder: Path) -> Stamps:
    """What tells whether something changed on disk."""
    files = {"table": folder / RISK, "off": folder / SWITCHES}
    if policy is not None:
        files["policy"] = Path(policy)
    return {name: stamp(path) for name, path in files.items()}


class Watch(threading.Thread):
    """Looks every so often; also has what is only in memory written down once a second."""

    def __init__(
        self, gate: Gate, policy: str | Path | None, folder: Path, seen: Stamps, *, every_s: float, keyed: bool,
        mirror: Mirror | None = None,
    ) -> None:  # fmt: skip
        super().__init__(name="stillwatch-gate", daemon=True)
        self._gate, self._policy, self._folder = gate, policy, folder
        self._seen, self._last = dict(seen), dict(seen)
        self._every, self._keyed, self._mirror = every_s, keyed, mirror
        self._end = threading.Event()
        self._former: list[InForce] = []
        """What was in force until the last look: decisions that began with it are over by the next."""
        self._mappings: list[mmap.mmap] = []
        """Files of former tables that are still to be closed."""
        self._flushed = time.monotonic()

    def run(self) -> None:
        while not self._end.wait(self._every):
            with _short_turns():
                try:
                    self.look()
                except (
                    Exception
                ) as error:  # whatever it is: a watch that ended would never hear of a kill switch
                    self._gate.told(error)
                if time.monotonic() - self._flushed >= FLUSH_S:
                    self._flushed = time.monotonic()
                    self._gate.flush()
        if self._mirror is not None:
            self._mirror.close()

    def look(self) -> None:
        """Load what changed since the last look."""
        self._let_go()
        if self._mirror is not None:
            try:
                self._mirror.look(self._switched)
            except Exception as error:  # the store is gone: what is in force stays
                self._gate.told(error)
        now = stamps(self._policy, self._folder)
        changed = [name for name in now if now[name] != self._seen[name]]
        if now.get("policy") != self._last.get("policy") and "policy" in changed:
            changed.remove("policy")  # somebody is writing: look again before believing it
        self._last = now
        if changed:
            with uncollected():
                for name in changed:
                    self._reload(name)
                    self._seen[name] = now[name]

    def _let_go(self) -> None:
        """Of what was in force until the last look, and of files that no decision looks into any more."""
        self._former.clear()
        waiting, self._mappings = self._mappings, []
        for mapping in waiting:
            try:
                mapping.close()
            except BufferError:  # a decision is still under way with it: at the next look
                self._mappings.append(mapping)

    def _switched(self) -> None:
        """Take over new switches at once."""
        self._reload("off")
        self._seen["off"] = stamp(self._folder / SWITCHES)

    def _reload(self, name: str) -> None:
        try:
            before = self._gate.in_force
            if name == "policy":
                after = before.with_policy(usable_policy(self._policy, self._folder, keyed=self._keyed))
            elif name == "table":
                after = InForce.of(before.policy, RiskTable.open(self._folder / RISK), before.off)
            else:
                after = replace(before, off=read_switches(self._folder))
            self._gate.swap(after)
            self._former.append(before)
            if after.table is not before.table and before.table.mapping is not None:
                self._mappings.append(before.table.mapping)
        except Exception as error:
            self._gate.refuse(error)

    def stop(self) -> None:
        """End, and wait for the end."""
        self._end.set()
        self.join(timeout=10.0)


@contextmanager
def _short_turns() -> Iterator[None]:
    turns = sys.getswitchinterval()
    sys.setswitchinterval(TURN_S)
    try:
        yield
    finally:
        sys.setswitchinterval(turns)
