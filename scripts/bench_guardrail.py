"""What asking costs behind LiteLLM: the guardrail endpoint alone, and proxies with and without a guardrail.

1. The endpoint: `stillwatch gate` on one core, asked as LiteLLM asks. As fast as it answers, and at a fixed rate.
2. Proxies in front of one stand-in for a model server, in turns and on the same payloads: LiteLLM without a guardrail,
   with stillwatch, with LiteLLM's own content filter; and `unmimic`, another proxy, beside the model server asked
   directly. LiteLLM runs in its production mode, one worker to a copy and a copy for each core, as its documentation
   advises: workers of one copy share a socket, and whichever wakes first takes the connections that wait, so that
   clients who keep theirs open end up at one of them. `unmimic` runs as its wheel installs: its input check needs a
   model and half a gigabyte of prompts from the network and is off, its output checks run.

   First as fast as each answers, with the processor time that a request costs; then the highest rate that each holds;
   then all at the rate that was asked for, whether they hold it or not. Where LiteLLM does not hold that without a
   guardrail and with ours, once more at the highest rate that both hold, from seven tenths of what the slower of the
   two sustains downwards: nearer to it the length of a queue is measured and not what is added.
3. LiteLLM with its own `mock_response` in place of a model server, without a guardrail, with ours and with its content
   filter, at the rate that was asked for: calling a model costs LiteLLM about as much as calling a guardrail, and cores
   that do not hold the rate with both may hold it with one.

A request counts from when it was due. Needs `make litellm` and `make unmimic`; what is missing is left out and said.
Run it on a quiet machine:

    python -m scripts.bench_guardrail --out docs/data/gate.json
    python -m scripts.bench_guardrail --requests 500 --seconds 2 --turns 1 --rate 20      # to see that it works
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import secrets
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from scripts.bench import machine
from scripts.doors import LEAST, Door, fast, highest, in_turns
from scripts.others import Others
from scripts.started import ROOT, cores, free_port, gate, lines, process, python
from scripts.volley import Volley, closed_loop, http, open_loop

CHAT, GUARDRAIL = "/v1/chat/completions", "/beta/litellm_basic_guardrail_api"
_WORDS = (
    "the of to in and with about write explain compare list number answer question river table word".split()
)
_SERVER, _BARE, _OURS, _GATE = "model server", "LiteLLM", "LiteLLM, stillwatch", "gate"
_SERVERS = {"granian": ("--run_granian",), "uvicorn": ()}
"""What LiteLLM can run on."""
_ROOM = 0.7
"""Share of what the slower sustains that is asked at most: nearer to it the length of a queue is measured."""
_FILTER = """
guardrails:
  - guardrail_name: filter
    litellm_params:
      guardrail: litellm_content_filter
      mode: pre_call
      default_on: true
      patterns: [{pattern_type: prebuilt, pattern_name: us_ssn, action: BLOCK}]
"""
_ASKS = """
guardrails:
  - guardrail_name: stillwatch
    litellm_params:
      guardrail: generic_guardrail_api
      mode: pre_call
      default_on: true
      api_base: http://127.0.0.1:%d
      unreachable_fallback: fail_closed
"""
_SAID = "word " * 80
"""What a model answers."""
_MODEL = """
model_list:
  - model_name: m
    litellm_params: {model: openai/m, api_base: "http://127.0.0.1:%d/v1", api_key: none%s}
general_settings:
  master_key: os.environ/LITELLM_MASTER_KEY
"""
_MOCK = f', mock_response: "{_SAID}"'
"""LiteLLM answers by itself."""


def prompts(number: int, seed: int) -> list[str]:
    """Synthetic prompts of eighty words."""
    draw = random.Random(seed)  # noqa: S311
    return [" ".join(draw.choices(_WORDS, k=80)) for _ in range(number)]


def chats(texts: Sequence[str], key: str) -> list[bytes]:
    """Chat requests, as a client of the proxy sends them."""
    head = {"authorization": f"Bearer {key}"}
    return [http(CHAT, json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode(), head)
            for text in texts]  # fmt: skip


def asks(texts: Sequence[str], accounts: int) -> list[bytes]:
    """Guardrail calls, as the proxy sends them."""
    made = []
    for number, text in enumerate(texts):
        body = {
            "input_type": "request", "litellm_call_id": f"call-{number}", "litellm_trace_id": f"trace-{number}",
            "model": "m", "texts": [text], "structured_messages": [{"role": "user", "content": text}],
            "request_data": {"user_api_key_hash": "h", "user_api_key_team_id": f"team-{number % accounts}"},
            "request_headers": {"user-agent": "OpenAI/Python"},
        }  # fmt: skip
        made.append(http(GUARDRAIL, json.dumps(body).encode(), {}))
    return made


async def model(port: int) -> None:
    """The stand-in for a model server: one answer, at once."""
    answer = json.dumps({
        "id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": _SAID}}],
        "usage": {"prompt_tokens": 80, "completion_tokens": 80, "total_tokens": 160},
    }).encode()  # fmt: skip
    whole = (
        f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(answer)}\r\n\r\n".encode()
    )

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).lower():
                length = re.search(rb"content-length: (\d+)", head)
                await reader.readexactly(int(length[1]) if length else 0)
                writer.write(whole + answer)
        except (OSError, EOFError):
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", port) as server:
        await server.serve_forever()


@contextmanager
def litellm(
    folder: Path, upstream: int, guardrails: str, key: str, server: str, mock: str = ""
) -> Iterator[int]:
    """A LiteLLM proxy as its documentation sets it up for production, but for a database."""
    port = free_port()
    (folder / f"config-{port}.yaml").write_text(_MODEL % (upstream, mock) + guardrails, encoding="utf-8")
    program = ROOT / ".cache/litellm/bin/litellm"
    args = [str(program), "--config", f"config-{port}.yaml", "--host", "127.0.0.1", "--port", str(port),
            "--num_workers", "1", *_SERVERS[server]]  # fmt: skip
    env = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "NO_PROXY": "*",
        "LITELLM_MASTER_KEY": key,
        "LITELLM_LOG": "ERROR",
        "LITELLM_MODE": "PRODUCTION",
        "PYTHON_GC_THRESHOLD": "1000,50,50",  # its own example: it has 760,000 objects to look through
    }
    with process(args, port, folder=folder, env=env):
        yield port


@contextmanager
def unmimic(folder: Path, upstream: int) -> Iterator[int]:
    """The other proxy, as its wheel installs."""
    port = free_port()
    args = [str(ROOT / ".cache/unmimic/bin/unmimic"), "serve", "--port", str(port),
            "--upstream", f"http://127.0.0.1:{upstream}/v1"]  # fmt: skip
    with process(args, port, folder=folder, env={"NO_PROXY": "*"}):
        yield port


def endpoint(folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """The guardrail endpoint on one core."""
    made = asks(prompts(500, given.seed), accounts=100)
    os.sync()  # what was written before this run is no work of the gate's disk
    with gate(folder, core=cores()[-1]) as port, elsewhere():
        asyncio.run(closed_loop(port, made, min(500, given.requests)))
        used = told_cpu_s(port)
        closed = asyncio.run(closed_loop(port, made, given.requests))
        used = told_cpu_s(port) - used
        turns = [
            asyncio.run(open_loop(port, made, given.endpoint_rate, given.seconds))
            for _ in range(given.endpoint_turns)
        ]
    steady = Volley()
    for turn in turns:
        steady.add(turn)
    return {
        "requests": len(closed.seconds), "failed": closed.failed + steady.failed,
        "per_s": round(closed.per_s, 1), "closed_ms": closed.milliseconds(), "connections": 16,
        "cpu_ms_each": round(used / given.requests * 1000, 3), "rate": given.endpoint_rate,
        "open_ms": steady.milliseconds(), "open_requests": len(steady.seconds),
        "p99_ms_by_turn": [turn.milliseconds().get("p99") for turn in turns],
    }  # fmt: skip


@contextmanager
def elsewhere() -> Iterator[None]:
    """This program on other cores than the gate's, where there are any."""
    mine = set(cores())
    if len(mine) < 2:
        yield
        return
    os.sched_setaffinity(0, mine - {max(mine)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, mine)


def told_cpu_s(port: int) -> float:
    """Seconds of processor time that a gate has used, by its own metrics."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        found = re.search(rb"^process_cpu_seconds_total (\S+)", answer.read(), re.MULTILINE)
    return float(found[1]) if found else float("nan")


def proxies(folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Every proxy that is installed."""
    key = f"sk-{secrets.token_hex(32)}"
    requests = chats(prompts(500, given.seed + 1), key)
    copies = given.copies or len(cores())
    turns = {"turns": given.turns, "seconds": given.seconds, "seed": given.seed}
    with ExitStack() as stack:
        doors, missing = _opened(stack, folder, key, copies, given.server)
        capacity: dict[str, dict[str, Any]] = {}
        for door in doors:
            per_s, cpu_ms = fast(door, requests, given.capacity_s)
            most = max(LEAST, min(per_s * 0.95, 2 * given.rate) // 5 * 5)
            holds, tried = highest([door], requests, most, given.hold_s)
            capacity[door.name] = {
                "door": door.name, "sustains": per_s, "cpu_ms_each": cpu_ms, "holds": holds, "tried": tried,
            }  # fmt: skip
            _said(f"{door.name}: {per_s:,.0f}/s as fast as it answers; holds {holds or 0:,.0f}/s")
        compared = [door for door in doors if door.name in (_BARE, _OURS)] or doors
        rows = in_turns(doors, requests, given.rate, **turns)
        names = {door.name for door in compared}
        if not all(row["held"] for row in rows if row["door"] in names):
            slowest = min(capacity[name]["sustains"] for name in names)
            most = min(0.85 * given.rate, _ROOM * slowest) // 5 * 5
            rate, _ = highest(compared, requests, most, given.hold_s)
            if rate is not None:
                rows += in_turns(doors, requests, rate, **turns)
        decided = lines(folder / "served" / "gate" / "decisions.jsonl")
    with ExitStack() as stack:
        doors = _litellms(stack, folder, key, copies, given.server, free_port(), mock=_MOCK)
        spent = {door.name: fast(door, requests, given.capacity_s)[1] for door in doors}
        mocked = in_turns(doors, requests, given.rate, **turns) if doors else []
    return {"asked_rate": given.rate, "hold_s": given.hold_s, "copies": copies, "cores": len(cores()),
            "server": given.server, "capacity": list(capacity.values()), "rows": rows,
            "mocked": {"cpu_ms_each": spent, "rows": mocked}, "decided": decided, "missing": missing}  # fmt: skip


def _opened(
    stack: ExitStack, folder: Path, key: str, copies: int, server: str
) -> tuple[list[Door], list[str]]:
    """The doors of everything that is installed, and what is missing."""
    missing: list[str] = []
    at = free_port()
    code = f"import asyncio; from scripts.bench_guardrail import model; asyncio.run(model({at}))"
    stack.enter_context(python(code, at, folder=folder))
    behind = {_SERVER: at}
    doors = [Door(_SERVER, (at,))]
    doors += _litellms(stack, folder, key, copies, server, at)
    if len(doors) == 1:
        missing.append("LiteLLM: make litellm")
    if (ROOT / ".cache/unmimic/bin/unmimic").exists():
        ports = tuple(stack.enter_context(unmimic(folder, at)) for _ in range(copies))
        doors.append(Door("unmimic", ports, _SERVER, behind))
    else:
        missing.append("unmimic: make unmimic")
    return doors, missing


def _litellms(
    stack: ExitStack, folder: Path, key: str, copies: int, server: str, at: int, *, mock: str = ""
) -> list[Door]:
    """LiteLLM without a guardrail, with ours and with its own, before a model server or its own mock; none where it is
    not installed."""
    if not (ROOT / ".cache/litellm/bin/litellm").exists():
        return []
    behind = {} if mock else {_SERVER: at}
    (kept := folder / ("mocked" if mock else "served")).mkdir()
    asked = stack.enter_context(gate(kept))
    doors = []
    for name, guardrails in (
        (_BARE, ""), (_OURS, _ASKS % asked), ("LiteLLM, its content filter", _FILTER),
    ):  # fmt: skip
        ports = tuple(
            stack.enter_context(litellm(folder, at, guardrails, key, server, mock)) for _ in range(copies)
        )
        beside = _BARE if name != _BARE else None if mock else _SERVER
        doors.append(Door(name, ports, beside, behind | ({_GATE: asked} if name == _OURS else {})))
    return doors


def _said(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Measure, print, and write with ``--out``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--requests", type=int, default=20_000, help="for the endpoint, as fast as it answers"
    )
    parser.add_argument(
        "--endpoint-rate", type=float, default=1_000.0, help="requests a second for the endpoint"
    )
    parser.add_argument("--endpoint-turns", type=int, default=5, help="turns for the endpoint at that rate")
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second for each proxy")
    parser.add_argument(
        "--capacity-s", type=float, default=6.0, help="seconds for each proxy, as fast as it answers"
    )
    parser.add_argument("--hold-s", type=float, default=6.0, help="for how long a rate is tried")
    parser.add_argument("--server", choices=sorted(_SERVERS), default="granian", help="that LiteLLM runs on")
    parser.add_argument("--copies", type=int, help="of each proxy; else one for each core")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of one turn")
    parser.add_argument("--turns", type=int, default=3, help="turns for each proxy")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--only", choices=("endpoint", "proxies"))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    others = Others()
    row: dict[str, Any] = {"machine": machine(), "seed": given.seed}
    with tempfile.TemporaryDirectory() as place:
        for name, measure in (("endpoint", endpoint), ("proxies", proxies)):
            if given.only in (None, name):
                (folder := Path(place) / name).mkdir()
                row[name] = measure(folder, given)
    row["other_cores"] = others.cores()
    print(json.dumps(row, indent=1))
    if given.out:
        given.out.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
