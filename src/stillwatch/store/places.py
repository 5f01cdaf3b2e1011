"""Where the files of a store lie: a folder, or a prefix of an object store, behind the same few words.

A file appears whole or not at all in both: a folder by writing beside and renaming, an object store by its own
guarantee. A folder has one writer at a time, by a lock; an object store has no locks, and whoever runs two writers on
one prefix has to keep them apart.

>>> place_of("s3://bucket/logs"), place_of("logs")
(ObjectPlace('s3://bucket/logs'), FolderPlace('logs'))
"""

from __future__ import annotations

import errno
import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from stillwatch.errors import ConfigError, SourceError, UpstreamError
from stillwatch.store.folders import sync_folder

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # Windows; told apart below

LOCK = ".lock"
_STAGING = ".staging-"
_READ_AHEAD = 8 * 2**20
EXTRA = {"s3": "s3", "s3a": "s3"}
"""Schemes for which stillwatch has an extra; for others fsspec names what is missing."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a place."""

    name: str
    """Relative to the place, with ``/``."""
    size: int
    """Bytes."""
    version: str = ""
    """Of an object: what changes when its bytes do, as far as the store says."""


class Place(Protocol):
    """What a store needs of the thing it lies in."""

    name: str

    def entries(self) -> list[Entry]:
        """Every file that is not hidden, sorted by name."""

    def exists(self, name: str) -> bool:
        """Whether the file is there, hidden or not."""

    def open(self, name: str) -> BinaryIO:
        """A file for reading; it can seek."""

    def put(self, name: str, path: Path) -> None:
        """Make a finished local file the file of that name: whole, durable, replacing what is there."""

    def remove(self, name: str) -> None:
        """Remove a file; one that is gone already is no error."""

    def writing(self) -> Any:
        """Context of the one writer; gives a local folder for files that are being made."""


def is_url(given: str) -> bool:
    """Whether an input names an object store rather than a path.

    >>> is_url("s3://bucket/logs/"), is_url("logs/day=1"), is_url("-")
    (True, False, False)
    """
    scheme, found, _ = given.partition("://")
    return bool(found) and scheme.isalnum() and scheme != "file"


def place_of(given: str | Path) -> Place:
    """The place that a path or URL names. Nothing is opened yet."""
    return ObjectPlace(str(given)) if is_url(str(given)) else FolderPlace(Path(given))


def visible(name: str) -> bool:
    """Whether no part of a relative name is hidden: tables are read by many programs, and all skip these.

    >>> visible("day=2026-11-24/features-1.parquet"), visible(".lock"), visible("_tmp/x")
    (True, False, False)
    """
    return not any(part.startswith((".", "_")) for part in name.split("/"))


class FolderPlace:
    """A folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.name = folder, str(folder)

    def __repr__(self) -> str:
        return f"FolderPlace({self.name!r})"

    def entries(self) -> list[Entry]:
        if self.folder.exists() and not self.folder.is_dir():
            raise ConfigError(f"{self.folder.name} is not a folder", hint="name the folder of a store")
        found = []
        for here, folders, files in os.walk(self.folder):
            folders[:] = sorted(f for f in folders if visible(f))
            for file in files:
                path = Path(here, file)
                if visible(file) and path.is_file():
                    found.append(Entry(path.relative_to(self.folder).as_posix(), path.stat().st_size))
        return sorted(found, key=lambda entry: entry.name)

    def exists(self, name: str) -> bool:
        return (self.folder / name).exists()

    def open(self, name: str) -> BinaryIO:
        try:
            return (self.folder / name).open("rb")
        except OSError as error:
            reason = (error.strerror or "cannot be opened").lower()
            raise SourceError(name, reason, hint="check that the file is readable") from error

    def put(self, name: str, path: Path) -> None:
        target = self.folder / name
        fresh = not target.parent.exists()
        target.parent.mkdir(parents=True, exist_ok=True)
        with path.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(path, target)
        sync_folder(target.parent)
        if fresh:
            sync_folder(target.parent.parent)

    def remove(self, name: str) -> None:
        target = self.folder / name
        target.unlink(missing_ok=True)
        if target.parent.is_dir():
            sync_folder(target.parent)
            if target.parent != self.folder and not any(target.parent.iterdir()):
                target.parent.rmdir()

    @contextmanager
    def writing(self) -> Iterator[Path]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / LOCK).open("a") as lock:
            try:
                if fcntl is not None:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise ConfigError(
                    f"another process is writing to {self.folder.name}", hint="wait until it has ended"
                ) from error
            for left in self.folder.glob(f"{_STAGING}*"):  # of a writer that was killed: we hold its lock
                shutil.rmtree(left, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=_STAGING, dir=self.folder) as staging:
                yield Path(staging)


class ObjectPlace:
    """A prefix of an object store, through fsspec; credentials and endpoint are the environment's."""

    def __init__(self, url: str) -> None:
        scheme, _, rest = url.partition("://")
        if "@" in rest.partition("/")[0]:
            raise ConfigError(
                "the address of an object store holds credentials",
                hint="leave them out of the address; they are read from the environment (AWS_ACCESS_KEY_ID, ...)",
            )
        self.name, self._scheme = url.rstrip("/"), scheme
        self._opened: tuple[Any, str] | None = None

    def __repr__(self) -> str:
        return f"ObjectPlace({self.name!r})"

    def _at(self, name: str = "") -> tuple[Any, str]:
        if self._opened is None:
            self._opened = _filesystem(self.name, self._scheme)
        system, root = self._opened
        return system, f"{root}/{name}" if name else root

    def entries(self) -> list[Entry]:
        system, root = self._at()
        with _upstream(self.name):
            system.invalidate_cache()
            found = system.find(root, detail=True)
        names = ((str(path)[len(root) :].lstrip("/"), info) for path, info in found.items())
        return sorted(
            (Entry(name or root.rpartition("/")[2], int(info["size"] or 0), _version(info)) for name, info in names
             if visible(name) and (name or info["type"] == "file") and not name.endswith("/")),
            key=lambda entry: entry.name,
        )  # fmt: skip

    def alone(self) -> Entry | None:
        """The one object that the address names, when it names one."""
        system, root = self._at()
        with _upstream(self.name):
            system.invalidate_cache()
            if not system.isfile(root):
                return None
            info = system.info(root)
            return Entry("", int(info["size"] or 0), _version(info))

    def exists(self, name: str) -> bool:
        system, path = self._at(name)
        with _upstream(self.name):
            system.invalidate_cache()
            return bool(system.exists(path))

    def open(self, name: str) -> BinaryIO:
        system, path = self._at(name)
        with _upstream(f"{self.name}/{name}" if name else self.name):
            raw = system.open(path, "rb", block_size=_READ_AHEAD)
        return io.BufferedReader(_Remote(raw), _READ_AHEAD)

    def put(self, name: str, path: Path) -> None:
        system, target = self._at(name)
        with _upstream(self.name):
            system.put_file(str(path), target)
        path.unlink()

    def remove(self, name: str) -> None:
        system, path = self._at(name)
        with _upstream(self.name):
            system.invalidate_cache()
            if system.exists(path):
                system.rm_file(path)

    @contextmanager
    def writing(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="stillwatch-") as staging:
            yield Path(staging)


class _Remote(io.RawIOBase):
    """A remote file whose failures are what a local one's are: `OSError`."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._raw.read(len(buffer))
        except Exception as error:
            raise OSError(errno.EIO, "the object store did not answer") from error
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._raw.seek(offset, whence))

    def tell(self) -> int:
        return int(self._raw.tell())

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


def _version(info: dict[str, Any]) -> str:
    """By what a driver tells: the tag of the bytes, or the time of the last change."""
    told = (info.get(name) for name in ("ETag", "etag", "LastModified", "last_modified", "updated", "mtime"))
    return str(next((one for one in told if one), ""))


def _filesystem(url: str, scheme: str) -> tuple[Any, str]:
    extra = EXTRA.get(scheme)
    hint = f"pip install 'stillwatch[{extra}]'" if extra else f"install fsspec and its driver for {scheme}://"
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise ConfigError(f"reading {scheme}:// needs fsspec", hint=hint) from error
    try:
        system, root = url_to_fs(url)
    except ImportError as error:
        raise ConfigError(f"reading {scheme}:// needs a driver that is not installed", hint=hint) from error
    except ValueError as error:
        raise ConfigError(
            f"{scheme}:// is no address that fsspec knows", hint="s3://bucket/folder, gs://..., or a path"
        ) from error
    return system, str(root).rstrip("/")


@contextmanager
def _upstream(name: str) -> Iterator[None]:
    """Whatever a driver raises, as an error of ours that names the place and never its credentials."""
    try:
        yield
    except FileNotFoundError as error:
        raise SourceError(name, "no such object or prefix", hint="check bucket and key") from error
    except Exception as error:
        raise UpstreamError(
            f"{name}: the object store refused or did not answer ({type(error).__name__})",
            hint="check bucket, credentials, region and endpoint (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, ...)",
        ) from error
