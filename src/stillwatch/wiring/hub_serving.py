"""A hub and a key holder as processes: a socket, TLS, the door, and what stands behind it."""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stillwatch.errors import ConfigError
from stillwatch.wiring.hub_folder import hub_at_work, hub_folder, needs_extra
from stillwatch.wiring.hub_witnesses import HubWitnesses, by_itself
from stillwatch.wiring.listening import address_of, listening
from stillwatch.wiring.taxii import now_us

if TYPE_CHECKING:
    import socket

    from stillwatch.share.hub.door import Door

Tls = tuple[Path, Path]
_HERE = frozenset({"127.0.0.1", "::1"})
_READ_TIMEOUT_S, _MOST_CONNECTIONS = 30.0, 512


def serve_hub(
    folder: Path, *, listen: str, tls: Tls | None, behind_proxy: bool, ready: Callable[[str], None]
) -> None:
    """Serve members until SIGTERM or SIGINT; ``ready`` is called with the address once requests are answered.

    Raises:
        ConfigError: it would be reached from elsewhere without TLS, or cannot listen.
        VerificationError: journal and log are not of one hub.
    """
    hub = hub_folder(folder)
    from stillwatch.share.hub.server import Site, make_app
    from stillwatch.share.taxii.server import Door as TaxiiDoor
    from stillwatch.share.taxii.server import make_app as taxii_app
    from stillwatch.store.sql import reading, writing

    with _socket(listen, tls, behind_proxy) as (sock, here), hub_at_work(hub, here) as (desk, log, engine):
        address, witnesses = hub.url or here, HubWitnesses(log, hub)
        about = {
            "name": hub.name, "contact": hub.contact, "log": log.vkey, "objects": f"{address}/community/",
            "collection": hub.collection, "witnesses": witnesses.keys,
        }  # fmt: skip
        door = _door(address, desk.who, folder, "stillwatch.hub")
        objects = TaxiiDoor(
            lambda: reading(engine), lambda: writing(engine), now_us, address, hub.name, hub.contact
        )
        site = Site(door, desk, about, log.file, log.grown)
        with by_itself(log, desk.close_rounds, witnesses.ask):
            _serve(make_app(site, taxii_app(objects)), sock, tls, lambda: ready(address))


def serve_holder(
    folder: Path, *, listen: str, tls: Tls | None, behind_proxy: bool, ready: Callable[[str], None]
) -> None:
    """Answer members with one share of the week's key, until SIGTERM or SIGINT."""
    needs_extra()
    from stillwatch.share.hub.holder_server import HolderSite, make_app
    from stillwatch.wiring.hub_holder import HolderFolder

    held = HolderFolder.open(folder)
    with _socket(listen, tls, behind_proxy) as (sock, here):
        address = held.url or here
        door = _door(address, held.known, folder, "stillwatch.keyholder")
        _serve(make_app(HolderSite(door, held.holder)), sock, tls, lambda: ready(address))


@contextmanager
def _socket(listen: str, tls: Tls | None, behind_proxy: bool) -> Iterator[tuple[socket.socket, str]]:
    if tls:
        _usable(tls)
    with listening(listen) as sock:
        if not tls and not behind_proxy and sock.getsockname()[0] not in _HERE:
            raise ConfigError(
                f"it would be reached from elsewhere ({listen}) without TLS",
                hint="give --tls-cert and --tls-key; or --behind-proxy where a proxy in front ends HTTPS",
            )
        yield sock, address_of(sock, "https" if tls else "http")


def _usable(tls: Tls) -> None:
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(*tls)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"{tls[0].name} and {tls[1].name} are no certificate and its key", hint="both are PEM files"
        ) from error


def _door(address: str, known: Callable[[str], tuple[Any, str]], folder: Path, name: str) -> Door:
    from stillwatch.share.hub.door import Door
    from stillwatch.store.nonces import Nonces

    authority = address.partition("://")[2]
    used = Nonces(folder / "nonces.db")
    return Door(authority, known, used, lambda: int(time.time()), logging.getLogger(name))


def _serve(app: Any, sock: socket.socket, tls: Tls | None, ready: Callable[[], None]) -> None:
    from stillwatch.receive import serve

    serve(app, sock, read_timeout_s=_READ_TIMEOUT_S, max_connections=_MOST_CONNECTIONS, ready=ready, tls=tls)


__all__ = ["serve_holder", "serve_hub"]
