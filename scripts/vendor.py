"""Fetch the few browser files of the console: from the npm registry that is configured, checked, once.

    python -m scripts.vendor

``requirements/vendor.json`` is the lock: name, version, SHA-512 of the whole archive, licence, and the files that are
taken out of it. Nothing else of an archive is unpacked and nothing of it is run. Files of the console go to
``src/stillwatch/console/static/vendor`` and from there into the wheel; files for tests alone go to ``.cache/vendor``.
Neither is committed. The registry is ``$npm_config_registry``, else what ``npm config get registry`` says.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "vendor.json"
FOLDERS = {"console": ROOT / "src/stillwatch/console/static/vendor", "tests": ROOT / ".cache/vendor"}
STAMP = "LOCK"
NOTICE = "NOTICE.txt"
_MOST_BYTES = 32 * 1024 * 1024
_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Package:
    """One entry of the lock."""

    name: str
    version: str
    licence: str
    integrity: str
    licence_file: str
    into: str
    files: dict[str, str]
    """Name inside the archive to name on disk."""


class Refused(Exception):
    """An archive that is not what the lock says."""


def read_lock(text: str) -> tuple[Package, ...]:
    """The packages of a lock; every name on disk is a plain file name."""
    found = tuple(Package(**entry) for entry in json.loads(text))
    for package in found:
        for name in package.files.values():
            if Path(name).name != name or name.startswith("."):
                raise Refused(f"{package.name}: {name!r} is not a plain file name")
    return found


def registry() -> str | None:
    """Where packages are fetched from; None when nothing says so."""
    named = os.environ.get("npm_config_registry", "").strip()
    npm = shutil.which("npm")
    if not named and npm:
        done = subprocess.run([npm, "config", "get", "registry"], capture_output=True, text=True, check=False)
        named = done.stdout.strip()
    if urlsplit(named).scheme not in {"http", "https"}:
        return None
    return named.rstrip("/")


def checked(package: Package, archive: bytes) -> bytes:
    """The archive, when it is the one of the lock.

    Raises:
        Refused: its SHA-512 is another.
    """
    algorithm, _, wanted = package.integrity.partition("-")
    got = base64.b64encode(hashlib.sha512(archive).digest()).decode()
    if algorithm != "sha512" or not hmac.compare_digest(got, wanted):
        raise Refused(f"{package.name} {package.version} is not the archive of the lock")
    return archive


def unpacked(package: Package, archive: bytes) -> tuple[dict[str, bytes], str]:
    """The files that the lock names, and the text of the licence."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:

        def read(name: str) -> bytes:
            member = tar.extractfile(name)  # never a path on disk: bytes out of the archive
            if member is None:
                raise Refused(f"{package.name}: {name} is not a file")
            return member.read(_MOST_BYTES)

        files = {target: read(source) for source, target in package.files.items()}
        return files, read(package.licence_file).decode("utf-8", "replace")


def fetch(base: str, package: Package) -> bytes:
    """The archive as the registry gives it; still to be checked."""
    plain = package.name.rpartition("/")[2]
    address = f"{base}/{package.name}/-/{plain}-{package.version}.tgz"
    with urllib.request.urlopen(address, timeout=_TIMEOUT_S) as answer:  # noqa: S310  registry() allows http(s) only
        body: Any = answer.read(_MOST_BYTES + 1)
    if len(body) > _MOST_BYTES:
        raise Refused(f"{package.name} is longer than {_MOST_BYTES} bytes")
    return bytes(body)


def is_current(folder: Path, lock: str) -> bool:
    """Whether a folder holds what the lock says."""
    stamp = folder / STAMP
    return stamp.is_file() and stamp.read_text("utf-8") == hashlib.sha256(lock.encode()).hexdigest()


def write(folder: Path, files: dict[str, bytes], notices: list[str], lock: str) -> None:
    """Put a new folder in the old one's place."""
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for name, data in files.items():
        (fresh / name).write_bytes(data)
    (fresh / NOTICE).write_text("\n\n".join(notices) + "\n", "utf-8")
    (fresh / STAMP).write_text(hashlib.sha256(lock.encode()).hexdigest(), "utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def main() -> int:
    """Fetch what is missing; exit status 0 when everything stands, else 1 with the reason."""
    lock = LOCK.read_text("utf-8")
    packages = read_lock(lock)
    if all(is_current(folder, lock) for folder in FOLDERS.values()):
        return 0
    base = registry()
    if base is None:
        print("note: no npm registry is configured; set npm_config_registry", file=sys.stderr)
        return 1
    try:
        for kind, folder in FOLDERS.items():
            files: dict[str, bytes] = {}
            notices = ["Third-party files in this folder, fetched as they were published."]
            for package in packages:
                if package.into == kind:
                    found, licence = unpacked(package, checked(package, fetch(base, package)))
                    files |= found
                    notices.append(
                        f"{package.name} {package.version} ({package.licence})\n\n{licence.strip()}"
                    )
            write(folder, files, notices, lock)
            print(f"{folder.relative_to(ROOT)}: {', '.join(files)}")
    except (Refused, OSError, tarfile.TarError, KeyError) as error:
        print(f"note: the console's browser files could not be fetched: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
