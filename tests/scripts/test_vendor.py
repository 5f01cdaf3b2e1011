"""The browser files of the console: only what the lock says comes in."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from scripts import vendor

FILES = {"package/a.js": b"one", "package/LICENSE": b"do as you please"}


def archive(files: dict[str, bytes] = FILES) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def package(data: bytes) -> vendor.Package:
    digest = base64.b64encode(hashlib.sha512(data).digest()).decode()
    return vendor.Package(
        "a", "1.0.0", "MIT", f"sha512-{digest}", "package/LICENSE", "console", {"package/a.js": "a.js"}
    )


def test_only_the_archive_of_the_lock_is_opened() -> None:
    """One byte more, or a weaker digest, and nothing of it is read."""
    data = archive()
    wanted = package(data)
    assert vendor.unpacked(wanted, vendor.checked(wanted, data)) == ({"a.js": b"one"}, "do as you please")
    with pytest.raises(vendor.Refused):
        vendor.checked(wanted, data + b"\0")
    with pytest.raises(vendor.Refused):
        vendor.checked(replace(wanted, integrity="sha1-" + wanted.integrity[7:]), data)


def test_no_file_leaves_the_folder() -> None:
    """A lock that names a path is refused before anything is fetched."""
    text = vendor.LOCK.read_text("utf-8").replace('"htmx.min.js"', '"../htmx.min.js"')
    with pytest.raises(vendor.Refused, match="plain file name"):
        vendor.read_lock(text)


def test_the_lock_is_exact_permissive_and_names_no_host() -> None:
    """Every package has a version, a SHA-512 and a licence that allows it to be shipped."""
    text = vendor.LOCK.read_text("utf-8")
    assert "://" not in text
    for one in vendor.read_lock(text):
        assert one.integrity.startswith("sha512-")
        assert len(base64.b64decode(one.integrity[7:])) == 64
        assert one.licence in {"MIT", "0BSD"} or one.into == "tests", one.name


def test_a_folder_of_another_lock_is_replaced_whole(tmp_path: Path) -> None:
    """What an earlier lock brought does not stay."""
    folder = tmp_path / "vendor"
    vendor.write(folder, {"old.js": b""}, ["notes"], "lock 1")
    assert vendor.is_current(folder, "lock 1")
    assert not vendor.is_current(folder, "lock 2")
    vendor.write(folder, {"new.js": b""}, ["notes"], "lock 2")
    assert sorted(path.name for path in folder.iterdir()) == ["LOCK", "NOTICE.txt", "new.js"]
