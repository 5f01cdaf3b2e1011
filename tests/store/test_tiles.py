"""A folder of small files: each whole, durable, and written by one process."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from stillwatch.errors import ConfigError
from stillwatch.store.tiles import TileFolder


def test_write_read_and_remove(tmp_path: Path) -> None:
    """Folders are made on the way; what is not there reads as nothing and is removed without a word."""
    with TileFolder(tmp_path / "log") as files:
        assert (files.read("a/b/c"), files.has("a/b/c")) == (None, False)
        files.put("a/b/c", b"one")
        files.put("a/b/c", b"two")
        files.append("j/1", b"x")
        files.append("j/1", b"yz")
        files.cut("j/1", 2)
        assert (files.read("a/b/c"), files.read("j/1"), files.has("a/b/c")) == (b"two", b"xy", True)
        files.remove("j/1")
        files.remove("j/1")
        assert not files.has("j/1")
        assert not files.has("a/b")
    assert stat.S_IMODE((tmp_path / "log/a/b/c").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o700


def test_one_writer(tmp_path: Path) -> None:
    """A second one is told; after the first has gone it may."""
    with TileFolder(tmp_path), pytest.raises(ConfigError, match="another process is writing"):
        TileFolder(tmp_path)
    with TileFolder(tmp_path) as files:
        files.put("a", b"x")


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full, or goes away while a name is exchanged: the old content is read, and the part is swept."""

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with TileFolder(tmp_path) as files:
        files.put("a", b"old")
        for name in ("write", "fdatasync", "replace"):
            with monkeypatch.context() as patch:
                patch.setattr(os, name, full)
                with pytest.raises(OSError, match="No space"):
                    files.put("a", b"new")
            assert files.read("a") == b"old"
    assert (tmp_path / ".part").exists()
    with TileFolder(tmp_path) as files:
        assert files.read("a") == b"old"
    assert not (tmp_path / ".part").exists()
