"""A BagIt bag: every file with its digests, in a form that ``sha256sum`` reads.

References: RFC 8493 (BagIt 1.0).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

BAGIT = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
KINDS = ("sha256", "sha512")


def digest(path: Path, kind: str) -> str:
    """Digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


def tag_files(folder: Path, about: Mapping[str, str]) -> dict[str, bytes]:
    """The files that describe the payload under ``data/``: version, description, one manifest for each digest."""
    payload = sorted(p for p in (folder / "data").rglob("*") if p.is_file())
    size = sum(p.stat().st_size for p in payload)
    lines = {**about, "Payload-Oxum": f"{size}.{len(payload)}"}
    found = {
        "bagit.txt": BAGIT,
        "bag-info.txt": "".join(f"{k}: {_line(v)}\n" for k, v in lines.items()).encode(),
    }
    for kind in KINDS:
        found[f"manifest-{kind}.txt"] = manifest(folder, payload, kind)
    return found


def manifest(folder: Path, paths: list[Path], kind: str) -> bytes:
    """Digest and name of each file."""
    return "".join(f"{digest(p, kind)}  {p.relative_to(folder).as_posix()}\n" for p in paths).encode("ascii")


def _line(text: str) -> str:
    """One line without control characters: a value of bag-info may not begin another."""
    return "".join(c if c.isprintable() else " " for c in text)
