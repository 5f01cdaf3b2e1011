"""What the first page would wait for, done before anybody comes.

Templates are compiled, routes are built and a large library is imported when they are first needed; together they took
longer than a page of a million accounts. So the console asks itself once before it says that it listens: for what the
overview shows, read by nobody in particular, and for a page that does not exist, which every route is asked for.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Any

from starlette.types import ASGIApp

from stillwatch.console.pages.overview import shown
from stillwatch.console.render import environment
from stillwatch.console.site import Site
from stillwatch.errors import where_it_failed
from stillwatch.records import Role
from stillwatch.respond.work import PROGRAM

NOWHERE = "/.nowhere"
_NOBODY = replace(PROGRAM, roles=frozenset({Role.VIEWER}))
"""The program, with the least that a page may be read with."""


def warm(app: ASGIApp, site: Site, host: str = "localhost") -> None:
    """Do what is done once. It changes nothing and leaves no line in the audit record; never raises.

    Args:
        app: what `make_app` made of the site.
        site: everything that pages ask.
        host: a name under which the app may be asked.
    """
    try:
        made = environment()
        for name in made.list_templates():
            made.get_template(name)
        shown(site, _NOBODY)
        asyncio.run(_ask(app, NOWHERE, host))
    except Exception as error:  # whoever asks for the page hears of it; the others need not wait for that
        logging.getLogger("stillwatch.console").warning("not warmed up: %s", where_it_failed(error))


async def _ask(app: ASGIApp, path: str, host: str) -> int:
    """The status with which the app answers a stranger's GET."""
    status = 0

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": path, "raw_path": path.encode(), "root_path": "", "query_string": b"",
        "headers": [(b"host", host.encode())], "client": ("127.0.0.1", 0), "server": (host, 80),
    }  # fmt: skip
    await app(scope, receive, send)
    return status
