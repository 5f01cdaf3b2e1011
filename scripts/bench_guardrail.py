"""What asking costs behind LiteLLM: the guardrail endpoint alone, and proxies with and without a guardrail.

1. The endpoint: `stillwatch gate` on one core, asked as LiteLLM asks. As fast as it answers, and at a fixed rate.
2. Proxies in front of one stand-in for a model server, in turns and on the same payloads: LiteLLM without a guardrail,
   with stillwatch, with LiteLLM's own content filter; and `unmimic`, another proxy, beside the model server asked
   directly. LiteLLM runs in its production mode with a worker for each core. `unmimic` runs as its wheel installs: its
   input check needs a model and half a gigabyte of prompts from the network and is off, its output checks run. First
   as fast as each answers, with the processor time that a request costs; then at the highest rate that LiteLLM holds
   without a guardrail and with ours, up to the one that was asked for and to seven tenths of what the slower of the
   two sustains: nearer to it the length of a queue is measured and not what is added.

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
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from scripts.bench import machine
from scripts.others import Others
from scripts.volley import Volley, closed_loop, http, open_loop

ROOT = Path(__file__).resolve().parent.parent
CHAT, GUARDRAIL = "/v1/chat/completions", "/beta/litellm_basic_guardrail_api"
_WORDS = (
    "the of to in and with about write explain compare list number answer question river table word".split()
)
_STARTED_S = 300.0
_BARE, _OURS = "LiteLLM", "LiteLLM, stillwatch"
_STEP = 0.85
"""From one rate that is tried to the next."""
_ROOM = 0.7
"""Share of what the slower sustains that is asked at most: nearer to it the length of a queue is measured."""
_PIDS: dict[int, int] = {}
"""Of what was started, by port."""
_LEAST, _LATE = 5.0, 0.05
"""Lowest rate that is tried; how much later than planned the last answer may come, as a share."""
_TICKS = os.sysconf("SC_CLK_TCK")
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
_MODEL = """
model_list:
  - model_name: m
    litellm_params: {model: openai/m, api_base: "http://127.0.0.1:%d/v1", api_key: none}
general_settings:
  master_key: os.environ/LITELLM_MASTER_KEY
"""


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
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "word " * 80}}],
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
def process(
    args: Sequence[str], port: int, *, folder: Path, env: dict[str, str], core: int | None = None
) -> Iterator[int]:
    """A program from when its port answers; ended whatever happens."""
    with (folder / f"said-{port}.log").open("wb") as said:
        running = subprocess.Popen(args, cwd=folder, env={**os.environ, **env}, stdout=said, stderr=said)
        _PIDS[port] = running.pid
        try:
            if core is not None and hasattr(os, "sched_setaffinity"):
                os.sched_setaffinity(running.pid, {core})
            _until(port, running, folder / f"said-{port}.log")
            yield port
        finally:
            running.terminate()
            try:
                running.wait(30)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait(30)


@contextmanager
def gate(folder: Path, *, core: int | None = None, settings: str = "") -> Iterator[int]:
    """`stillwatch gate` with the policy that ships."""
    port = free_port()
    (folder / "settings.toml").write_text(settings, encoding="utf-8")
    args = [sys.executable, "-c", "from stillwatch.cli import main; main()", "gate", "--dir", "gate",
            "--listen", f"127.0.0.1:{port}", "--settings", "settings.toml", "--quiet"]  # fmt: skip
    with process(args, port, folder=folder, env={"PYTHONPATH": os.pathsep.join(sys.path)}, core=core):
        yield port


@contextmanager
def litellm(folder: Path, upstream: int, guardrails: str, key: str, workers: int) -> Iterator[int]:
    """A LiteLLM proxy as its documentation sets it up for production, but for a database."""
    port = free_port()
    (folder / f"config-{port}.yaml").write_text(_MODEL % upstream + guardrails, encoding="utf-8")
    program = ROOT / ".cache/litellm/bin/litellm"
    args = [str(program), "--config", f"config-{port}.yaml", "--host", "127.0.0.1", "--port", str(port),
            "--num_workers", str(workers)]  # fmt: skip
    env = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "NO_PROXY": "*",
        "LITELLM_MASTER_KEY": key,
        "LITELLM_LOG": "ERROR",
        "LITELLM_MODE": "PRODUCTION",
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
    with gate(folder, core=_cores()[-1]) as port:
        asyncio.run(closed_loop(port, made, min(500, given.requests)))
        used = cpu_s(port)
        fast = asyncio.run(closed_loop(port, made, given.requests))
        used = cpu_s(port) - used
        steady = asyncio.run(open_loop(port, made, given.endpoint_rate, given.seconds))
    return {
        "requests": len(fast.seconds), "failed": fast.failed + steady.failed,
        "per_s": round(len(fast.seconds) / fast.took_s, 1), "closed_ms": fast.milliseconds(), "connections": 16,
        "cpu_ms_each": round(used / given.requests * 1000, 3), "rate": given.endpoint_rate,
        "open_ms": steady.milliseconds(), "open_requests": len(steady.seconds),
    }  # fmt: skip


def cpu_s(port: int) -> float:
    """Seconds of processor time that a gate has used, by its own metrics."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        found = re.search(rb"^process_cpu_seconds_total (\S+)", answer.read(), re.MULTILINE)
    return float(found[1]) if found else float("nan")


def proxies(folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Every proxy that is installed, in turns."""
    key = f"sk-{secrets.token_hex(32)}"
    requests = chats(prompts(500, given.seed + 1), key)
    missing: list[str] = []
    workers = given.workers or len(_cores())
    with ExitStack() as stack:
        upstream = free_port()
        command = f"import asyncio; from scripts.bench_guardrail import model; asyncio.run(model({upstream}))"
        env = {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
        stack.enter_context(process([sys.executable, "-c", command], upstream, folder=folder, env=env))
        doors = {"model server": upstream}
        asked = 0
        if (ROOT / ".cache/litellm/bin/litellm").exists():
            asked = stack.enter_context(gate(folder))
            for name, text in ((_BARE, ""), (_OURS, _ASKS % asked), ("LiteLLM, its content filter", _FILTER)):
                doors[name] = stack.enter_context(litellm(folder, upstream, text, key, workers))
        else:
            missing.append("LiteLLM: make litellm")
        if (ROOT / ".cache/unmimic/bin/unmimic").exists():
            doors["unmimic"] = stack.enter_context(unmimic(folder, upstream))
        else:
            missing.append("unmimic: make unmimic")
        fast = {name: _fast(port, requests, given.capacity_s, [port] + [asked] * (name == _OURS))
                for name, port in doors.items()}  # fmt: skip
        compared = [name for name in (_BARE, _OURS) if name in doors] or list(doors)
        most = min(fast[name][0].per_s for name in compared)
        first = max(_LEAST, min(given.rate, _ROOM * most // 5 * 5))
        rate, tried = highest([doors[name] for name in compared], requests, first, given.hold_s)
        taken = {name: Volley() for name in doors}
        used = 0.0
        for turn in range(given.turns):
            for name, port in doors.items():
                before = _cpu_s([asked]) if name == _OURS else 0.0
                taken[name].add(asyncio.run(open_loop(port, requests, rate, given.seconds)))
                used += _cpu_s([asked]) - before if name == _OURS else 0.0
            print(f"turn {turn + 1} of {given.turns}", file=sys.stderr)
        decided = _lines(folder / "gate" / "decisions.jsonl")
    beside = {"model server": None, _BARE: "model server", "unmimic": "model server"}
    rows = []
    for name, done in taken.items():
        other = beside.get(name, _BARE)
        rows.append({
            "door": name, "beside": other, "answered": len(done.seconds), "failed": done.failed,
            "ms": done.milliseconds(), "sustains": round(fast[name][0].per_s, 1), "cpu_ms_each": fast[name][1],
            "added": added(taken[other], done, block=max(1, int(rate)), seed=given.seed) if other in taken else None,
        })  # fmt: skip
    through = len(taken[_OURS].seconds) if asked else 0
    return {"asked_rate": given.rate, "rate": rate, "tried": tried, "hold_s": given.hold_s, "workers": workers,
            "cores": len(_cores()), "rows": rows, "decided": decided, "missing": missing,
            "gate_cpu_ms_each": round(used / max(through, 1) * 1000, 3)}  # fmt: skip


def _fast(port: int, requests: Sequence[bytes], seconds: float, paid: Sequence[int]) -> tuple[Volley, float]:
    """As fast as a door answers, after some to warm up; and milliseconds of processor time that a request cost it."""
    asyncio.run(closed_loop(port, requests, 100))
    before = _cpu_s(paid)
    done = asyncio.run(closed_loop(port, requests, 100_000, seconds=seconds))
    return done, round((_cpu_s(paid) - before) / max(1, len(done.seconds) + done.failed) * 1000, 2)


def highest(
    ports: Sequence[int], requests: Sequence[bytes], first: float, seconds: float
) -> tuple[float, list[dict[str, Any]]]:
    """The highest rate that all of these doors hold, from one downwards; and what was tried."""
    tried: list[dict[str, Any]] = []
    rate = first
    while True:
        found = [asyncio.run(open_loop(port, requests, rate, seconds)) for port in ports]
        tried.append({"rate": rate, "held": [held(each, rate, seconds) for each in found],
                      "p50_ms": [each.milliseconds().get("p50") for each in found]})  # fmt: skip
        if all(tried[-1]["held"]) or rate <= _LEAST:
            return rate, tried
        rate = max(_LEAST, rate * _STEP // 5 * 5)


def held(done: Volley, rate: float, seconds: float) -> bool:
    """Whether a rate is held: everything was answered, and nothing was left to wait for when the last was sent."""
    return not done.failed and bool(done.seconds) and done.took_s <= seconds * (1 + _LATE)


def added(
    without: Volley, done: Volley, *, block: int, seed: int, times: int = 1_000
) -> dict[str, list[float]]:
    """Milliseconds by which percentiles differ, with 95 % intervals: a bootstrap of blocks, since requests that follow
    each other wait for each other."""
    if not without.seconds or not done.seconds:
        return {}
    draw = np.random.default_rng(seed)
    a, b = (np.array(each.seconds) * 1000 for each in (without, done))
    out = {}
    for p in (50, 99):
        drawn = [
            np.percentile(_blocks(b, block, draw), p) - np.percentile(_blocks(a, block, draw), p)
            for _ in range(times)
        ]
        low, high = np.percentile(drawn, (2.5, 97.5))
        out[f"p{p}"] = [round(float(x), 2) for x in (np.percentile(b, p) - np.percentile(a, p), low, high)]
    return out


def _blocks(values: np.ndarray, block: int, draw: np.random.Generator) -> np.ndarray:
    """As many values, drawn in runs of those that follow each other."""
    starts = draw.integers(0, max(1, len(values) - block + 1), -(-len(values) // block))
    return np.concatenate([values[start : start + block] for start in starts])[: len(values)]


def _cpu_s(ports: Sequence[int]) -> float:
    """Seconds of processor time of what was started for some ports, and of what that started (Linux)."""
    parents: dict[int, int] = {}
    spent: dict[int, float] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text("utf-8", "replace").rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        pid = int(path.parent.name)
        parents[pid], spent[pid] = int(fields[1]), (int(fields[11]) + int(fields[12])) / _TICKS
    found = {_PIDS[port] for port in ports}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return sum(spent.get(pid, 0.0) for pid in found)


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]


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
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second for each proxy, at most")
    parser.add_argument(
        "--capacity-s", type=float, default=6.0, help="seconds for each proxy, as fast as it answers"
    )
    parser.add_argument("--hold-s", type=float, default=6.0, help="for how long a rate is tried")
    parser.add_argument("--workers", type=int, help="of each LiteLLM proxy; else one for each core")
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


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def _until(port: int, running: subprocess.Popen[bytes], said: Path) -> None:
    """Until a program takes connections."""
    end = time.monotonic() + _STARTED_S
    while time.monotonic() < end and running.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.2)  # before the port is tried again
        else:
            return
    raise SystemExit(f"it did not start: {said.read_text('utf-8', 'replace')[-2_000:]}")


if __name__ == "__main__":
    main()
