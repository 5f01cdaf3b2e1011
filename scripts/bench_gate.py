"""How much later an answer comes when every call is decided on: Envoy with and without the processor.

One Envoy has two doors to the same answer, one with the filter and one without. Requests are sent at fixed times, ready
or not (an open loop), to one door and then to the other, in turns; a request counts from the time at which it was due.
Needs Envoy (`make envoy`). Run it on a quiet machine:

    python -m scripts.bench_gate --out docs/data/envoy.json
    python -m scripts.bench_gate --rate 50 --bytes 100000
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scripts.bench import machine
from scripts.others import Others
from scripts.volley import Volley, http, open_loop

ROOT = Path(__file__).resolve().parent.parent
ENVOY = ROOT / ".cache" / "envoy" / "bin" / "envoy"
_TYPE = "type.googleapis.com/envoy.extensions"
_ANSWER = json.dumps(
    {"choices": [{"message": {"content": "word " * 80}}], "usage": {"completion_tokens": 80}}
)


def config(plain: int, decided: int, model: int, processor: int) -> dict[str, Any]:
    """Envoy's configuration: two doors, the answer behind them, the processor."""
    to_model = {"match": {"prefix": "/"}, "route": {"cluster": "model"}}
    answer = {
        "match": {"prefix": "/"},
        "direct_response": {"status": 200, "body": {"inline_string": _ANSWER}},
    }
    filter_ = {
        "name": "envoy.filters.http.ext_proc",
        "typed_config": {
            "@type": f"{_TYPE}.filters.http.ext_proc.v3.ExternalProcessor",
            "grpc_service": {"envoy_grpc": {"cluster_name": "stillwatch"}, "timeout": "60s"},
            "message_timeout": "10s",
            "processing_mode": {"request_body_mode": "BUFFERED", "response_body_mode": "STREAMED"},
        },
    }
    http2 = {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": f"{_TYPE}.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        }
    }
    listeners = [
        _listener(plain, to_model, []),
        _listener(decided, to_model, [filter_]),
        _listener(model, answer, []),
    ]
    clusters = [
        _cluster("model", model),
        _cluster("stillwatch", processor) | {"typed_extension_protocol_options": http2},
    ]
    return {"static_resources": {"listeners": listeners, "clusters": clusters}}


def _listener(port: int, route: dict[str, Any], filters: list[dict[str, Any]]) -> dict[str, Any]:
    router = {"name": "router", "typed_config": {"@type": f"{_TYPE}.filters.http.router.v3.Router"}}
    manager = {
        "@type": f"{_TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [*filters, router],
    }
    return {
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "per_connection_buffer_limit_bytes": 20 * 2**20,
        "filter_chains": [{"filters": [{"name": "manager", "typed_config": manager}]}],
    }


def _cluster(name: str, port: int) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}}
    return {
        "name": name,
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def table(plain: Sequence[float], decided: Sequence[float]) -> list[str]:
    """Percentiles in milliseconds, side by side."""
    lines = ["| ms | without | with | added |", "| --- | --- | --- | --- |"]
    for share in (50, 90, 99):
        a, b = (float(np.percentile(took, share)) * 1000 for took in (plain, decided))
        lines.append(f"| p{share} | {a:.2f} | {b:.2f} | {b - a:.2f} |")
    return lines


def main() -> None:
    """Start everything, measure in turns, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one turn")
    parser.add_argument("--turns", type=int, default=4, help="turns for each door")
    parser.add_argument("--bytes", type=int, default=1_000, help="length of a prompt")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    if not ENVOY.exists():
        raise SystemExit("no Envoy: run `make envoy` first")
    others = Others()
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "w" * chosen.bytes}]}).encode()
    requests = [http("/v1/chat/completions", body, {"x-account-id": "a"})]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        processor, port = _processor(place)
        plain, decided, model = (_free() for _ in range(3))
        (place / "envoy.json").write_text(json.dumps(config(plain, decided, model, port)), encoding="utf-8")
        envoy = subprocess.Popen([ENVOY, "-c", place / "envoy.json", "--concurrency", "1", "--disable-hot-restart",
                                  "-l", "error"])  # fmt: skip
        try:
            _wait(decided)
            took = (Volley(), Volley())
            asyncio.run(open_loop(decided, requests, chosen.rate, 2.0))
            used = _cpu_s(processor.pid)
            for _ in range(chosen.turns):
                for door, done in ((plain, took[0]), (decided, took[1])):
                    done.add(asyncio.run(open_loop(door, requests, chosen.rate, chosen.seconds)))
            used = _cpu_s(processor.pid) - used
        finally:
            for process in (envoy, processor):
                process.send_signal(signal.SIGTERM)
                process.wait(60)
        logged = len((place / "gate" / "decisions.jsonl").read_bytes().splitlines())
    asked = len(took[1].seconds)
    row = {
        "rate": chosen.rate, "bytes": len(body), "requests": asked, "failed": took[0].failed + took[1].failed,
        "decided": logged, "without_ms": took[0].milliseconds(), "with_ms": took[1].milliseconds(),
        "cpu_ms_each": round(used / max(asked, 1) * 1000, 3), "other_cores": others.cores(), "machine": machine(),
    }  # fmt: skip
    print(f"{chosen.rate:g} requests/s of {len(body):,} bytes, {asked:,} through each door, {row['failed']} failed, "
          f"{logged:,} decided")  # fmt: skip
    print("\n".join(table(took[0].seconds, took[1].seconds)))
    print(f"CPU of the processor: {row['cpu_ms_each']:.2f} ms for each call")
    if chosen.out:
        chosen.out.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")


def _processor(place: Path) -> tuple[subprocess.Popen[str], int]:
    args = [sys.executable, "-c", "from stillwatch.cli import main; main()", "gate-envoy", "--dir", str(place / "gate"),
            "--listen", "127.0.0.1:0"]  # fmt: skip
    processor = subprocess.Popen(args, stderr=subprocess.PIPE, text=True)
    line = processor.stderr.readline() if processor.stderr else ""
    found = re.search(r":(\d+);", line)
    if found is None:
        raise SystemExit(f"the processor did not start: {line}")
    return processor, int(found[1])


def _cpu_s(pid: int) -> float:
    """CPU seconds that a process has used (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def _wait(port: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)  # before the port is tried again
        else:
            return
    raise SystemExit("Envoy did not start")


if __name__ == "__main__":
    main()
