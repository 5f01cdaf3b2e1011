"""The server that replicas share, as settings name it."""

from __future__ import annotations

import os
from collections.abc import Mapping

from stillwatch.settings import Settings
from stillwatch.store.valkey import Server


def store_server(settings: Settings, env: Mapping[str, str] = os.environ) -> Server | None:
    """A connection to the server of ``protect.store``; None when no server is named."""
    protect = settings.protect
    if protect.store is None:
        return None
    return Server(protect.store, password=env.get(protect.store_password_env) or None)
