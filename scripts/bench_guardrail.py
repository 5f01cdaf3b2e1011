"""What asking costs behind LiteLLM: the guardrail endpoint alone, and proxies with and without a guardrail.

1. The endpoint: `stillwatch gate` on one core, asked as LiteLLM asks. As fast as it answers, and at a fixed rate.
2. Proxies in front of one stand-in for a model server, in turns and on the same payloads: LiteLLM without a guardrail,
   with stillwatch, with LiteLLM's own content filter; and `unmimic`, another proxy, beside the model server asked
   directly. `unmimic` runs as its wheel installs: its input check needs a model and half a gigabyte of prompts from the
   network and is off, its output checks run. First as fast as each answers; then at a fixed rate that all of them
   sustain: beyond what a proxy sustains, the length of its queue is measured and not what is added. Where there are two
   cores or more, each proxy has the last one to itself, and everything else the others.

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

from scripts.bench import machine
from scripts.others import Others
from scripts.volley import Volley, closed_loop, http, open_loop

ROOT = Path(__file__).resolve().parent.parent
CHAT, GUARDRAIL = "/v1/chat/completions", "/beta/litellm_basic_guardrail_api"
_WORDS = (
    "the of to in and with about write explain compare list number answer question river table word".split()
)
_STARTED_S = 180.0
_OURS = "LiteLLM, stillwatch"
_SHARE = 0.6
"""Of what the slowest proxy sustains: the rate at which all are compared, where that is less than was asked for."""
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
def litellm(folder: Path, upstream: int, guardrails: str, key: str, core: int | None) -> Iterator[int]:
    """A LiteLLM proxy of one worker."""
    port = free_port()
    (folder / f"config-{port}.yaml").write_text(_MODEL % upstream + guardrails, encoding="utf-8")
    program = ROOT / ".cache/litellm/bin/litellm"
    args = [str(program), "--config", f"config-{port}.yaml", "--host", "127.0.0.1", "--port", str(port)]
    env = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "NO_PROXY": "*",
        "LITELLM_MASTER_KEY": key,
        "LITELLM_LOG": "ERROR",
    }
    with process(args, port, folder=folder, env=env, core=core):
        yield port


@contextmanager
def unmimic(folder: Path, upstream: int, core: int | None) -> Iterator[int]:
    """The other proxy, as its wheel installs."""
    port = free_port()
    args = [str(ROOT / ".cache/unmimic/bin/unmimic"), "serve", "--port", str(port),
            "--upstream", f"http://127.0.0.1:{upstream}/v1"]  # fmt: skip
    with process(args, port, folder=folder, env={"NO_PROXY": "*"}, core=core):
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
    with ExitStack() as stack:
        own = _apart(stack)
        upstream = free_port()
        command = f"import asyncio; from scripts.bench_guardrail import model; asyncio.run(model({upstream}))"
        env = {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
        stack.enter_context(process([sys.executable, "-c", command], upstream, folder=folder, env=env))
        doors = {"model server": upstream}
        asked = 0
        if (ROOT / ".cache/litellm/bin/litellm").exists():
            asked = stack.enter_context(gate(folder))
            for name, text in (("LiteLLM", ""), (_OURS, _ASKS % asked),
                               ("LiteLLM, its content filter", _FILTER)):  # fmt: skip
                doors[name] = stack.enter_context(litellm(folder, upstream, text, key, own))
        else:
            missing.append("LiteLLM: make litellm")
        if (ROOT / ".cache/unmimic/bin/unmimic").exists():
            doors["unmimic"] = stack.enter_context(unmimic(folder, upstream, own))
        else:
            missing.append("unmimic: make unmimic")
        fast = {name: _fast(port, requests, given.capacity_s) for name, port in doors.items()}
        rate = sustained(given.rate, [done.per_s for name, done in fast.items() if name != "model server"])
        taken = {name: Volley() for name in doors}
        used = 0.0
        for turn in range(given.turns):
            for name, port in doors.items():
                before = cpu_s(asked) if name == _OURS else 0.0
                taken[name].add(asyncio.run(open_loop(port, requests, rate, given.seconds)))
                used += cpu_s(asked) - before if name == _OURS else 0.0
            print(f"turn {turn + 1} of {given.turns}", file=sys.stderr)
        decided = _lines(folder / "gate" / "decisions.jsonl")
    beside = {"model server": None, "LiteLLM": "model server", "unmimic": "model server"}
    rows = [
        {"door": name, "beside": beside.get(name, "LiteLLM"), "answered": len(done.seconds), "failed": done.failed,
         "ms": done.milliseconds(), "sustains": round(fast[name].per_s, 1)}
        for name, done in taken.items()
    ]  # fmt: skip
    through = len(taken[_OURS].seconds) if asked else 0
    return {"asked_rate": given.rate, "rate": rate, "rows": rows, "decided": decided, "missing": missing,
            "gate_cpu_ms_each": round(used / max(through, 1) * 1000, 3), "apart": own is not None}  # fmt: skip


def _fast(port: int, requests: Sequence[bytes], seconds: float) -> Volley:
    """As fast as a door answers, after some to warm up."""
    asyncio.run(closed_loop(port, requests, 200))
    return asyncio.run(closed_loop(port, requests, 100_000, seconds=seconds))


def sustained(wanted: float, found: Sequence[float]) -> float:
    """The rate at which proxies are compared: what was asked for, or what the slowest sustains with room to spare."""
    return min(wanted, max(5.0, _SHARE * min(found, default=wanted / _SHARE) // 5 * 5))


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]


def _apart(stack: ExitStack) -> int | None:
    """Keep this process and what it starts off the last core, which is the proxies'; None where there is but one."""
    cores = _cores()
    if len(cores) < 2:
        return None
    os.sched_setaffinity(0, set(cores[:-1]))
    stack.callback(os.sched_setaffinity, 0, set(cores))
    return cores[-1]


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
    parser.add_argument("--seconds", type=float, default=10.0, help="length of one turn")
    parser.add_argument("--turns", type=int, default=4, help="turns for each proxy")
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
