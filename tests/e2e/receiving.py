"""Runs the real receiver as a process of its own and talks to it over a socket."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.detect.digest import Key, digest_strings
from tests.conftest import KEY
from tests.e2e.driving import command, environment

PROTOBUF, JSON = "application/x-protobuf", "application/json"


@dataclass
class Served:
    """A receiver at work."""

    process: subprocess.Popen[str]
    address: str
    said: list[str] = field(default_factory=list)
    """Its standard error, line by line."""

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.address)
        assert parts.hostname is not None
        assert parts.port is not None
        return parts.hostname, parts.port

    def connect(self) -> HTTPConnection:
        """A connection."""
        return HTTPConnection(*self.place, timeout=60)

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """One request on a connection of its own: status, headers, body."""
        connection = self.connect()
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
        finally:
            connection.close()

    def post(self, path: str, body: Any, media: str = JSON, **headers: str) -> tuple[int, Any]:
        """Send telemetry; status, and the JSON of the answer where it is JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        status, _, answer = self.ask("POST", path, data, {"content-type": media, **more})
        return status, json.loads(answer) if answer[:1] == b"{" else answer

    def raw(self, data: bytes) -> bytes:
        """Send bytes as they are and read until the other side hangs up."""
        with socket.create_connection(self.place, timeout=60) as line:
            line.sendall(data)
            pieces = []
            while piece := line.recv(65_536):
                pieces.append(piece)
        return b"".join(pieces)

    def end(self, how: int = signal.SIGTERM) -> int:
        """Ask it to end; its exit status."""
        self.process.send_signal(how)
        return self.process.wait(60)


@contextmanager
def serving(into: Path, *options: object, settings: str = "", **env: str) -> Iterator[Served]:
    """A receiver on a free port, ended whatever happens."""
    file = into.parent / f"{into.name}.toml"
    file.write_text(settings, encoding="utf-8")
    args = command("receive", "--into", into, "--listen", "127.0.0.1:0", "--settings", file, *options)
    process = subprocess.Popen(args, env=environment(**env), stderr=subprocess.PIPE, text=True)
    served = Served(process, "")
    assert process.stderr is not None
    try:
        for line in process.stderr:
            served.said.append(line)
            if found := re.search(r"http://[^\s;,]+", line):
                served.address = found.group()
                break
        assert served.address, "".join(served.said)
        listener = threading.Thread(target=lambda: served.said.extend(process.stderr or ()))
        listener.start()
        yield served
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(60)
        if served.address:
            listener.join()
        process.stderr.close()


def digests(ids: set[str]) -> set[int]:
    """The digests under which exchange ids are kept."""
    array = pa.array(sorted(ids), pa.string())
    return set(digest_strings(array, Key.derive(bytes.fromhex(KEY)), "exchange").tolist())


def kept(folder: Path) -> list[int]:
    """The digests of the exchange ids in a folder's files, with repeats."""
    files = sorted(folder.glob("*.parquet"))
    return [x for path in files for x in pq.read_table(path, columns=["xid"])["xid"].to_pylist()]
