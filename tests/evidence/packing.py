"""A small package, written with the room's own parts, to be turned round, cut and forged by tests."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stillwatch.evidence.bag import manifest, tag_files
from stillwatch.evidence.canonical import canonical, sha256
from stillwatch.evidence.custody import Event, chain
from stillwatch.evidence.dsse import envelope, statement
from stillwatch.evidence.keys import ListedKey, Role, SigningKey, listed, rows_of
from stillwatch.evidence.leaf import leaf
from stillwatch.evidence.log import Log
from stillwatch.evidence.note import Verifier, note, sign
from stillwatch.evidence.redact import withhold
from stillwatch.evidence.standalone.verify_package import Trust
from stillwatch.records.evidence import LeafKind
from tests.evidence.making import Disk, a_key

DAY = datetime(2026, 3, 10, tzinfo=UTC)
ACQUIRER, REVIEWER, LOG_KEY = a_key("acquirer"), a_key("reviewer"), a_key("log")
ORIGIN = "log.example/evidence"
TRUST = Trust(frozenset({ACQUIRER.key_id, REVIEWER.key_id}))


def key_rows() -> list[ListedKey]:
    """The key list of the tests."""
    return [listed(ACQUIRER, "A", Role.ACQUIRER, DAY), listed(REVIEWER, "B", Role.REVIEWER, DAY)]


def small(
    folder: Path, *, signers: Sequence[SigningKey] = (ACQUIRER, REVIEWER), needed: int = 2, keys: Any = None,
    stamp: Sequence[Callable[[bytes], bytes]] = (), logged: bool = True, exhibits: dict[str, Any] | None = None,
    withholds: Sequence[str] = (), extra: dict[str, bytes] | None = None, made: datetime = DAY, **said: Any,
) -> list[Any]:  # fmt: skip
    """Write a package; returns what opens its withheld fields."""
    openings: list[Any] = []
    index = []
    files: dict[str, bytes] = {}
    for name, value in (exhibits or {"a": {"account_id": "acct-1", "n": 1}}).items():
        path = f"data/exhibits/{name}.json"
        clean, more = withhold(value, path, withholds, bytes_in_turn())
        openings += more
        files[path] = canonical(clean)
        index.append({"path": path, "sha256": sha256(files[path])})
    lines, head = chain([Event(DAY, "A", "acquired", "run", "00"), Event(DAY, "A", "sealed", "a", "00")])
    files |= {
        "data/exhibits.json": canonical(index), "data/custody.jsonl": lines,
        "data/keys.json": canonical(rows_of(keys or key_rows())),
        "data/redactions.json": canonical([{"where": o.where, "commitment": o.commitment} for o in openings]),
        **(extra or {}),
    }  # fmt: skip
    for name, data in files.items():
        put(folder, name, data)
    tags = tag_files(folder, {"External-Identifier": "P-1"})
    for name, data in tags.items():
        put(folder, name, data)
    named = {
        "origin": ORIGIN, "vkey": Verifier(ORIGIN, LOG_KEY.public).vkey, "witnesses": [], "witnesses_needed": 0,
    } if logged else None  # fmt: skip
    predicate = {
        "package_id": "P-1", "created_at": made.isoformat(), "signatures_needed": needed,
        "timestamps_needed": len(stamp), "log": named, "custody_head": head, **said,
    }  # fmt: skip
    data = envelope(statement({n: sha256(d) for n, d in tags.items()}, predicate), signers)
    put(folder, "seal/statement.dsse.json", data)
    for number, answer in enumerate(stamp, 1):
        put(folder, f"seal/timestamp-{number}.tsr", answer(data))
    if logged:
        put(folder, "seal/log.json", canonical(proof(leaf(LeafKind.PACKAGE, sha256(data), DAY))))
    seal(folder)
    return openings


def proof(entry: bytes) -> dict[str, Any]:
    """The place of an entry in a log of three."""
    log = Log(Disk(), origin=ORIGIN)
    log.append([b"before", entry, b"after"])
    signed = log.publish(lambda text: note(text, [sign(text, LOG_KEY, ORIGIN)]))
    return {
        "leaf": base64.b64encode(entry).decode(), "index": 1, "checkpoint": signed,
        "path": [base64.b64encode(step).decode() for step in log.inclusion(1)],
    }  # fmt: skip


def seal(folder: Path) -> None:
    """List the seal's own files again, as somebody who changed them would."""
    rest = sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_relative_to(folder / "data"))
    put(
        folder,
        "tagmanifest-sha256.txt",
        manifest(folder, [p for p in rest if p.name != "tagmanifest-sha256.txt"], "sha256"),
    )


def resigned(folder: Path, change: Callable[[dict[str, Any]], None], *, keys: Sequence[SigningKey]) -> None:
    """The statement changed and signed again by whoever holds these keys."""
    outer = json.loads((folder / "seal/statement.dsse.json").read_bytes())
    body = json.loads(base64.b64decode(outer["payload"]))
    change(body)
    put(folder, "seal/statement.dsse.json", envelope(canonical(body), keys))
    seal(folder)


def put(folder: Path, name: str, data: bytes) -> None:
    """A file of a package."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def bytes_in_turn() -> Callable[[int], bytes]:
    """Salts that differ and repeat at every run; of tests only."""
    count = iter(range(1, 1_000_000))
    return lambda size: next(count).to_bytes(size, "big")
