"""The folder of a key holder: its members with their budgets, and the share of this week's key.

The share of a week is drawn when it is first asked for, and destroyed when the week is over: overwritten, then removed.
Some disks keep what was overwritten; encrypt the disk.
"""

from __future__ import annotations

import json
import os
import re
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stillwatch.errors import ConfigError
from stillwatch.wiring.hub_folder import needs_extra
from stillwatch.wiring.progress import replace_private, writable, write_whole

if TYPE_CHECKING:
    from stillwatch.share.join.holder import KeyHolder

LIST = "keyholder.json"
_MEMBER = re.compile(r"[a-z][a-z0-9-]{1,31}")


def holder_member(
    folder: Path, name: str, *, key: str | None, budget: int | None, end: bool, url: str = ""
) -> dict[str, Any]:
    """Add a member to a key holder, one more key to a member, or change its budget; the folder is made if need be."""
    needs_extra()
    from stillwatch.share.hub.signing import key_id

    if not _MEMBER.fullmatch(name):
        raise ConfigError("a member's name: small letters, digits and hyphens, 2 to 32", hint="as at the hub")
    with writable(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        new: dict[str, Any] = {"url": url, "members": {}}
        told = _read(folder) if (folder / LIST).exists() else new
        row = told["members"].get(name)
        if row is None and (key is None or budget is None):
            raise ConfigError(f"{name} is new here", hint="give --key and --budget")
        row = row or {"keys": {}, "budget": 0}
        if key is not None:
            if any(key_id(key) in of["keys"] for other, of in told["members"].items() if other != name):
                raise ConfigError(
                    "this key is another member's here", hint="each person has a key of their own: hub key"
                )
            row["keys"][key_id(key)] = key
        row["budget"] = 0 if end else row["budget"] if budget is None else budget
        row["keys"] = {} if end else row["keys"]
        told["members"][name] = row
        told["url"] = url or told["url"]
        write_whole(folder / LIST, json.dumps(told, indent=1) + "\n")
    return {"member": name, "keys": len(row["keys"]), "budget": row["budget"]}


def _read(folder: Path) -> dict[str, Any]:
    try:
        told = json.loads((folder / LIST).read_bytes())
        if not isinstance(told, dict) or set(told) != {"url", "members"}:
            raise ValueError("another form")
        return told
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{folder.name or folder} is not the folder of a key holder",
            hint="make one: stillwatch hub keyholder member FOLDER NAME --key LINE --budget N",
        ) from error


class HolderFolder:
    """A key holder's folder, read anew when it changes."""

    def __init__(self, folder: Path, told: dict[str, Any]) -> None:
        self._folder, self._told, self.url = folder, told, str(told["url"])
        self._stamp = (folder / LIST).stat().st_mtime_ns
        self._lock = threading.Lock()

    @classmethod
    def open(cls, folder: Path) -> HolderFolder:
        """The folder of a key holder that was made."""
        return cls(folder, _read(folder))

    def known(self, key_id: str) -> tuple[str | None, str]:
        """Whose key this is, and the key."""
        for name, row in self._members().items():
            if key_id in row["keys"]:
                return name, row["keys"][key_id]
        return None, ""

    def holder(self) -> KeyHolder:
        """The key holder as it is now."""
        from stillwatch.share.join.holder import KeyHolder, epoch_of
        from stillwatch.share.join.ledger import FileLedger

        epoch = epoch_of(datetime.now(UTC))
        with self._lock:
            shares = {epoch: self._share(epoch)}
        budgets = {name: int(row["budget"]) for name, row in self._members().items()}
        return KeyHolder(shares, budgets, FileLedger(self._folder / "ledger.db"))

    def _members(self) -> dict[str, Any]:
        stamp = (self._folder / LIST).stat().st_mtime_ns
        if stamp != self._stamp:
            self._told, self._stamp = _read(self._folder), stamp
        found: dict[str, Any] = self._told["members"]
        return found

    def _share(self, epoch: str) -> bytes:
        from stillwatch.share.join.group import random_scalar, scalar

        place = self._folder / "shares"
        place.mkdir(mode=0o700, exist_ok=True)
        for old in place.iterdir():
            if old.name != epoch:
                _destroy(old)
        path = place / epoch
        if not path.exists():
            replace_private(path, random_scalar())
        return scalar(path.read_bytes())


def _destroy(path: Path) -> None:
    handle = os.open(path, os.O_WRONLY)
    try:
        os.write(handle, os.urandom(path.stat().st_size))
        os.fsync(handle)
    finally:
        os.close(handle)
    path.unlink()


__all__ = ["HolderFolder", "holder_member"]
