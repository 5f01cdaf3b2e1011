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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stillwatch.errors import ConfigError
from stillwatch.records.sharing import Tlp
from stillwatch.wiring.progress import writable, write_private, write_whole
from stillwatch.wiring.taxii import now_us

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from stillwatch.evidence.keys import SigningKey
    from stillwatch.evidence.log import Log
    from stillwatch.share.hub.desk import Desk
    from stillwatch.share.hub.pseudonym import Face

EXTRA_HINT = "install them: pip install 'stillwatch[hub]'"
ABOUT, LOG_KEY = "hub.toml", "log.pem"
HUB = "hub"
"""Owner of what the hub hands on; no member can have this name."""
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

    @property
    def origin(self) -> str:
        """Name of its log."""
        return f"{self.url.partition('://')[2]}/log"

    @property
    def face(self) -> Face:
        """How it appears in what it hands on."""
        from stillwatch.share.hub.pseudonym import Face

        return Face(self.identity, self.name, f"{self.url}/")


def new_hub(path: Path, *, name: str, url: str, contact: str) -> dict[str, Any]:
    """Make the folder of a hub."""
    needs_extra()
    if not _NAME.fullmatch(name):
        raise ConfigError(
            "a hub's name: letters, digits, blanks, `.`, `_` and `-`, at most 64", hint="--name"
        )
    if not _URL.fullmatch(url):
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
        return HubFolder(path, *(str(rows[k]) for k in ("name", "url", "contact", "identity", "collection")))
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(
            f"{path.name or path} is not the folder of a hub", hint="make one: stillwatch hub new FOLDER"
        ) from error


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


class HubLog:
    """The hub's own log: one leaf for each entry of its journal."""

    def __init__(self, log: Log, key: SigningKey) -> None:
        self._log, self._key = log, key
        self._lock = threading.Lock()
        self._signed = self._publish()

    @property
    def size(self) -> int:
        """Leaves."""
        return self._log.size

    @property
    def checkpoint(self) -> str:
        """The newest checkpoint."""
        return self._signed

    def append(self, leaves: Sequence[tuple[str, int]]) -> None:
        """Add leaves and publish a checkpoint."""
        from stillwatch.evidence.leaf import leaf
        from stillwatch.records.evidence import LeafKind

        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        rows = [leaf(LeafKind.HUB, digest, epoch + timedelta(microseconds=at)) for digest, at in leaves]
        with self._lock:
            self._log.append(rows)
            self._signed = self._publish()

    def digest(self, index: int) -> str:
        """What a leaf commits to."""
        return str(json.loads(self._log.entry(index))["digest"]).removeprefix("sha256:")

    def proof(self, index: int) -> dict[str, Any]:
        """Leaf, path and signed checkpoint."""
        with self._lock:
            return {
                "index": index, "leaf": base64.b64encode(self._log.entry(index)).decode(),
                "path": [base64.b64encode(h).decode() for h in self._log.inclusion(index)],
                "checkpoint": self._signed,
            }  # fmt: skip

    def consistency(self, old: int) -> dict[str, Any]:
        """The newest checkpoint, and the proof that the log only grew since it had a size."""
        with self._lock:
            steps = self._log.consistency(old) if 0 < old <= self._log.size else []
            return {"checkpoint": self._signed, "path": [base64.b64encode(h).decode() for h in steps]}

    def file(self, name: str) -> bytes | None:
        """A file of the log."""
        with self._lock:
            return self._log.files.read(name)

    def _publish(self) -> str:
        from stillwatch.evidence.note import note, sign

        return self._log.publish(lambda text: note(text, [sign(text, self._key, self._log.origin)]))


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
def hub_at_work(hub: HubFolder) -> Iterator[tuple[Desk, HubLog, Engine]]:
    """Everything that a running hub needs, brought up to date."""
    from stillwatch.share.hub.desk import Desk
    from stillwatch.store.hub_journal import Journal

    with shelf_store(hub) as engine, hub_log(hub) as log:
        journal = Journal(hub.path / "journal.db")
        desk = Desk(journal, log, HubShelf(hub, engine), hub.face, now_us)
        desk.catch_up()
        yield desk, log, engine


__all__ = ["HUB", "HubFolder", "hub_at_work", "hub_folder", "needs_extra", "new_hub", "shelf_store"]
