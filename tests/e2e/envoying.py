"""Runs a real Envoy, the real processor and a stand-in model server, on the example's own configuration."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from tests.e2e.driving import command, environment

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "gateways" / "envoy"
_OURS = ROOT / ".cache" / "envoy" / "bin" / "envoy"


def envoy() -> str | None:
    """The proxy that `make envoy` put there, or one on the path."""
    return str(_OURS) if _OURS.exists() else shutil.which("envoy")


@dataclass
class Proxied:
    """The three at work."""

    port: int
    folder: Path
    processor: subprocess.Popen[str]
    proxy: subprocess.Popen[bytes]
    metrics: int
    said: list[str] = field(default_factory=list)

    def ask(
        self, body: bytes | Mapping[str, Any], account: str = "m0", path: str = "/v1/chat/completions",
        method: str = "POST", **headers: str,
    ) -> tuple[int, dict[str, str], bytes]:  # fmt: skip
        """One request on a connection of its own: status, headers, body."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"content-type": "application/json", "authorization": f"Bearer key-of-{account}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, data or None, sent)
            response = connection.getresponse()
            return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
        finally:
            connection.close()

    def decisions(self) -> list[dict[str, Any]]:
        """The decision log."""
        path = self.folder / "decisions.jsonl"
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []

    def counted(self) -> str:
        """The metrics."""
        connection = HTTPConnection("127.0.0.1", self.metrics, timeout=60)
        try:
            connection.request("GET", "/metrics")
            return connection.getresponse().read().decode()
        finally:
            connection.close()


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


@contextmanager
def model_server() -> Iterator[int]:
    """The example's stand-in for a model server; its port."""
    spec = importlib.util.spec_from_file_location("model_server", EXAMPLE / "model_server.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with module.Server(("127.0.0.1", 0), module.Model) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def proxied(
    place: Path, *, settings: str = "", changes: Mapping[str, str] | None = None
) -> Iterator[Proxied]:
    """Everything on free ports, ended whatever happens. ``changes`` are made to the example's configuration."""
    binary = envoy()
    assert binary is not None
    file, port, metrics = place / "settings.toml", free_port(), free_port()
    file.write_text(settings, encoding="utf-8")
    args = command(
        "gate-envoy", "--policy", EXAMPLE / "policy.toml", "--dir", place / "gate", "--listen", "127.0.0.1:0",
        "--metrics", f"127.0.0.1:{metrics}", "--settings", file,
    )  # fmt: skip
    with model_server() as model:
        processor = subprocess.Popen(args, env=environment(), stderr=subprocess.PIPE, text=True)
        assert processor.stderr is not None
        said = [processor.stderr.readline()]
        found = re.search(r"127\.0\.0\.1:(\d+)", said[0])
        proxy: subprocess.Popen[bytes] | None = None
        try:
            assert found, said[0] + processor.stderr.read()
            listener = threading.Thread(target=lambda: said.extend(processor.stderr or ()))
            listener.start()
            text = (EXAMPLE / "envoy.yaml").read_text("utf-8")
            numbers = {"10000": port, "9002": int(found[1]), "8000": model}
            all_changes = {f"port_value: {old}}}": f"port_value: {new}}}" for old, new in numbers.items()}
            for old, new in {**all_changes, **(changes or {})}.items():
                assert old in text, old
                text = text.replace(old, new)
            config = place / "envoy.yaml"
            config.write_text(text, encoding="utf-8")
            with (place / "envoy.log").open("wb") as log:
                proxy = subprocess.Popen(
                    [binary, "-c", str(config), "--concurrency", "1", "--disable-hot-restart", "-l", "warning"],
                    stdout=log, stderr=log,
                )  # fmt: skip
            at = Proxied(port, place / "gate", processor, proxy, metrics, said)
            _wait(at, place / "envoy.log")
            yield at
        finally:
            for process in (proxy, processor):
                if process is not None:
                    if process.poll() is None:
                        process.send_signal(signal.SIGTERM if process is proxy else signal.SIGKILL)
                    process.wait(60)
            if found:
                listener.join()
            processor.stderr.close()


def _wait(at: Proxied, log: Path) -> None:
    """Until Envoy listens, which it does once it knows how its neighbours are."""
    end = time.monotonic() + 60
    while time.monotonic() < end and at.proxy.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", at.port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(log.read_text("utf-8", "replace"))
