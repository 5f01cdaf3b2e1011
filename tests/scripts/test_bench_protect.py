"""The benches of live decisions: what they send, what they count, and the page they make."""

from __future__ import annotations

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from scripts.bench_guardrail import asks, chats, prompts, sustained
from scripts.benchmarks import live
from scripts.benchmarks.live_gates import live_gates
from scripts.others import Others
from scripts.volley import Volley, closed_loop, http, open_loop
from stillwatch.gateway.litellm import asked


class Answers(BaseHTTPRequestHandler):
    """Two kinds of answers: by length and in chunks; and errors where they are asked for."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(500 if self.path == "/bad" else 200)
        if self.path == "/chunks":
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"2\r\nok\r\n0\r\n\r\n")
        else:
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.mark.parametrize(("path", "failed"), [("/", 0), ("/chunks", 0), ("/bad", 6)])
def test_every_request_is_counted_once(path: str, failed: int) -> None:
    """Answered or failed, in either loop."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        requests = [http(path, b"{}", {})]
        for done in (
            asyncio.run(open_loop(server.server_port, requests, 200.0, 0.03, lines=2)),
            asyncio.run(closed_loop(server.server_port, requests, 6, lines=2)),
        ):
            assert (len(done.seconds), done.failed) == (6 - failed, failed)
        assert not asyncio.run(closed_loop(server.server_port, requests, 6, seconds=0.0)).seconds
        server.shutdown()
        thread.join()


def test_the_payloads_are_those_of_the_proxy() -> None:
    """The guardrail reads the prompt and the team that is charged; the same seed gives the same prompts."""
    texts = prompts(3, 7)
    assert texts == prompts(3, 7) != prompts(3, 8)
    body = json.loads(asks(texts, 2)[1].partition(b"\r\n\r\n")[2])
    assert (asked(body).request.account_id, asked(body).request.prompt) == ("team-1", texts[1])
    assert json.loads(chats(texts, "k")[0].partition(b"\r\n\r\n")[2])["messages"][0]["content"] == texts[0]


def test_percentiles_of_nothing_are_nothing() -> None:
    """A door at which everything failed has no figures, and the page says so."""
    assert Volley(failed=3).milliseconds() == {}
    rows: list[dict[str, Any]] = [
        {"door": "LiteLLM", "beside": "model server", "answered": 9, "failed": 0, "sustains": 150.4,
         "ms": {"p50": 2.0, "p90": 3.0, "p99": 4.0}},
        {"door": "LiteLLM, stillwatch", "beside": "LiteLLM", "answered": 9, "failed": 0, "sustains": 108.9,
         "ms": {"p50": 2.5, "p90": 3.0, "p99": 5.0}},
        {"door": "unmimic", "beside": "model server", "answered": 0, "failed": 9, "sustains": 0.0,
         "ms": {}},
    ]  # fmt: skip
    part = {"rate": 65.0, "asked_rate": 200.0, "rows": rows, "decided": 9, "missing": ["x: make x"], "apart": True,
            "gate_cpu_ms_each": 0.42}  # fmt: skip
    page = "\n".join(live.guardrail({"machine": "m", "seed": 7, "proxies": part}))
    assert "65 requests/s" in page and "At 200/s" in page
    assert "| LiteLLM, stillwatch | 109 | 2.50 | 3.00 | 5.00 | 0.50 | 1.00 | LiteLLM | 9 | 0 |" in page
    assert "| unmimic | 0 | - | - | - |  |  |  | 0 | 9 |" in page
    assert "Left out: x: make x." in page


def test_proxies_are_compared_at_a_rate_that_all_sustain() -> None:
    """What was asked for where that is less; a queue that grows is no latency."""
    assert sustained(200.0, [900.0, 400.0]) == 200.0
    assert sustained(200.0, [900.0, 109.0]) == 65.0


def test_the_page_says_how_soon_replicas_have_what_is_published() -> None:
    """Median, longest, and how many within a second."""
    row = {"machine": "m", "accounts": 1_000, "table_bytes": 55_000_000, "replicas": 2, "poll_s": 0.2, "store": "v",
           "kill_s": [0.1, 0.2, 0.4], "table_s": [0.5, 1.25]}  # fmt: skip
    page = "\n".join(live.replicas(row))
    assert "| a kill switch | 3 | 0.20 | 0.40 | 3 |" in page
    assert "(55 MB) | 2 | 0.88 | 1.25 | 1 |" in page


def test_what_was_asked_stands_beside_what_was_measured() -> None:
    """With the reason where it fails, and with what other programs used meanwhile."""
    decide: dict[str, Any] = {
        "decide_us": {"p99": 27.0}, "table_bytes": 48_000_000, "requests": 9, "other_cores": 0.02,
        "gate": {"with": {"longest_own_us": 6_069.2, "over_5_ms_own": 2}},
    }  # fmt: skip
    page = "\n".join(live_gates({"decide.json": decide}))
    assert "| 27 µs | yes |" in page and "over 5 ms | **no** |" in page
    assert page.count("Why not") == 1 and "no figures of a quiet machine" not in page
    intake = {
        "spans_per_s": 16_102,
        "missing": 0,
        "other_cores": 0.9,
        "server_cpu_s": 6.0,
        "acknowledged": 100_000,
    }
    page = "\n".join(live_gates({"intake.json": intake}))
    assert "| 16,102 spans/s | **no** |" in page and "| 0 missing | yes |" in page
    assert "no figures of a quiet machine" in page and "60 µs" in page
    assert live_gates({}) == []


def test_what_others_used_is_not_what_was_used_here() -> None:
    """Never below nothing, whatever this program does meanwhile."""
    others = Others()
    sum(range(3_000_000))
    used = others.cores()
    assert used is None or 0.0 <= used < 1_000
