"""A stand-in for a model server: answers every POST with what it was asked, whole or as server-sent events.

python examples/gateways/envoy/model_server.py 8000
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_SEALED = "c2VhbGVkIHJlYXNvbmluZw=="
_REASONING = {
    "reasoning_content": "First of all",
    "reasoning_details": [{"type": "reasoning.encrypted", "data": _SEALED}],
}
USAGE = {"prompt_tokens": 3, "completion_tokens": 7, "total_tokens": 10}


def _thinks(seen: dict[str, Any]) -> bool:
    return isinstance(seen["asked"], dict) and bool(seen["asked"].get("think"))


class Model(BaseHTTPRequestHandler):
    """Chat completions, of the simplest kind."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        raw = self._body()
        try:
            asked: Any = json.loads(raw)
        except ValueError:
            asked = {}
        seen = {"asked": asked, "headers": {k.lower(): v for k, v in self.headers.items()}}
        seen["knows_its_block"] = _SEALED.encode() in raw
        if isinstance(asked, dict) and asked.get("stream"):
            self._events(seen)
        else:
            self._whole(seen)

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        pieces = []
        while size := int(self.rfile.readline() or b"0", 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _whole(self, seen: dict[str, Any]) -> None:
        message = {"role": "assistant", "content": "Hello."} | (_REASONING if _thinks(seen) else {})
        answer = {"model": "m", "choices": [{"message": message}], "usage": USAGE, "seen": seen}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _events(self, seen: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        if _thinks(seen):
            self._event(json.dumps({"choices": [{"index": 0, "delta": _REASONING}]}))
        for word in ("Hel", "lo."):
            self._event(json.dumps({"choices": [{"index": 0, "delta": {"content": word}}]}))
        self._event(json.dumps({"choices": [], "usage": USAGE, "seen": seen}))
        self._event("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def _event(self, data: str) -> None:
        text = f"data: {data}\n\n".encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Says nothing: prompts stay out of logs."""


class Server(ThreadingHTTPServer):
    """Clients may go away at any time."""

    def handle_error(self, *_: object) -> None:
        """Says nothing either."""


if __name__ == "__main__":
    with Server(("127.0.0.1", int(sys.argv[1])), Model) as server:
        server.serve_forever()
