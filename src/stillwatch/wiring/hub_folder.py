"""The folder of a hub: what it is called, its journal, its log with the log's key, and the objects that it hands on.

Whoever runs a hub makes the folder once. Members, keys and rounds are entries of the journal, also when they are made
while the hub runs: it takes them in with its next request.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import threading
import tomllib
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stillwatch.errors import ConfigError, VerificationError
from stillwatch.records.sharing import Tlp
from stillwatch.wiring.progress import writable, write_private, write_whole
from stillwatch.wiring.taxii import now_us

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from stillwatch.evidence.keys import SigningKey
    from stillwatch.evidence.log import Log
    from stillwatch.evidence.note import Checkpoint
    from stillwatch.share.hub.desk import Desk
    from stillwatch.share.hub.pseudonym import Face

EXTRA_HINT = "install them: pip install 'stillwatch[hub]'"
ABOUT, LOG_KEY = "hub.toml", "log.pem"
HUB = "hub"
"""Owner of what the hub hands on; no member can have this name."""
_WITNESSED = "checkpoint.witnessed"
_LOG = logging.getLogger("stillwatch.hub")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")
_URL = re.compile(r"https?://[^/?#@\s\"]+")


def needs_extra() -> None:
    """Raise `ConfigError` when what a hub, a key holder or a member of one needs is not installed."""
    for name in (
        "cryptography",
        "httptools",
        "httpx",
        "rbcl",
        "rfc8785",
        "sqlalchemy",
        "starlette",
        "uvicorn",
    ):
        try:
            import_module(name)
        except ImportError as error:
            raise ConfigError(f"a hub needs the package {name}", hint=EXTRA_HINT) from error


@dataclass(frozen=True, slots=True)
class HubFolder:
    """A hub's folder, and what stands in its file."""

    path: Path
    name: str
    url: str
    contact: str
    identity: str
    collection: str
    witnesses: tuple[str, ...] = ()
    """Witnesses of its log, as lines ``URL KEY``."""
    witnesses_needed: int = 0
    """How many of them must have signed a checkpoint before it is served as witnessed."""

    @property
    def origin(self) -> str:
        """Name of its log."""
        place = self.url.partition("://")[2] or f"{re.sub('[^a-z0-9]+', '-', self.name.lower())}.invalid"
        return f"{place}/log"

    def face(self, address: str) -> Face:
        """How it appears in what it hands on."""
        from stillwatch.share.hub.pseudonym import Face

        return Face(self.identity, self.name, f"{self.url or address}/")


def new_hub(path: Path, *, name: str, url: str, contact: str) -> dict[str, Any]:
    """Make the folder of a hub."""
    needs_extra()
    if not _NAME.fullmatch(name):
        raise ConfigError(
            "a hub's name: letters, digits, blanks, `.`, `_` and `-`, at most 64", hint="--name"
        )
    if url and not _URL.fullmatch(url):
        raise ConfigError(
            "the hub's address: https://HOST or https://HOST:PORT, and nothing else", hint="--url"
        )
    if len(contact) > 200 or not contact.isprintable() or '"' in contact or "\\" in contact:
        raise ConfigError("contact: at most 200 printable characters, no quotes", hint="--contact")
    if path.exists() and any(path.iterdir()):
        raise ConfigError(f"{path.name} is not empty", hint="name a new folder")
    from stillwatch.evidence.keys import SigningKey
    from stillwatch.evidence.note import Verifier
    from stillwatch.share.taxii.members import put_collection
    from stillwatch.store.sql import writing

    made = HubFolder(path, name, url, contact, f"identity--{uuid.uuid4()}", str(uuid.uuid4()))
    with writable(path):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = SigningKey.new()
        write_private(path / LOG_KEY, key.pem(None))
        rows = {
            "name": name,
            "url": url,
            "contact": contact,
            "identity": made.identity,
            "collection": made.collection,
        }
        write_whole(path / ABOUT, "".join(f'{k} = "{v}"\n' for k, v in rows.items()))
        with shelf_store(made) as engine, writing(engine) as conn:
            put_collection(
                conn, uuid.UUID(made.collection), "Hub", root="community", description="", holds=Tlp.RED
            )
    return rows | {"log": Verifier(made.origin, key.public).vkey, "folder": str(path)}


def hub_folder(path: Path) -> HubFolder:
    """The folder of a hub that was made."""
    needs_extra()
    try:
        rows = tomllib.loads((path / ABOUT).read_text("utf-8"))
        name, url, contact, identity, collection = (
            str(rows[k]) for k in ("name", "url", "contact", "identity", "collection")
        )
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(
            f"{path.name or path} is not the folder of a hub",
            hint="make one: stillwatch hub new --name NAME --folder FOLDER",
        ) from error
    witnesses = rows.get("witnesses", [])
    needed = rows.get("witnesses_needed", len(witnesses))
    if not isinstance(witnesses, list) or type(needed) is not int or not 0 <= needed <= len(witnesses):
        raise ConfigError(
            f"{ABOUT}: witnesses is a list of lines, and witnesses_needed a number of them at most",
            hint="witnesses = ['URL KEY'], as a witness says it when it starts",
        )
    return HubFolder(path, name, url, contact, identity, collection, tuple(map(str, witnesses)), needed)


@contextmanager
def shelf_store(hub: HubFolder) -> Iterator[Engine]:
    """The database of the TAXII server that hands objects on."""
    from stillwatch.share.taxii.members import set_up
    from stillwatch.store.sql import open_database, set_up_tables

    engine = open_database(f"sqlite:///{(hub.path / 'taxii.db').resolve()}")
    try:
        set_up_tables(engine, set_up)
        yield engine
    finally:
        engine.dispose()


class HubShelf:
    """Objects go out in the hub's name, over TAXII."""

    def __init__(self, hub: HubFolder, engine: Engine, clock: Callable[[], int] = now_us) -> None:
        self._hub, self._engine, self._clock = hub, engine, clock

    def put(self, objects: list[dict[str, Any]]) -> None:
        """Add objects; what is there already stays as it is."""
        from stillwatch.share.taxii.keeping import Into, add
        from stillwatch.share.taxii.objects import Failed, check
        from stillwatch.store.sql import writing

        with writing(self._engine) as conn:
            into = Into(self._hub.collection, Tlp.RED, HUB, frozenset())
            made = add(conn, into, [check(o) for o in objects], self._clock())
        for one in made:
            if isinstance(
                one, Failed
            ):  # of what everybody sends along (techniques, markings), the first form stays
                _LOG.warning("%s was not put out: %s", one.object_id, one.reason)

    def withdraw(self, objects: list[dict[str, Any]], at_us: int) -> None:
        """Give each object its last version, which withdraws it; readers keep being served it."""
        from stillwatch.share.leads import withdrawn

        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
        self.put([withdrawn(o, at) for o in objects if o["type"] != "identity"])

    def admit(self, member: str, clearance: int, active: bool) -> None:
        """Let a member read what it is cleared for, or nothing any more."""
        from stillwatch.share.taxii import members
        from stillwatch.store.sql import writing

        with writing(self._engine) as conn:
            members.put_member(
                conn, member, clearance=Tlp(clearance), identity=None, active=active, now_us=self._clock()
            )
            members.allow(conn, member, self._hub.collection, can_read=True, can_write=False)


class HubLog:
    """The hub's own log: one leaf for each entry of its journal."""

    def __init__(self, log: Log, key: SigningKey) -> None:
        self._log, self._key = log, key
        self._lock = threading.Lock()
        self._signed = self._publish()
        self._witnessed = self._kept()
        self.grew = threading.Event()
        """Set when there is a newer checkpoint, for whoever has it witnessed."""

    @property
    def size(self) -> int:
        """Leaves."""
        return self._log.size

    @property
    def vkey(self) -> str:
        """The key with which it is signed, as one line."""
        from stillwatch.evidence.note import Verifier

        return Verifier(self._log.origin, self._key.public).vkey

    def append(self, leaves: Sequence[tuple[str, int]]) -> None:
        """Add leaves and publish a checkpoint."""
        from stillwatch.evidence.leaf import leaf
        from stillwatch.evidence.log import Log
        from stillwatch.records.evidence import LeafKind

        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        rows = [leaf(LeafKind.HUB, digest, epoch + timedelta(microseconds=at)) for digest, at in leaves]
        with self._lock:
            try:
                self._log.append(rows)
            except (
                Exception
            ):  # opened again, it holds what arrived and no torn end; the disk may have room by then
                self._log = Log(self._log.files, origin=self._log.origin)
                raise
            self._signed = self._publish()
        self.grew.set()

    def digest(self, index: int) -> str:
        """What a leaf commits to."""
        return str(json.loads(self._log.entry(index))["digest"]).removeprefix("sha256:")

    def proof(self, index: int) -> dict[str, Any]:
        """Leaf, path and signed checkpoint."""
        with self._lock:
            return {
                "index": index, "leaf": base64.b64encode(self._log.entry(index)).decode(),
                "path": [base64.b64encode(h).decode() for h in self._log.inclusion(index)],
                "checkpoint": self._newest(),
            }  # fmt: skip

    @property
    def newest(self) -> str:
        """The newest checkpoint, signed by the hub alone."""
        with self._lock:
            return self._newest()

    def grown(self, olds: Iterable[int], *, witnessed: bool = False) -> dict[str, Any]:
        """The newest checkpoint, or the newest that was witnessed, and for each size the proof that it only grew.

        The checkpoint is empty as long as none was witnessed.
        """
        with self._lock:
            signed = self._witnessed if witnessed else self._newest()
            size = _seen(signed).size if signed else 0
            paths = {
                str(old): [base64.b64encode(h).decode() for h in self._log.consistency(old, size)]
                for old in olds if 0 < old <= size
            }  # fmt: skip
            return {"checkpoint": signed, "paths": paths}

    def steps(self, old: int, new: int) -> list[bytes]:
        """The proof that the log only grew between two sizes."""
        with self._lock:
            return self._log.consistency(old, new)

    def witnessed(self, signed: str) -> None:
        """Serve a checkpoint with the lines of its witnesses from here on, also after a restart."""
        with self._lock:
            self._log.files.put(_WITNESSED, signed.encode())
            self._witnessed = signed

    def file(self, name: str) -> bytes | None:
        """A file of the log; its checkpoint is the newest that was witnessed, where any was."""
        with self._lock:
            if name == "checkpoint" and self._witnessed:
                return self._witnessed.encode()
            return self._log.files.read(name)

    def _newest(self) -> str:
        """The newest checkpoint, made up for where the disk did not take it with the leaves."""
        if _seen(self._signed).size != self._log.size:
            self._signed = self._publish()
        return self._signed

    def _kept(self) -> str:
        """The checkpoint that was witnessed last, if it is one of this log."""
        signed = (self._log.files.read(_WITNESSED) or b"").decode("utf-8", "replace")
        if signed:
            seen = _seen(signed)
            if seen.size > self._log.size or self._log.root(seen.size) != seen.root:
                raise VerificationError(
                    f"the log has {self._log.size} leaves, and witnesses have signed another of {seen.size}",
                    hint="restore the newest copy of the hub's folder, as a whole",
                )
        return signed

    def _publish(self) -> str:
        from stillwatch.evidence.note import note, sign

        return self._log.publish(lambda text: note(text, [sign(text, self._key, self._log.origin)]))


def _seen(signed: str) -> Checkpoint:
    from stillwatch.evidence.note import Checkpoint, split

    return Checkpoint.parse(split(signed)[0])


@contextmanager
def hub_log(hub: HubFolder) -> Iterator[HubLog]:
    """The log, for its one writer."""
    from stillwatch.evidence.keys import SigningKey
    from stillwatch.evidence.log import Log
    from stillwatch.store.tiles import TileFolder

    key = SigningKey.from_pem((hub.path / LOG_KEY).read_bytes(), None)
    with TileFolder(hub.path / "log") as files:
        yield HubLog(Log(files, origin=hub.origin), key)


@contextmanager
def hub_at_work(hub: HubFolder, address: str) -> Iterator[tuple[Desk, HubLog, Engine]]:
    """Everything that a running hub needs, brought up to date."""
    from stillwatch.share.hub.desk import Desk
    from stillwatch.store.hub_journal import Journal

    with shelf_store(hub) as engine, hub_log(hub) as log:
        journal = Journal(hub.path / "journal.db")
        desk = Desk(journal, log, HubShelf(hub, engine), hub.face(address), now_us)
        desk.catch_up()
        yield desk, log, engine


__all__ = ["HUB", "HubFolder", "hub_at_work", "hub_folder", "needs_extra", "new_hub", "shelf_store"]
