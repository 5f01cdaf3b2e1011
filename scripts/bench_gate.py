"""How much later an answer comes when every call is decided on: Envoy with and without the processor.

One Envoy has two doors to the same answer, one with the filter and one without. Requests are sent at fixed times, ready
or not (an open loop), to one door and then to the other, in turns; a request counts from the time at which it was due.
Needs Envoy (`make envoy`). Run it on a quiet machine:

    python -m scripts.bench_gate --out docs/data/envoy.json
    python -m scripts.bench_gate --rates 50 --bytes 100000
"""

from __future__ import annotations

import argparse
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from scripts.bench import machine
from scripts.doors import Door, at_rates
from scripts.others import Others
from scripts.started import ROOT, free_port, lines, process, python
from scripts.volley import http

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


def main() -> None:
    """Start everything, measure in turns, print, and write with ``--out``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rates", type=float, nargs="+", default=[200.0, 1_000.0], help="requests a second")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one turn")
    parser.add_argument("--turns", type=int, default=4, help="turns for each door and rate")
    parser.add_argument("--bytes", type=int, default=1_000, help="length of a prompt")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    if not ENVOY.exists():
        raise SystemExit("no Envoy: run `make envoy` first")
    others = Others()
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "w" * chosen.bytes}]}).encode()
    requests = [http("/v1/chat/completions", body, {"x-account-id": "a"})]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        place = Path(folder)
        plain, decided, model, port = (free_port() for _ in range(4))
        args = ["stillwatch", "gate-envoy", "--dir", str(place / "gate"), "--listen", f"127.0.0.1:{port}"]
        code = f"import sys; sys.argv = {args!r}; from stillwatch.cli import main; main()"
        stack.enter_context(python(code, port, folder=place))
        (place / "envoy.json").write_text(json.dumps(config(plain, decided, model, port)), encoding="utf-8")
        program = [
            str(ENVOY),
            "-c",
            "envoy.json",
            "--concurrency",
            "1",
            "--disable-hot-restart",
            "-l",
            "error",
        ]
        stack.enter_context(process(program, decided, folder=place, env={}))
        doors = [Door("Envoy", (plain,), pays=decided),
                 Door("Envoy, stillwatch", (decided,), "Envoy", {"processor": port})]  # fmt: skip
        rows = at_rates(
            doors, requests, chosen.rates, turns=chosen.turns, seconds=chosen.seconds, seed=chosen.seed
        )
        logged = lines(place / "gate" / "decisions.jsonl")
    row = {"bytes": len(body), "decided": logged, "rows": rows, "seed": chosen.seed, "other_cores": others.cores(),
           "machine": machine()}  # fmt: skip
    print(json.dumps(row, indent=1))
    if chosen.out:
        chosen.out.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
