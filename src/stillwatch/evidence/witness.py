"""A witness of logs: it signs a checkpoint once it has seen that the log only grew from the one it signed before.

Whoever keeps a log and its key can show one log to one reader and another to the next. A witness that holds the newest
checkpoint it has signed sees both, and signs one of them only. What it holds is on the disk before its signature
leaves, so that no crash makes it forget what it has signed.

Two checkpoints of one size with different roots, both signed by the log, are kept: they prove that the log was split.

Limits: the first checkpoint of a log is taken as it is, whatever came before. A witness reads no leaves: it vouches for
growth, not for content.

References: C2SP tlog-witness (``add-checkpoint``) and tlog-cosignature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from stillwatch.errors import ConfigError, VerificationError
from stillwatch.evidence.keys import SigningKey
from stillwatch.evidence.merkle import EMPTY, check_consistency
from stillwatch.evidence.note import MOST_BYTES as MOST_NOTE
from stillwatch.evidence.note import Checkpoint, Kind, Verifier, cosign, note, opened, split

MOST_STEPS = 63
MOST_BYTES = MOST_NOTE + 64 * MOST_STEPS
"""Bytes of a request that are read at all."""
MOST_FORKS = 100
"""Proofs of split logs that are kept; more prove nothing new."""
_OLD = re.compile(r"old (0|[1-9]\d{0,18})")
_SIZE = "text/x.tlog.size"


class Memory(Protocol):
    """Where a witness keeps what it has signed. What was put is durable when `put` returns."""

    def read(self, name: str) -> bytes | None: ...
    def put(self, name: str, data: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered over HTTP."""

    status: int
    body: str = ""
    media_type: str = "text/plain"


class _Malformed(Exception):
    """What was sent is no request of the protocol."""


class Witness:
    """One witness of some logs. Requests are answered one after the other.

    Args:
        memory: what was signed before. key: with which it signs. name: under which others know it.
        logs: keys of the logs that it watches; their names are the logs' origins. clock: seconds since 1970.

    Raises:
        ConfigError: no log is named, or one with a key of another kind.
        VerificationError: the name cannot be one, or what it keeps of a log is damaged.
    """

    def __init__(
        self, memory: Memory, key: SigningKey, name: str, logs: Iterable[Verifier], clock: Callable[[], float]
    ) -> None:
        self._memory, self._key, self._name, self._clock = memory, key, name, clock
        Verifier.parse(self.vkey)
        self._keys: dict[str, list[Verifier]] = {}
        for log in logs:
            if log.kind is not Kind.ED25519:
                raise ConfigError(
                    f"{log.name} is the key of a witness, not of a log",
                    hint="`stillwatch evidence log check` shows it",
                )
            self._keys.setdefault(log.name, []).append(log)
        if not self._keys:
            raise ConfigError("a witness watches at least one log", hint="name its key: --log KEY")
        self._lock, self._forks = threading.Lock(), 0
        self._seen: dict[str, Checkpoint] = {}
        for origin in self._keys:
            if (kept := memory.read(_place(origin))) is not None:
                self._seen[origin] = _kept(kept, origin)

    @property
    def vkey(self) -> str:
        """The key by which others know it, as one line."""
        return Verifier(self._name, self._key.public, Kind.COSIGNATURE).vkey

    @property
    def seen(self) -> Mapping[str, Checkpoint]:
        """The newest checkpoint of each log that it has signed."""
        return dict(self._seen)

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer one request; its status is that of the protocol. Never raises for what was sent."""
        try:
            old, steps, signed = _parsed(body)
            new = Checkpoint.parse(split(signed)[0])
        except (_Malformed, VerificationError):
            return Answer(400, "this is no request of tlog-witness\n")
        if new.origin not in self._keys:
            return Answer(404, "this log is not watched here\n")
        try:
            text, _ = opened(signed, self._keys[new.origin])
        except VerificationError:
            return Answer(403, "no key of this log signed the checkpoint\n")
        if old > new.size:
            return Answer(400, "the old size is above the size of the checkpoint\n")
        with self._lock:
            return self._grown(old, steps, new, text, signed)

    def _grown(self, old: int, steps: list[bytes], new: Checkpoint, text: str, signed: str) -> Answer:
        before = self._seen.get(new.origin, Checkpoint(new.origin, 0, EMPTY))
        if old != before.size:
            return Answer(409, f"{before.size}\n", _SIZE)
        if new.size == before.size and new.root != before.root:
            self._keep_fork(signed)
            return Answer(409, f"{before.size}\n", _SIZE)
        try:
            check_consistency(before.size, new.size, steps, before.root, new.root)
        except VerificationError:
            return Answer(422, "the proof does not show that the log only grew\n")
        line = cosign(text, self._key, self._name, int(self._clock()))
        self._memory.put(_place(new.origin), note(text, [line]).encode())
        self._seen[new.origin] = new
        return Answer(200, line)

    def _keep_fork(self, signed: str) -> None:
        if self._forks < MOST_FORKS:
            self._forks += 1
            self._memory.put(f"forks/{hashlib.sha256(signed.encode()).hexdigest()}", signed.encode())


def _parsed(body: bytes) -> tuple[int, list[bytes], str]:
    """Old size, proof and signed checkpoint of a request."""
    try:
        head, found, signed = body.decode("utf-8").partition("\n\n")
    except UnicodeDecodeError as error:
        raise _Malformed from error
    first, *lines = head.split("\n")
    size = _OLD.fullmatch(first)
    if not found or size is None or len(lines) > MOST_STEPS or len(body) > MOST_BYTES:
        raise _Malformed
    try:
        steps = [base64.b64decode(line, validate=True) for line in lines]
    except (binascii.Error, ValueError) as error:
        raise _Malformed from error
    if any(len(step) != 32 for step in steps):
        raise _Malformed
    return int(size[1]), steps, signed


def _place(origin: str) -> str:
    return f"logs/{hashlib.sha256(origin.encode()).hexdigest()}"


def _kept(data: bytes, origin: str) -> Checkpoint:
    try:
        found = Checkpoint.parse(split(data.decode("utf-8", "replace"))[0])
    except VerificationError:
        found = Checkpoint("", 0, EMPTY)
    if found.origin != origin:
        raise VerificationError(
            f"what the witness has signed of {origin} cannot be read",
            hint="take its folder from a backup: without it the witness would sign another log of this name",
        )
    return found


__all__ = ["MOST_BYTES", "Answer", "Memory", "Witness"]
