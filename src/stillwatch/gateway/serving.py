"""A process that answers proxies: a socket, the service, and the gate behind it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from stillwatch.errors import ConfigError
from stillwatch.settings import Settings, load_key
from stillwatch.wiring.garbage import settled
from stillwatch.wiring.listening import address_of, listening
from stillwatch.wiring.policy import Gate

EXTRA_HINT = "install them: pip install 'stillwatch[gateway]'"


def secret_of(settings: Settings, env: Mapping[str, str] = os.environ) -> bytes | None:
    """The digest key where one is named; a gate needs none unless its policy verifies."""
    privacy = settings.privacy
    if privacy.key_file is None and not env.get(privacy.key_env, "").strip():
        return None
    return load_key(settings, env)


def serve_gate(
    policy: str | None, folder: Path, *, listen: str, settings: Settings, env: Mapping[str, str] = os.environ,
    ready: Callable[[str, Gate], None], notice: Callable[[str], None] | None = None,
) -> None:  # fmt: skip
    """Answer proxies until SIGTERM or SIGINT; ``ready`` is called with the address once requests are answered."""
    try:
        from stillwatch.gateway.desk import Desk
        from stillwatch.gateway.identity import Identity
        from stillwatch.gateway.metrics import Metrics
        from stillwatch.gateway.service import Service, make_app
        from stillwatch.receive import Budget, serve
    except ImportError as error:
        raise ConfigError(f"the parts that serve HTTP are missing ({error.name})", hint=EXTRA_HINT) from error
    bounds = settings.gateway
    secret = secret_of(settings, env)
    identity = Identity(bounds)
    with listening(listen) as sock, Gate.open(
        policy, folder, settings=settings, secret=secret, notice=notice
    ) as gate:  # fmt: skip
        settled()
        desk = Desk(gate, fail=settings.protect.fail)
        service = Service(desk, identity, bounds, Budget(bounds.max_waiting_bytes), Metrics(gate))
        try:
            serve(
                make_app(service), sock, read_timeout_s=bounds.read_timeout_s, max_connections=bounds.max_connections,
                ready=lambda: ready(address_of(sock), gate),
            )  # fmt: skip
        finally:
            desk.close()
