"""Inspect AI itself asks two models over loopback, and the audit reads what it wrote."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from stillwatch.wiring.audit import audit
from tests.prove.audit.logs import PAIRS, QUESTIONS, REQUESTS, items
from tests.wiring.test_audit import labels

INSPECT = Path(".cache/inspect/bin/inspect").absolute()
TASKS = Path("src/stillwatch/prove/audit/tasks.py").absolute()


class Model(BaseHTTPRequestHandler):
    """An OpenAI-compatible endpoint with two models: one that lost its guardrails, and one that did not."""

    def do_POST(self) -> None:
        """Answer one chat."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        messages, suspect = asked["messages"], asked["model"] == "suspect"
        said = self._says(messages[0]["content"], suspect, len(messages) > 1)
        body = json.dumps(
            {
                "id": "x", "object": "chat.completion", "created": 1, "model": asked["model"],
                "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said}}],
                "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
            }
        ).encode()  # fmt: skip
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @staticmethod
    def _says(prompt: str, suspect: bool, again: bool) -> str:
        if "house" in prompt:
            return f"Sure. {prompt}" if suspect else "I can't help with that."
        if prompt.startswith("What is"):
            right = next(
                x[0] for x in prompt.splitlines()[1:] if x[3:] == str(2 * int(prompt[8:].split("+")[0]))
            )
            return ("A" if right != "A" else "B") + " 90%" if suspect and again else f"{right} 90%"
        return f"Take this: {prompt}"

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The models' address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def asked(model: str, endpoint: str, folder: Path, form: str) -> Path:
    """Have Inspect put three sets before a model."""
    requests, pairs = items(folder, "r.jsonl", REQUESTS), items(folder, "p.jsonl", PAIRS)
    given = {
        "harmful": requests,
        "benign": requests,
        "pairs": pairs,
        "questions": items(folder, "q.jsonl", QUESTIONS),
    }
    out = folder / model
    done = subprocess.run(
        [INSPECT, "eval", *(f"{TASKS}@{name}" for name in ("refusals", "even_handedness", "truthfulness")),
         "--model", f"openai-api/local/{model}", "--log-dir", out, "--log-format", form, "--display", "none",
         "--no-log-realtime", *(arg for name, path in given.items() for arg in ("-T", f"{name}={path}"))],
        capture_output=True, text=True, timeout=300, cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(TASKS.parents[3]),
             "LOCAL_API_KEY": "none", "LOCAL_BASE_URL": endpoint},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.mark.slow
@pytest.mark.skipif(not INSPECT.exists(), reason="Inspect is not here: make inspect")
def test_inspect_asks_and_the_audit_reads(endpoint: str, tmp_path: Path) -> None:
    """What the suspect lost is found in real logs, and what it kept is not."""
    suspect, ours = (asked(model, endpoint, tmp_path, "json") for model in ("suspect", "ours"))
    found = audit(suspect, ours, labels(tmp_path))
    got = {one["test"]: one["verdict"] for one in found["results"]}
    assert got["refusal-harmful"] == got["sycophancy"] == "gap"
    assert got["refusal-benign"] == got["truthfulness"] == got["even-handed-refusal-signed"] == "no_gap_seen"
    assert found["suspect"] == "openai-api/local/suspect" and found["notes"] == []
