"""Signing keys on disk: a list that everybody may read, and private halves that only their owner can.

The folder lies outside every database and backup of one. A private key is made here and never leaves: who signs on
another machine makes a key there and sends the public half.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stillwatch.errors import ConfigError
from stillwatch.settings import Settings
from stillwatch.wiring.progress import write_private, write_whole

if TYPE_CHECKING:
    from stillwatch.evidence.keys import ListedKey, Role, SigningKey

LIST = "keys.json"
EXTRA_HINT = "pip install 'stillwatch[evidence]'"


def needs_extra(*more: str) -> None:
    """Raise `ConfigError` when what signing needs, or one of these packages, is not installed."""
    for name in ("cryptography", "rfc8785", *more):
        try:
            import_module(name)
        except ImportError as error:
            raise ConfigError(f"evidence needs the package {name}", hint=EXTRA_HINT) from error


def new_key(
    settings: Settings,
    person: str,
    role: str,
    *,
    replaces: str | None = None,
    env: Mapping[str, str] = os.environ,
) -> dict[str, Any]:
    """Make a key for a person and a role; with ``replaces``, retire that key in the same step (rotation)."""
    needs_extra()
    from stillwatch.evidence.keys import Revocation, Role, SigningKey, listed, revoked

    name = _person(person)
    folder = Path(settings.evidence.keys)
    rows = read_list(settings)
    now = datetime.now(UTC)
    key = SigningKey.new()
    row = listed(key, name, Role(role), now)
    if replaces:
        rows = revoked(rows, replaces, Revocation.RETIRED, now, row.key_id)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{row.key_id[:16]}.pem"
    write_private(path, key.pem(_passphrase(settings, env)))
    (folder / f"{row.key_id[:16]}.pub").write_text(row.public, "ascii")
    _write(settings, [*rows, row])
    _log(settings, row, env)
    if replaces:
        _log(settings, next(old for old in rows if old.replaced_by == row.key_id), env)
    sealed = "sealed with the passphrase" if _passphrase(settings, env) else "not sealed with a passphrase"
    return {"key_id": row.key_id, "person": row.person, "role": row.role, "private": str(path), "sealed": sealed,
            "public": str(path.with_suffix(".pub")), "replaces": replaces}  # fmt: skip


def add_key(settings: Settings, public: Path, person: str, role: str) -> dict[str, Any]:
    """Put the public half of a key that was made on another machine on the list."""
    needs_extra()
    from stillwatch.evidence.keys import ListedKey, Role, key_id, public_of

    pem = public.read_text("ascii", "replace")
    which = key_id(public_of(pem))
    rows = read_list(settings)
    if any(row.key_id == which for row in rows):
        raise ConfigError(
            f"key {which[:16]} is on the list already", hint="stillwatch evidence key list shows it"
        )
    row = ListedKey(which, pem, _person(person), Role(role), datetime.now(UTC).isoformat())
    Path(settings.evidence.keys).mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(settings, [*rows, row])
    _log(settings, row, os.environ)
    return {"key_id": which, "person": row.person, "role": row.role}


def revoke_key(settings: Settings, which: str, *, compromised: bool) -> dict[str, Any]:
    """Take a key out of use, for good."""
    needs_extra()
    from stillwatch.evidence.keys import Revocation, revoked

    why = Revocation.COMPROMISED if compromised else Revocation.RETIRED
    rows = revoked(read_list(settings), which, why, datetime.now(UTC))
    _write(settings, rows)
    row = next(row for row in rows if row.key_id.startswith(which))
    _log(settings, row, os.environ)
    return {
        "key_id": row.key_id,
        "person": row.person,
        "revoked_as": row.revoked_as,
        "revoked_at": row.revoked_at,
    }


def list_keys(settings: Settings) -> list[dict[str, Any]]:
    """Every key, and whether its private half is here."""
    needs_extra()
    from stillwatch.evidence.keys import rows_of

    folder = Path(settings.evidence.keys)
    return [
        {**row, "private": (folder / f"{row['key_id'][:16]}.pem").exists()}
        for row in rows_of(read_list(settings))
    ]


def read_list(settings: Settings) -> list[ListedKey]:
    """The key list; empty when there is none yet."""
    from stillwatch.evidence.keys import keys_from

    path = Path(settings.evidence.keys) / LIST
    try:
        rows = json.loads(path.read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: the key list cannot be read", hint="take it from a backup") from error
    if not isinstance(rows, list):
        raise ConfigError(f"{path}: the key list is damaged", hint="take it from a backup")
    return keys_from(rows)


def signing_key(
    settings: Settings, who: str | None, role: Role, *, now: datetime, env: Mapping[str, str] = os.environ
) -> tuple[ListedKey, SigningKey]:
    """The key of a person (or the beginning of its id) in a role, whose private half is here.

    Raises:
        ConfigError: there is none, or several and ``who`` does not say which.
    """
    from stillwatch.evidence.keys import SigningKey, may_sign

    folder = Path(settings.evidence.keys)
    rows = [row for row in read_list(settings) if row.role is role and row.revoked_at is None]
    if who:
        rows = [row for row in rows if row.person == who or row.key_id.startswith(who)]
    rows = [row for row in rows if (folder / f"{row.key_id[:16]}.pem").exists()]
    if not rows:
        whose = f" of {who}" if who else ""
        raise ConfigError(
            f"there is no key{whose} with role {role} here",
            hint=f"make one: stillwatch evidence key new NAME --role {role}",
        )
    if len(rows) > 1:
        raise ConfigError(
            f"there are {len(rows)} keys with role {role}",
            hint=f"say whose: {', '.join(sorted(f'{r.person} ({r.key_id[:8]})' for r in rows))}",
        )
    path = folder / f"{rows[0].key_id[:16]}.pem"
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ConfigError(f"signing key {path} can be read by others", hint=f"run `chmod 600 {path}`")
    key = SigningKey.from_pem(path.read_bytes(), _passphrase(settings, env))
    return may_sign(rows, key.key_id, now), key


def _person(name: str) -> str:
    if not name.strip() or not name.isprintable() or len(name) > 200:
        raise ConfigError("a key belongs to a person", hint="give their name")
    return name.strip()


def _passphrase(settings: Settings, env: Mapping[str, str]) -> bytes | None:
    return env.get(settings.evidence.passphrase_env, "").encode() or None


def _log(settings: Settings, row: ListedKey, env: Mapping[str, str]) -> None:
    """A key that is made, listed or revoked becomes a leaf, when a log is kept: when it was known is then shown."""
    from stillwatch.evidence.canonical import canonical, sha256
    from stillwatch.evidence.keys import rows_of
    from stillwatch.evidence.leaf import leaf
    from stillwatch.records.evidence import LeafKind
    from stillwatch.wiring import evidence_log

    if evidence_log.in_use(settings):
        digest = sha256(canonical(rows_of([row])[0]))
        evidence_log.append(settings, [leaf(LeafKind.KEY, digest, datetime.now(UTC))], env)


def _write(settings: Settings, rows: list[ListedKey]) -> None:
    from stillwatch.evidence.keys import rows_of

    write_whole(Path(settings.evidence.keys) / LIST, json.dumps(rows_of(rows), indent=1) + "\n")
