"""Runs `stillwatch gate`, proxies in front of it, and a fake model server, each on free ports of this machine."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from stillwatch.wiring.gate_folder import LOG
from tests.e2e.driving import command, environment

USAGE = {"prompt_tokens": 3, "completion_tokens": 7, "total_tokens": 10}
ANSWER = {
    "id": "c-1", "object": "chat.completion", "created": 1, "model": "m", "usage": USAGE,
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "fine"}}],
}  # fmt: skip
CHUNKS = [
    {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
     "choices": [{"index": 0, "delta": {"role": "assistant", "content": word}, "finish_reason": None}]}
    for word in ("one ", "two ", "three")
]  # fmt: skip
RESPONSE = {
    "id": "resp-1", "object": "response", "created_at": 1, "model": "m", "status": "completed",
    "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
    "usage": {"input_tokens": 3, "output_tokens": 7, "total_tokens": 10,
    "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}},
    "output": [{"id": "msg-1", "type": "message", "role": "assistant", "status": "completed",
                "content": [{"type": "output_text", "text": "fine", "annotations": []}]}],
}  # fmt: skip


@dataclass
class Model:
    """A model server that answers always and remembers what it was sent."""

    port: int = 0
    seen: list[dict[str, Any]] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)
    """Set, when the rest of a stream may follow its first event."""


@contextmanager
def model() -> Iterator[Model]:
    """A fake model server."""
    known = Model()
    known.hold.set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length", "0")))
            try:
                body = json.loads(raw)
            except ValueError:
                body = None
            known.seen.append(
                {"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}, "body": body}
            )
            if isinstance(body, dict) and body.get("stream"):
                self._stream()
                return
            answer = json.dumps(RESPONSE if self.path.endswith("/responses") else ANSWER).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def _stream(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("connection", "close")
            self.end_headers()
            for number, chunk in enumerate(CHUNKS):
                if number == 1:
                    known.hold.wait(30)
                self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
                self.wfile.flush()
            self.wfile.write(
                b"data: " + json.dumps({**CHUNKS[0], "choices": [], "usage": USAGE}).encode() + b"\n\n"
            )
            self.wfile.write(b"data: [DONE]\n\n")
            self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    known.port = server.server_port
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield known
    finally:
        known.hold.set()
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Process:
    """A process with what it said."""

    handle: subprocess.Popen[str]
    port: int
    said: list[str] = field(default_factory=list)


@contextmanager
def running(
    args: Sequence[str], port: int, *, env: Mapping[str, str], cwd: Path, until: str
) -> Iterator[Process]:
    """A process from the line that matches ``until``, or from when its port answers; ended whatever happens."""
    process = subprocess.Popen(
        args, env=dict(env), cwd=cwd, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True
    )
    one = Process(process, port)
    assert process.stdout is not None
    listener = threading.Thread(target=lambda: one.said.extend(process.stdout or ()))
    listener.start()
    try:
        end = time.monotonic() + 300
        while time.monotonic() < end and process.poll() is None:
            found = re.search(until, "".join(one.said)) if until else None
            if found is not None:
                one.port = one.port or int(found.group(1))
                break
            if not until and _answers(port):
                break
            time.sleep(0.02)
        else:
            raise AssertionError("it did not start: " + "".join(one.said))
        yield one
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)
        listener.join()
        process.stdout.close()


@contextmanager
def gate(folder: Path, policy: str, *, settings: str = "", port: int = 0, **env: str) -> Iterator[Process]:
    """`stillwatch gate` on a policy, in a folder of its own."""
    folder.mkdir(exist_ok=True)
    (folder / "policy.toml").write_text(policy)
    (folder / "settings.toml").write_text(settings)
    args = command("gate", "--policy", "policy.toml", "--dir", "gate", "--listen", f"127.0.0.1:{port}",
                   "--settings", "settings.toml")  # fmt: skip
    with running(
        args, port, env=environment(**env), cwd=folder, until=r"listening on http://127.0.0.1:(\d+)"
    ) as one:
        yield one


def log_of(folder: Path) -> list[dict[str, Any]]:
    """The decisions of a gate."""
    return [json.loads(line) for line in (folder / "gate" / LOG).read_text().splitlines()]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def send(port: int, path: str, body: Any = None, *, method: str = "POST", **headers: str) -> Reply:
    """One request on a connection of its own; underscores in header names are dashes."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, path, data, {"content-type": "application/json", **names})
        response = connection.getresponse()
        return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/")
        connection.getresponse().read()
        connection.close()
    except (OSError, HTTPException):
        return False
    return True


def plain_environment(**changes: str) -> dict[str, str]:
    """What a foreign program sees."""
    return {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "TMPDIR")} | changes
