"""A process that witnesses logs: a socket, one route, and the folder of what was signed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stillwatch.errors import ConfigError, where_it_failed
from stillwatch.settings import Settings
from stillwatch.wiring.evidence_keys import needs_extra, signing_key
from stillwatch.wiring.listening import address_of, listening
from stillwatch.wiring.progress import writable

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from stillwatch.evidence.witness import Witness

EXTRA_HINT = "install them: pip install 'stillwatch[evidence,gateway]'"
_READ_TIMEOUT_S, _MOST_CONNECTIONS = 15.0, 256


def witness_logs(
    folder: Path, *, name: str, logs: Sequence[str], listen: str, settings: Settings, signer: str | None = None,
    env: Mapping[str, str] = os.environ, ready: Callable[[str, str, Mapping[str, int]], None],
    failed: Callable[[str], None],
) -> None:  # fmt: skip
    """Witness until SIGTERM or SIGINT.

    Args:
        folder: what was signed; one witness at a time. name: of the witness. logs: keys of the logs, as one line each.
        ready: called with the address, the witness's key and the size of each log that was signed before.
        failed: told where a request failed in here; never what was sent.

    Raises:
        ConfigError: there is no key with role ``witness``, or a log's key is none.
    """
    needs_extra()
    try:
        from stillwatch.receive import serve
    except ImportError as error:
        raise ConfigError(f"the parts that serve HTTP are missing ({error.name})", hint=EXTRA_HINT) from error
    from stillwatch.evidence.keys import Role
    from stillwatch.evidence.note import Verifier
    from stillwatch.evidence.witness import Witness
    from stillwatch.store.tiles import TileFolder

    _, key = signing_key(settings, signer, Role.WITNESS, now=datetime.now(UTC), env=env)
    with writable(folder):
        files = TileFolder(folder)
    with files, listening(listen) as sock:
        witness = Witness(files, key, name, map(Verifier.parse, logs), time.time)
        sizes = {origin: seen.size for origin, seen in witness.seen.items()}
        serve(
            make_app(witness, failed), sock, read_timeout_s=_READ_TIMEOUT_S, max_connections=_MOST_CONNECTIONS,
            ready=lambda: ready(address_of(sock), witness.vkey, sizes),
        )  # fmt: skip


def make_app(witness: Witness, failed: Callable[[str], None]) -> Any:
    """The application: the one route of the protocol, and one for whoever watches over it."""
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import Response
    from starlette.routing import Route

    from stillwatch.evidence.witness import MOST_BYTES

    async def add_checkpoint(request: Request) -> Response:
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > MOST_BYTES:
                return Response("a checkpoint is shorter\n", 413, media_type="text/plain")
        try:
            answer = await run_in_threadpool(witness.add_checkpoint, body)
        except Exception as error:  # a full disk: nothing was signed
            failed(where_it_failed(error))
            return Response("it failed in here; nothing was signed\n", 500, media_type="text/plain")
        return Response(answer.body, answer.status, headers={"content-type": answer.media_type})

    async def healthz(request: Request) -> Response:
        return Response("ok\n", media_type="text/plain")

    return Starlette(
        routes=[
            Route("/add-checkpoint", add_checkpoint, methods=["POST"]),
            Route("/healthz", healthz, methods=["GET"]),
        ]
    )


__all__ = ["witness_logs"]
