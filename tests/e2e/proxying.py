"""Runs a real LiteLLM proxy on a real PostgreSQL.

LiteLLM reaches its database through Prisma's client for Python, and that through a native program, the query engine,
which no package registry carries. In its place stands ``litellm_db/query-engine``: the same engine of the same commit
as WebAssembly, behind the same port and protocol. LiteLLM, the client and the database are as they are published; the
tables are made by the migrations that LiteLLM's own package carries.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import KEY
from tests.e2e.gating import Process, Reply, free_port, plain_environment, running, send
from tests.respond import postgres

ROOT = Path(__file__).resolve().parents[2]
LITELLM = ROOT / ".cache/litellm"
CLIENT = ROOT / ".cache/litellm-db"
ENGINE = Path(__file__).parent / "litellm_db"
ADMIN = f"sk-{KEY}"
CACHED_S = 1
"""How long the proxy may go by what it remembers of a key or a team; LiteLLM's own default is a minute."""
CONFIG = f"""
model_list:
  - model_name: m
    litellm_params: {{ model: openai/m, api_key: none, api_base: "http://127.0.0.1:9", mock_response: fine }}
general_settings:
  user_api_key_cache_ttl: {CACHED_S}
"""


def missing() -> str:
    """Why such a proxy cannot be run here; empty when it can."""
    if postgres.programs() is None:
        return postgres.REASON
    if not (CLIENT / ".locked").exists() or shutil.which("node") is None:
        return "LiteLLM's database client is not here; `make litellm-db` installs it"
    return ""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy and its admin."""

    process: Process

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.process.port}"

    def admin(self, path: str, **body: Any) -> Any:
        """What the management API answers to its admin."""
        reply = send(self.process.port, path, body, authorization=f"Bearer {ADMIN}")
        assert reply.status == 200, reply
        return reply.json

    def ask(self, key: str) -> Reply:
        """One request to the model with a customer's key."""
        body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
        return send(self.process.port, "/v1/chat/completions", body, authorization=f"Bearer {key}")

    def complaints(self) -> list[str]:
        """What the engine did not know, or could not do."""
        return [line for line in "".join(self.process.said).splitlines() if line.startswith("query-engine:")]


@contextmanager
def proxy(folder: Path, database: str) -> Iterator[Proxy]:
    """A proxy on an empty database, whose tables are made first."""
    _migrated(database)
    (folder / "config.yaml").write_text(CONFIG)
    env = plain_environment(
        DATABASE_URL=database, DISABLE_SCHEMA_UPDATE="true", LITELLM_LOCAL_MODEL_COST_MAP="True",
        LITELLM_MASTER_KEY=ADMIN, NO_PROXY="*", NODE_PATH=str(CLIENT / "node_modules"),
        PRISMA_QUERY_ENGINE_BINARY=str(ENGINE / "query-engine"), PYTHONPATH=str(CLIENT / "python"),
    )  # fmt: skip
    env["PATH"] = f"{ENGINE}:{env['PATH']}"
    port = free_port()
    args = [
        str(LITELLM / "bin/litellm"),
        "--config",
        "config.yaml",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    with running(args, port, env=env, cwd=folder, until="running on http") as process:
        yield Proxy(process)


def _migrated(database: str) -> None:
    folder = postgres.programs()
    assert folder is not None
    (carried,) = LITELLM.glob("lib/python3*/site-packages/litellm_proxy_extras/migrations")
    files = [word for path in sorted(carried.glob("*/migration.sql")) for word in ("-f", str(path))]
    assert files
    subprocess.run(
        [folder / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *files, database],
        check=True, capture_output=True, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
