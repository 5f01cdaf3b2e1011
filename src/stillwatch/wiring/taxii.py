"""The TAXII server as a process, and the verbs of whoever runs it: members, tokens, collections, who may do what."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from stillwatch.errors import ConfigError
from stillwatch.records.sharing import Tlp
from stillwatch.settings import Settings
from stillwatch.wiring.listening import address_of, listening

if TYPE_CHECKING:
    from sqlalchemy import Engine

EXTRA_HINT = "install them: pip install 'stillwatch[taxii]'"
_HERE = frozenset({"127.0.0.1", "::1"})


def now_us() -> int:
    """The clock, as the store counts it."""
    from stillwatch.share.taxii.moments import micros_of

    return micros_of(datetime.now(UTC))


@contextmanager
def taxii_store(settings: Settings, env: Mapping[str, str] = os.environ) -> Iterator[Engine]:
    """The server's database, set up when it is new."""
    try:
        from stillwatch.share.taxii.members import set_up
        from stillwatch.store.sql import open_database, set_up_tables
    except ImportError as error:
        raise ConfigError(
            f"the parts of the TAXII server are missing ({error.name})", hint=EXTRA_HINT
        ) from error
    bounds = settings.taxii
    engine = open_database(bounds.store, password=env.get(bounds.store_password_env))
    try:
        set_up_tables(engine, set_up)
        yield engine
    finally:
        engine.dispose()


def serve_taxii(
    *, listen: str, settings: Settings, env: Mapping[str, str] = os.environ, ready: Callable[[str], None]
) -> None:
    """Serve members until SIGTERM or SIGINT; ``ready`` is called with the address once requests are answered.

    Raises:
        ConfigError: it would listen beyond this machine without HTTPS, or cannot listen.
    """
    with taxii_store(settings, env) as engine, listening(listen) as sock:
        try:
            from stillwatch.receive import serve
            from stillwatch.share.taxii.server import Bounds, Door, make_app
        except ImportError as error:
            raise ConfigError(
                f"the parts of the TAXII server are missing ({error.name})", hint=EXTRA_HINT
            ) from error
        from stillwatch.store.sql import reading, writing

        given = settings.taxii
        if not given.https and sock.getsockname()[0] not in _HERE:
            raise ConfigError(
                f"the server would be reached from elsewhere ({listen}) without HTTPS",
                hint="put a proxy that ends HTTPS in front and set taxii.https = true, or listen on 127.0.0.1",
            )
        door = Door(
            lambda: reading(engine), lambda: writing(engine), now_us, given.public_url or address_of(sock),
            given.title, given.contact, Bounds(given.max_body_bytes, given.max_objects, given.page_objects),
        )  # fmt: skip
        serve(
            make_app(door), sock, read_timeout_s=given.read_timeout_s, max_connections=given.max_connections,
            ready=lambda: ready(address_of(sock)),
        )  # fmt: skip


def taxii_member(
    name: str, *, settings: Settings, clearance: str | None, identity: str | None, active: bool, token: bool,
    alone: bool, days: int, env: Mapping[str, str] = os.environ,
) -> dict[str, Any]:  # fmt: skip
    """Add or change a member; a new one gets a token, which is told this once."""
    with taxii_store(settings, env) as engine:
        from stillwatch.share.taxii.members import new_token, put_member
        from stillwatch.store.sql import writing

        level = Tlp.of(clearance) if clearance else None
        ends = datetime.now(UTC) + timedelta(days=days)
        with writing(engine) as conn:
            new = put_member(conn, name, clearance=level, identity=identity, active=active, now_us=now_us())
            made = None
            if active and (new or token or alone):
                made = new_token(
                    conn, name, expires_us=now_us() + days * 86_400_000_000, now_us=now_us(), alone=alone
                )
        until = ends.date().isoformat() if made else None
        return {"member": name, "new": new, "active": active, "token": made, "token_ends": until}


def taxii_collection(
    title: str,
    *,
    settings: Settings,
    root: str,
    description: str,
    holds: str,
    env: Mapping[str, str] = os.environ,
) -> dict[str, Any]:
    """Add a collection."""
    with taxii_store(settings, env) as engine:
        from stillwatch.share.taxii.members import put_collection
        from stillwatch.store.sql import writing

        with writing(engine) as conn:
            made = put_collection(
                conn, uuid.uuid4(), title, root=root, description=description, holds=Tlp.of(holds)
            )
        return {"collection": made, "title": title, "root": root, "holds": Tlp.of(holds).label}


def taxii_allow(
    member: str, collection: str, *, settings: Settings, can_read: bool, can_write: bool,
    env: Mapping[str, str] = os.environ,
) -> dict[str, Any]:  # fmt: skip
    """Say what a member may do in a collection; nothing takes it back."""
    with taxii_store(settings, env) as engine:
        from stillwatch.share.taxii.members import allow
        from stillwatch.store.sql import writing

        with writing(engine) as conn:
            allow(conn, member, collection, can_read=can_read, can_write=can_write)
        return {"member": member, "collection": collection, "can_read": can_read, "can_write": can_write}


def taxii_roster(*, settings: Settings, env: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Members, collections, who may do what, and who has not heard of a withdrawal yet."""
    with taxii_store(settings, env) as engine:
        from stillwatch.share.taxii.members import roster, withdrawals
        from stillwatch.store.sql import reading

        with reading(engine) as conn:
            return roster(conn) | {"withdrawals": withdrawals(conn)}


__all__ = ["serve_taxii", "taxii_allow", "taxii_collection", "taxii_member", "taxii_roster"]
