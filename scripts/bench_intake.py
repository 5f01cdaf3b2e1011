"""How many model calls one receiver takes in a second, and whether anything it acknowledged is missing afterwards.

The server is the real command in a process of its own, held to one core where the system can; this process sends
OTLP requests that were made beforehand. Every span is a whole model call with its own id and text. Run it on a quiet
machine:

    python -m scripts.bench_intake --out docs/data/intake.json
    python -m scripts.bench_intake --form json --gzip
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from queue import Empty, SimpleQueue
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from scripts.bench import machine
from scripts.others import Others
from stillwatch.detect.digest import Key, digest_strings

_WORDS = (
    "the a of to in and for with about please write explain compare list number answer question sentence example city "
    "river engine market price student paper table method result error value system model program letter"
).split()
_STARTED_AT_NS = 1_795_494_207_000_000_000


@dataclass(slots=True)
class Made:
    """One request body and the exchange ids in it."""

    body: bytes
    ids: list[str]


@dataclass(slots=True)
class Tally:
    """What the clients saw."""

    acknowledged: list[str] = field(default_factory=list)
    again: int = 0
    """Answers that said: come again."""
    other: dict[int, int] = field(default_factory=dict)
    """Any other status, counted."""
    seconds: list[float] = field(default_factory=list)
    """From a request to its answer."""


def make_request(rng: random.Random, spans: int, start: int) -> tuple[ExportTraceServiceRequest, list[str]]:
    """An export request of whole chat calls: two messages of some sixty words, an answer of eighty."""
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    ids = []
    for i in range(spans):
        span = scope.spans.add(name="chat m", trace_id=rng.randbytes(16), span_id=rng.randbytes(8))
        ids.append(f"{span.trace_id.hex()}:{span.span_id.hex()}")
        span.start_time_unix_nano = _STARTED_AT_NS + (start + i) * 1_000_000
        span.end_time_unix_nano = span.start_time_unix_nano + 900_000_000
        asked = [_message("system", "You are a helpful assistant."), _message("user", _text(rng, 60))]
        texts = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "large",
            "gen_ai.response.model": "large-2026",
            "user.id": f"account-{rng.randrange(5000)}",
            "client.address": f"203.0.113.{rng.randrange(256)}",
            "user_agent.original": "OpenAI/Python 3.54.0",
            "gen_ai.input.messages": json.dumps(asked),
            "gen_ai.output.messages": json.dumps(
                [_message("assistant", _text(rng, 80)) | {"finish_reason": "stop"}]
            ),
        }
        for name, value in texts.items():
            span.attributes.add(key=name).value.string_value = value
        span.attributes.add(key="gen_ai.request.temperature").value.double_value = 0.7
        for name, number in (
            ("request.max_tokens", 500),
            ("usage.input_tokens", 70),
            ("usage.output_tokens", 90),
        ):
            span.attributes.add(key=f"gen_ai.{name}").value.int_value = number
    return request, ids


def _message(role: str, text: str) -> dict[str, object]:
    return {"role": role, "parts": [{"type": "text", "content": text}]}


def _text(rng: random.Random, words: int) -> str:
    return " ".join(rng.choices(_WORDS, k=words))


def make_bodies(args: argparse.Namespace) -> list[Made]:
    """All requests, made before the clock runs."""
    rng = random.Random(args.seed)  # noqa: S311
    made = []
    for number in range(args.requests):
        request, ids = make_request(rng, args.spans, number * args.spans)
        body = request.SerializeToString() if args.form == "proto" else _as_json(request)
        made.append(Made(gzip.compress(body, 1) if args.gzip else body, ids))
    return made


def _as_json(request: ExportTraceServiceRequest) -> bytes:
    return json.dumps(MessageToDict(request)).encode()


def start_server(folder: Path, args: argparse.Namespace) -> tuple[subprocess.Popen[str], str]:
    """The real command on a free port; its address."""
    settings = folder / "stillwatch.toml"
    settings.write_text(f'[privacy]\ncontent = "{args.content}"\n', encoding="utf-8")
    command = [sys.executable, "-c", "from stillwatch.cli import main; main()", "receive"]
    command += ["--into", str(folder / "received"), "--listen", "127.0.0.1:0", "--settings", str(settings)]
    env = {**os.environ, "STILLWATCH_KEY": args.key}
    server = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)
    if hasattr(os, "sched_setaffinity") and not args.all_cores:
        os.sched_setaffinity(server.pid, {max(os.sched_getaffinity(0))})
    assert server.stderr is not None  # noqa: S101
    for line in server.stderr:
        if found := re.search(r"http://\S+", line):
            threading.Thread(target=_show, args=(server.stderr,), daemon=True).start()
            return server, found.group().rstrip(";,")
    raise SystemExit(f"the server ended with {server.wait()}")


def _show(lines: Iterable[str]) -> None:
    """Whatever else the server says."""
    for line in lines:
        sys.stderr.write(line)


def send(address: str, work: SimpleQueue[Made], tally: Tally, args: argparse.Namespace) -> None:
    """One client: the next body over one connection until there is none; asked to come again, it does."""
    place = urlsplit(address)
    connection = HTTPConnection(place.hostname or "", place.port, timeout=120)
    headers = {"content-type": "application/x-protobuf" if args.form == "proto" else "application/json"}
    headers |= {"content-encoding": "gzip"} if args.gzip else {}
    while True:
        try:
            made = work.get_nowait()
        except Empty:
            return
        while True:
            began = time.perf_counter()
            connection.request("POST", "/v1/traces", made.body, headers)
            response = connection.getresponse()
            response.read()
            tally.seconds.append(time.perf_counter() - began)
            if response.status in (429, 503):
                tally.again += 1
                time.sleep(float(response.headers["retry-after"]))  # as it was asked to
                continue
            if response.status == 200:
                tally.acknowledged.extend(made.ids)
            else:
                tally.other[response.status] = tally.other.get(response.status, 0) + 1
            break


def cpu_seconds(address: str) -> float:
    """What the server has used, by its own metrics."""
    place = urlsplit(address)
    connection = HTTPConnection(place.hostname or "", place.port, timeout=60)
    connection.request("GET", "/metrics")
    found = re.search(
        r"^process_cpu_seconds_total (\S+)", connection.getresponse().read().decode(), re.MULTILINE
    )
    return float(found.group(1)) if found else float("nan")


def stored(folder: Path, ids: list[str], args: argparse.Namespace) -> int:
    """How many of the ids are in the folder."""
    column, wanted = "exchange_id", set[object](ids)
    if args.content == "features":
        column = "xid"
        wanted = set(digest_strings(pa.array(ids), Key.derive(bytes.fromhex(args.key)), "exchange").tolist())
    kept: set[object] = set()
    for path in folder.glob("*.parquet"):
        kept.update(pq.read_table(path, columns=[column])[column].to_pylist())
    return len(wanted & kept)


def run(args: argparse.Namespace) -> int:
    """Send everything, stop the server, look for what it acknowledged."""
    others = Others()
    bodies = make_bodies(args)
    size = sum(len(made.body) for made in bodies)
    with tempfile.TemporaryDirectory() as place:
        server, address = start_server(Path(place), args)
        try:
            work: SimpleQueue[Made] = SimpleQueue()
            for made in bodies:
                work.put(made)
            tallies = [Tally() for _ in range(args.connections)]
            clients = [threading.Thread(target=send, args=(address, work, tally, args)) for tally in tallies]
            before, began = cpu_seconds(address), time.perf_counter()
            for client in clients:
                client.start()
            for client in clients:
                client.join()
            wall, cpu = time.perf_counter() - began, cpu_seconds(address) - before
        finally:
            server.send_signal(signal.SIGTERM)
            status = server.wait(120)
        acknowledged = [each for tally in tallies for each in tally.acknowledged]
        found = stored(Path(place) / "received", acknowledged, args)
    waits = sorted(second for tally in tallies for second in tally.seconds)
    other = {k: v for tally in tallies for k, v in tally.other.items()}
    print(
        f"{args.form}{' gzip' if args.gzip else ''}, content = {args.content}, {args.connections} connections"
    )
    print(f"sent          {args.requests} requests of {args.spans} spans, {size / 2**20:.1f} MiB")
    print(f"acknowledged  {len(acknowledged)} spans in {wall:.2f} s: {len(acknowledged) / wall:,.0f} spans/s")
    print(f"server CPU    {cpu:.2f} s: {cpu / max(len(acknowledged), 1) * 1e6:.1f} us/span, "
          f"{len(acknowledged) / cpu:,.0f} spans per CPU second")  # fmt: skip
    print(f"answer within {waits[len(waits) // 2] * 1e3:.0f} ms (median), {waits[-1] * 1e3:.0f} ms (longest)")
    print(
        f"told to come again {sum(tally.again for tally in tallies)} times; other answers {other or 'none'}"
    )
    print(
        f"missing       {len(acknowledged) - found} of {len(acknowledged)} acknowledged; exit status {status}"
    )
    if args.out:
        row = {
            "form": args.form, "gzip": args.gzip, "content": args.content, "connections": args.connections,
            "one_core": not args.all_cores, "seed": args.seed, "spans": args.spans, "requests": args.requests,
            "mib": round(size / 2**20, 1), "acknowledged": len(acknowledged), "wall_s": round(wall, 2),
            "spans_per_s": round(len(acknowledged) / wall), "server_cpu_s": round(cpu, 2),
            "answer_ms": {"p50": round(waits[len(waits) // 2] * 1e3), "max": round(waits[-1] * 1e3)},
            "again": sum(tally.again for tally in tallies), "other": other,
            "missing": len(acknowledged) - found, "other_cores": others.cores(), "machine": machine(),
        }  # fmt: skip
        args.out.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")
    return 0 if found == len(acknowledged) == args.requests * args.spans and status == 0 else 1


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--spans", type=int, default=512, help="spans of one request")
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--form", choices=("proto", "json"), default="proto")
    parser.add_argument("--gzip", action="store_true")
    parser.add_argument("--content", choices=("features", "retain"), default="features")
    parser.add_argument("--all-cores", action="store_true", help="do not hold the server to one core")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    args.key = secrets.token_hex(32)
    sys.exit(run(args))


if __name__ == "__main__":
    main()
