"""The benches of live decisions: what they send, what they count, and the page they make."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from scripts.bench_guardrail import asks, chats, prompts
from scripts.bench_middleware import app
from scripts.benchmarks import live
from scripts.benchmarks.deciding import decide
from scripts.benchmarks.live_gates import live_gates
from scripts.doors import Door, added, at_rates, held, highest, in_turns
from scripts.others import Others
from scripts.pauses import Meter, Spent, hiccups, met
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


class Server(ThreadingHTTPServer):
    """With room for all connections at once: one for which there is none is tried again a second later."""

    request_queue_size = 128


@pytest.mark.parametrize(("path", "failed"), [("/", 0), ("/chunks", 0), ("/bad", 6)])
def test_every_request_is_counted_once(path: str, failed: int) -> None:
    """Answered or failed, in either loop."""
    with Server(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        requests = [http(path, b"{}", {})]
        for done in (
            asyncio.run(open_loop(server.server_port, requests, 200.0, 0.03, lines=2)),
            asyncio.run(open_loop([server.server_port] * 2, requests, 200.0, 0.03, lines=4)),
            asyncio.run(closed_loop(server.server_port, requests, 6, lines=2)),
            asyncio.run(closed_loop([server.server_port] * 2, requests, 6, lines=2)),
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


def test_requests_alternate_between_the_copies_of_a_door() -> None:
    """Connections that stay open would all stay at one of the workers behind one port."""
    asked, ended = [0, 0], asyncio.Semaphore(0)

    def copy(number: int) -> Callable[..., Awaitable[None]]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while await reader.readuntil(b"{}"):
                    asked[number] += 1
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            except EOFError:
                pass
            finally:
                writer.close()
                ended.release()

        return serve

    async def run() -> None:
        async with AsyncExitStack() as stack:
            both = [
                await stack.enter_async_context(await asyncio.start_server(copy(n), "127.0.0.1", 0))
                for n in (0, 1)
            ]
            ports = [each.sockets[0].getsockname()[1] for each in both]
            await open_loop(ports, [http("/", b"{}", {})], 1_000.0, 0.02, lines=8)

    asyncio.run(run())
    assert asked == [10, 10]


def test_percentiles_of_nothing_are_nothing() -> None:
    """A door at which everything failed has no figures, and the page says so."""
    assert Volley(failed=3).milliseconds() == {}
    page = "\n".join(live.guardrail({"machine": "m", "seed": 7, "proxies": behind_litellm()}))
    assert "| LiteLLM, stillwatch | 109 | 9.40 | 95 |" in page
    assert (
        "| model server | 9,000 | 0.10 | at least 400 |" in page
        and "| unmimic | 0 | 3.00 | none tried |" in page
    )
    assert page.count(" requests/s, due at fixed times, in turns") == 2
    assert (
        "| LiteLLM, stillwatch | 95 | yes | 2.50 | 3.00 | 5.00 | 0.50 (0.40 to 0.60) | 1.00 (0.80 to 1.20) | LiteLLM |"
        " 8.00 | 0.10 | 0.20 | 1.20 | 0.90 | 9 | 0 |"
    ) in page
    assert (
        "| unmimic | 0 | **no** | - | - | - |  |  | model server | 3.00 | 0.10 | 0.20 |  | 0.00 | 0 | 9 |"
        in page
    )
    assert "Left out: x: make x." in page


def test_nothing_is_compared_at_a_rate_that_is_not_held() -> None:
    """A queue that grows is no latency of a door; nor is what stands beside one."""
    page = "\n".join(live.guardrail({"machine": "m", "seed": 7, "proxies": behind_litellm()}))
    assert "| LiteLLM, stillwatch | 90 | **no** | 900.00 | 950.00 | 990.00 |  |  | LiteLLM |" in page


def behind_litellm(held_at_200: bool = False) -> dict[str, Any]:
    """What the bench of proxies keeps; as a rule one rate that is not held and one that is."""
    cpu = {"door": 8.0, "model server": 0.1, "what asks": 0.2}
    more: dict[str, Any] = {"answered": 9, "failed": 0, "added": None, "cpu_ms": cpu, "held": True}
    low, high = ({"p50": 2.0, "p90": 3.0, "p99": 4.0}, {"p50": 900.0, "p90": 950.0, "p99": 990.0})
    shown = {"p50": [0.5, 0.4, 0.6], "p99": [1.0, 0.8, 1.2]}
    rows = []
    for rate, ours in ((200.0, held_at_200), (95.0, True)):
        rows += [
            {**more, "door": "LiteLLM", "beside": "model server", "rate": rate, "per_s": rate, "ms": low},
            {**more, "door": "LiteLLM, stillwatch", "beside": "LiteLLM", "rate": rate, "held": ours, "added": shown,
             "per_s": rate if ours else 90.0, "ms": {"p50": 2.5, "p90": 3.0, "p99": 5.0} if ours else high,
             "cpu_ms": {**cpu, "gate": 1.2}},
            {**more, "door": "unmimic", "beside": "model server", "rate": rate, "per_s": 0.0, "ms": {}, "held": False,
             "answered": 0, "failed": 9, "added": {}, "cpu_ms": {**cpu, "door": 3.0}},
        ]  # fmt: skip
    sustained = (("model server", 9_000.0, 0.1, 400.0), ("LiteLLM", 150.4, 8.0, 140.0),
                 ("LiteLLM, stillwatch", 108.9, 9.4, 95.0), ("unmimic", 0.0, 3.0, None))  # fmt: skip
    return {
        "asked_rate": 200.0, "decided": 9, "missing": ["x: make x"], "copies": 2, "cores": 2, "hold_s": 10.0,
        "server": "granian",
        "rows": rows,
        "capacity": [{"door": door, "sustains": per_s, "cpu_ms_each": cpu_ms, "holds": holds}
                     for door, per_s, cpu_ms, holds in sustained],
    }  # fmt: skip


def test_figures_of_an_earlier_form_are_not_shown_as_these() -> None:
    """The page says that they are to be taken anew, and what they were to show does not hold."""
    old: dict[str, Any] = {"machine": "m", "seed": 7, "decide_us": {"p99": 27.0}, "table_bytes": 48_000_000,
                           "gate": {"with": {}}, "proxies": {"asked_rate": 200.0, "rows": []}}  # fmt: skip
    page = "\n".join(
        [*decide(old), *live.guardrail(old), *live_gates({"decide.json": old, "gate.json": old})]
    )
    assert page.count("make bench-protect") == 4 and page.count("| **no** |") == 2


def test_why_a_rate_is_not_reached_is_said_in_processor_time() -> None:
    """What a request costs, and how many of them the machine could do at the most."""
    page = "\n".join(live_gates({"gate.json": {"proxies": behind_litellm()}}))
    assert "| not held; at 95/s 0.5 ms at p50 (0.4 to 0.6) | **no** |" in page
    assert (
        "8.0 ms of CPU in its production mode, the model server's with it: all 2 cores together do 250 of them"
        in page
    )
    assert "With ours it is 9.4 ms, the gate's among them, and at most 213 a second." in page
    assert "140/s without and 95/s with" in page
    assert "| 0.5 ms at p50 (0.4 to 0.6) | yes |" in "\n".join(
        live_gates({"gate.json": {"proxies": behind_litellm(held_at_200=True)}})
    )


def test_what_is_added_without_a_model_server_is_named_as_that() -> None:
    """A rate that is held with LiteLLM's own mock alone says so, and the one that is held with a model server too."""
    part = behind_litellm()
    part["mocked"] = {"cpu_ms_each": {"LiteLLM": 5.0}, "rows": behind_litellm(held_at_200=True)["rows"]}
    gates = "\n".join(live_gates({"gate.json": {"proxies": part}}))
    assert (
        "| 0.5 ms at p50 (0.4 to 0.6), with LiteLLM's own mock for a model server; with one not held; at 95/s 0.5 ms"
        in gates
    )
    page = "\n".join(live.guardrail({"machine": "m", "seed": 7, "proxies": part}))
    assert "LiteLLM's own mock in place of a model server" in page and "LiteLLM 5.00 ms" in page
    part["mocked"] = {"cpu_ms_each": {}, "rows": behind_litellm()["rows"]}
    failed = "\n".join(live_gates({"gate.json": {"proxies": part}}))
    assert "| **no** |" in failed and "200/s of 200/s without a guardrail and 90/s with ours" in failed


def test_every_turn_of_the_endpoint_is_told() -> None:
    """A p99 over all turns hides a slow one, so that each turn's stands beside it."""
    door = {"per_s": 3_000.0, "connections": 16, "requests": 9, "failed": 0, "closed_ms": {}, "cpu_ms_each": 0.3,
            "rate": 1_000.0, "open_ms": {"p99": 4.0}, "open_requests": 9, "p99_ms_by_turn": [3.0, 6.5]}  # fmt: skip
    page = "\n".join(live.guardrail({"machine": "m", "seed": 7, "endpoint": door}))
    assert "The p99 of each of 2 turns: 3.0, 6.5 ms." in page


def test_a_rate_is_held_when_nothing_waits_at_the_end() -> None:
    """All answered, the last not late; a door that fails or falls behind does not hold it."""
    assert held(Volley([0.01] * 50, 0, 5.2), 10.0)
    assert not held(Volley([0.01] * 50, 0, 5.3), 10.0)
    assert not held(Volley([0.01] * 49, 1, 5.0), 10.0)
    assert not held(Volley(), 10.0)


def test_the_highest_rate_that_all_doors_hold_is_found() -> None:
    """From above; with what was tried, and never below the lowest."""
    with Server(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        door = Door("d", (server.server_port,))
        rate, tried = highest([door], [http("/", b"{}", {})], 20.0, 0.5)
        none, all_tried = highest([door], [http("/bad", b"{}", {})], 20.0, 0.1)
        server.shutdown()
        thread.join()
    assert rate is None or tried[-1]["rate"] == rate
    assert none is None and not any(held for each in all_tried for held in each["held"])
    rates = [each["rate"] for each in all_tried]
    assert rates == sorted(rates, reverse=True) and rates[-1] == 5.0


def test_doors_are_measured_in_turns_with_what_each_process_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request is counted, the cost stands by its process, and what is added by the door beside."""
    monkeypatch.setattr("scripts.doors.cpu_s", lambda ports: time.process_time() * len(list(ports)))
    monkeypatch.setattr("scripts.doors.held", lambda done, rate: rate < 100.0)
    monkeypatch.setattr("scripts.doors.fast", lambda *_: (0.0, 0.0))
    with Server(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.server_port
        doors = [Door("a", (port,)), Door("b", (port, port), "a", {"gate": port})]
        rows = in_turns(doors, [http("/", b"{}", {})], 50.0, turns=2, seconds=0.1, seed=1)
        every = at_rates(doors, [http("/", b"{}", {})], [50.0, 105.0], turns=1, seconds=0.1, seed=1)
        server.shutdown()
        thread.join()
    assert [(row["answered"], row["failed"], row["held"]) for row in rows] == [(10, 0, True)] * 2
    assert set(rows[1]["cpu_ms"]) == {"door", "gate", "what asks"} and set(rows[1]["added"]) == {"p50", "p99"}
    assert rows[0]["added"] is None
    assert [(row["rate"], row["held"]) for row in every[::2]] == [(50.0, True), (105.0, False), (85.0, True)]


def test_the_server_behind_the_middleware_answers_once_the_request_is_there() -> None:
    """Whole; and it stays until it is told to end, as the middleware expects of a server."""
    sent: list[dict[str, Any]] = []
    pieces: list[dict[str, Any]] = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive() -> dict[str, Any]:
        return pieces.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app({"type": "lifespan"}, receive, send))
    assert [each["type"] for each in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    pieces += [{"more_body": True}, {"more_body": False}]
    sent.clear()
    asyncio.run(app({"type": "http"}, receive, send))
    assert not pieces and json.loads(sent[1]["body"])["usage"]
    assert dict(sent[0]["headers"])[b"content-length"] == str(len(sent[1]["body"])).encode()


def test_what_is_added_has_an_interval_around_it() -> None:
    """The same seed gives the same; where nothing was answered there is none."""
    draw = np.random.default_rng(3)
    one, two = (Volley(list(draw.exponential(0.01, 400) + base)) for base in (0.01, 0.02))
    found = added(one, two, block=20, seed=1, times=200)
    value, low, high = found["p50"]
    assert low < value < high and low < 10.0 < high
    assert added(one, two, block=20, seed=1, times=200) == found
    assert added(one, Volley(failed=3), block=20, seed=1) == {}


def test_the_page_says_how_soon_replicas_have_what_is_published() -> None:
    """Median, longest, and how many within a second."""
    row = {"machine": "m", "accounts": 1_000, "table_bytes": 55_000_000, "replicas": 2, "poll_s": 0.2, "store": "v",
           "kill_s": [0.1, 0.2, 0.4], "table_s": [0.5, 1.25]}  # fmt: skip
    page = "\n".join(live.replicas(row))
    assert "| a kill switch | 3 | 0.20 | 0.40 | 3 |" in page
    assert "(55 MB) | 2 | 0.88 | 1.25 | 1 |" in page


def an_arm(own_us: float) -> dict[str, Any]:
    """Decisions of one kind, as the bench of decisions keeps them."""
    return {
        "decisions": 100_000, "us": {"p50": 30.0, "p90": 40.0, "p99": 90.0, "max": 9_000.0}, "over_5_ms": 3,
        "over_5_ms_own": int(own_us > 5_000), "longest_own_us": own_us, "reloads": 7, "stolen_s": 0.1, "wall_s": 4.0,
        "causes": {"waited for a core": 2, "its own": 1},
    }  # fmt: skip


def test_the_page_says_whose_pauses_they_were() -> None:
    """All kinds of calls side by side, with rates and intervals, and the causes together."""
    row = {
        "machine": "m", "accounts": 1_000, "table_bytes": 48_000_000, "rules": 200, "requests": 100_000,
        "decide_us": {"p50": 11.0, "p90": 12.0, "p99": 27.0},
        "gate": {"runs": 1, "seed": 5, "swap_every_s": 0.5, "refused": 0, "hiccups": 4, "longest_hiccup_ms": 9.0,
                 "with": an_arm(6_000.0), "without": an_arm(900.0), "control": an_arm(40.0)},
    }  # fmt: skip
    page = "\n".join(decide(row))
    assert (
        "| gate, while files are swapped | 100,000 | 30.0 | 40.0 | 90.0 | 9.0 | 3 | 1 (10.0; 0.3 to 55.7) | 6.0 |"
        in page
    )
    assert "waited for a core 6, its own 3" in page and "kept 0.30 s of 12 s" in page


@pytest.mark.parametrize(
    ("parts", "own", "cause"),
    [
        ({"ran": 6_000_000}, 6_000_000, "its own"),
        ({"ran": 50_000, "queued": 5_950_000}, 50_000, "waited for a core"),
        ({"ran": 50_000, "queued": 5_950_000, "beside_ran": 2_000_000}, 2_050_000, "waited for a core"),
        ({"ran": 50_000, "queued": 5_950_000, "beside_ran": 5_500_000}, 5_550_000, "its own"),
        ({"ran": 50_000}, 50_000, "the machine stood still"),
        ({"ran": 50_000, "given": 1}, 6_000_000, "its own"),
        (
            {"ran": 50_000, "given": 1, "beside_queued": 4_000_000},
            2_000_000,
            "the other thread waited for a core",
        ),
    ],
)
def test_a_pause_is_given_to_whoever_made_it(parts: dict[str, int], own: int, cause: str) -> None:
    """Work, sleep and what the other thread ran are the program's own; waits for others' cores are not."""
    spent = Spent(
        0, 6_000_000, **{"ran": 0, "queued": 0, "given": 0, "beside_ran": 0, "beside_queued": 0, **parts}
    )
    assert (spent.own, spent.cause) == (own, cause)


def test_work_and_sleep_are_told_apart() -> None:
    """As the system counts them for the thread; where it does not count waits, all of it is the program's own."""
    meter = Meter("nobody")
    before = meter.now()
    time.sleep(0.005)
    slept = meter.since(before)
    before = meter.now()
    sum(range(300_000))
    worked = meter.since(before)
    assert slept.ran < slept.wall and worked.ran > 0
    assert slept.given or slept.asleep == 0


def test_a_pause_of_the_machine_is_met_by_whoever_runs_then() -> None:
    """A gap that the other process saw, and a call at the same time."""
    assert met(100, 10, [(50, 101)]) and met(100, 10, [(109, 200)]) and met(100, 10, [(0, 500)])
    assert not met(100, 10, [(0, 100), (110, 120)])
    with hiccups() as found:
        pass
    assert all(begin < end for begin, end in found)


def test_what_was_asked_stands_beside_what_was_measured() -> None:
    """With the reason where it fails, and with what other programs used meanwhile."""
    decide: dict[str, Any] = {
        "decide_us": {"p99": 27.0}, "table_bytes": 48_000_000, "requests": 9, "other_cores": 0.02,
        "gate": {name: an_arm(own) for name, own in (("with", 6_069.2), ("without", 900.0), ("control", 40.0))},
    }  # fmt: skip
    page = "\n".join(live_gates({"decide.json": decide}))
    assert "| 27 µs | yes |" in page and "over 5 ms in 1 of 100,000 decisions | **no** |" in page
    assert "Without swaps it was 0 of 100,000, at most 0.9 ms" in page
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
