"""The log on disk: leaves in, checkpoints out, witnesses asked."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stillwatch.errors import ConfigError, UpstreamError, VerificationError
from stillwatch.evidence.bag import digest
from stillwatch.settings import Settings
from stillwatch.wiring import witnesses
from stillwatch.wiring.evidence_keys import needs_extra, read_list, signing_key

if TYPE_CHECKING:
    from stillwatch.evidence.keys import SigningKey
    from stillwatch.evidence.log import Log
    from stillwatch.evidence.note import Verifier

NEWEST = 4096
"""Leaves that are looked through for one that arrived before a crash."""
WITNESSED = "witnessed"
"""Size that the witnesses have seen, by the mark of their key."""


def in_use(settings: Settings) -> bool:
    """Whether there is a key with which the log signs its checkpoints."""
    from stillwatch.evidence.keys import Role

    return any(row.role is Role.LOG and row.revoked_at is None for row in read_list(settings))


@contextmanager
def opened(settings: Settings, *, reading: bool = False) -> Iterator[Log]:
    """The log, as its one writer, or as a reader who leaves everything as it is."""
    from stillwatch.evidence.log import Log
    from stillwatch.store.tiles import TileFolder

    with TileFolder(Path(settings.evidence.log), reading=reading) as files:
        yield Log(files, origin=settings.evidence.origin, mend=not reading)


def log_name(settings: Settings, env: Mapping[str, str] = os.environ) -> dict[str, Any] | None:
    """What a statement says of the log; None when no log is kept."""
    from stillwatch.evidence.keys import Role
    from stillwatch.evidence.note import Verifier

    if not in_use(settings):
        return None
    _, key = signing_key(settings, None, Role.LOG, now=datetime.now(UTC), env=env)
    return {
        "origin": settings.evidence.origin, "vkey": Verifier(settings.evidence.origin, key.public).vkey,
        "witnesses": [w.split(" ")[1] for w in settings.evidence.witnesses],
        "witnesses_needed": settings.evidence.witnesses_needed,
    }  # fmt: skip


def log_key(settings: Settings, env: Mapping[str, str] = os.environ) -> SigningKey:
    """The key with which the log signs.

    Raises:
        ConfigError: it is not here, or is sealed under a passphrase that is not in the environment.
    """
    from stillwatch.evidence.keys import Role

    return signing_key(settings, None, Role.LOG, now=datetime.now(UTC), env=env)[1]


def publish(settings: Settings, log: Log, key: SigningKey) -> str:
    """Sign a checkpoint over everything in the log, and have it witnessed."""
    from stillwatch.evidence.note import note, sign

    signed = log.publish(lambda text: note(text, [sign(text, key, settings.evidence.origin)]))
    return _witnessed(settings, log, signed)


def append(
    settings: Settings, leaves: Sequence[bytes], env: Mapping[str, str] = os.environ
) -> dict[str, Any]:
    """Append leaves, publish a checkpoint, have it witnessed; returns the proof of the last leaf.

    A leaf of the same kind and digest among the newest ones is taken for this one: whoever does not know whether a
    leaf arrived may append it again.
    """
    key = log_key(settings, env)
    with opened(settings) as log:
        known = _newest(log)
        missing = [entry for entry in leaves if _about(entry) not in known]
        if missing:
            first = log.append(missing)
            known |= {_about(entry): (first + n, entry) for n, entry in enumerate(missing)}
        index, last = known[_about(leaves[-1])]
        signed = publish(settings, log, key)
        return {
            "leaf": base64.b64encode(last).decode(), "index": index, "checkpoint": signed,
            "path": [base64.b64encode(step).decode() for step in log.inclusion(index)],
        }  # fmt: skip


def _newest(log: Log) -> dict[tuple[str, str], tuple[int, bytes]]:
    """Place and entry of the newest leaves, by kind and digest."""
    start = max(0, log.size - NEWEST)
    return {_about(entry): (start + n, entry) for n, entry in enumerate(log.entries(start))}


def _about(entry: bytes) -> tuple[str, str]:
    try:
        found = json.loads(entry)
        return str(found["kind"]), str(found["digest"])
    except (ValueError, KeyError, TypeError):
        return "", entry.hex()


def _witnessed(settings: Settings, log: Log, signed: str) -> str:
    """The checkpoint with the lines of witnesses."""
    wanted = settings.evidence.witnesses_needed
    lines: list[str] = []
    failed: list[str] = []
    seen: dict[str, int] = json.loads(log.files.read(WITNESSED) or b"{}")
    for url, witness in witnesses.named(settings.evidence.witnesses):
        try:
            lines.append(witnesses.cosigned(url, witness, signed, seen.get(witness.vkey, 0), log.consistency))
        except (UpstreamError, VerificationError) as error:
            failed.append(str(error))
        else:
            seen[witness.vkey] = log.size
    if settings.evidence.witnesses:
        log.files.put(WITNESSED, json.dumps(seen).encode())
    if len(lines) < wanted:
        raise UpstreamError(
            f"{wanted} witnesses must sign the checkpoint, and {len(lines)} did: {'; '.join(failed)}",
            hint="the leaf is in the log; seal the package again when they answer: stillwatch evidence sign",
        )
    return signed + "".join(lines)


def log_files(settings: Settings, kind: str, paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Log the digests of files or folders, under a kind of leaf; a run has the one that scans and packages give it."""
    needs_extra()
    from stillwatch.evidence.leaf import leaf
    from stillwatch.records.evidence import LeafKind

    if not in_use(settings):
        raise ConfigError("no log is kept: it has no key", hint="stillwatch evidence key new NAME --role log")
    from stillwatch.wiring.evidence_case import run_digest

    rows = [(p, run_digest(p) if kind == LeafKind.RUN and p.is_dir() else tree_digest(p)) for p in paths]
    now = datetime.now(UTC)
    return [
        {"index": append(settings, [leaf(LeafKind(kind), found, now)])["index"], "kind": kind, "sha256": found,
         "name": path.name} for path, found in rows
    ]  # fmt: skip


def check_log(settings: Settings, against: Path | None) -> dict[str, Any]:
    """Read the whole log, and hold it against its checkpoint and one that was kept elsewhere; nothing is mended.

    Raises:
        VerificationError: it does not fit together, no key of the log signed its checkpoint, or it is not the log that
            was seen.
    """
    needs_extra()
    from stillwatch.evidence.log import CHECKPOINT
    from stillwatch.evidence.merkle import check_consistency
    from stillwatch.evidence.note import Checkpoint
    from stillwatch.evidence.note import opened as opened_note

    keys = _keys_of_the_log(settings)
    if not keys:
        raise ConfigError("no log is kept: it has no key", hint="stillwatch evidence key new NAME --role log")
    with opened(settings, reading=True) as log:
        signed = log.files.read(CHECKPOINT)
        own = opened_note(signed.decode("utf-8", "replace"), keys)[0] if signed is not None else ""
        result = {
            "origin": log.origin, "leaves": log.audit(), "root": log.root().hex(), "vkey": keys[0].vkey,
            "signed_leaves": Checkpoint.parse(own).size if own else 0, "unfinished": list(log.unfinished),
        }  # fmt: skip
        if against is None:
            return result
        text, _ = opened_note(against.read_text("utf-8", "replace"), keys)
        seen = Checkpoint.parse(text)
        if seen.size > log.size:
            raise VerificationError(
                f"the log was truncated: {log.size} leaves, and the checkpoint has {seen.size}",
                hint="restore the log from a backup, and find out who shortened it",
            )
        proof = log.consistency(seen.size) if seen.size else []
        check_consistency(seen.size, log.size, proof, seen.root, log.root())
        return {**result, "grew_from": seen.size}


def tree_digest(path: Path) -> str:
    """Digest of a file, or of a folder's files by name."""
    if path.is_file():
        return digest(path, "sha256")
    rows = "".join(
        f"{digest(p, 'sha256')}  {p.relative_to(path).as_posix()}\n"
        for p in sorted(path.rglob("*"))
        if p.is_file()
    )
    return hashlib.sha256(rows.encode("utf-8", "surrogateescape")).hexdigest()


def _keys_of_the_log(settings: Settings) -> list[Verifier]:
    """Every key with which the log signs or has signed, the one in use first: an old checkpoint is still its own."""
    from stillwatch.evidence.keys import Role, public_of
    from stillwatch.evidence.note import Verifier

    rows = sorted(
        (row for row in read_list(settings) if row.role is Role.LOG), key=lambda r: r.revoked_at is not None
    )
    return [Verifier(settings.evidence.origin, public_of(row.public)) for row in rows]
