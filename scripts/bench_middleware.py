"""How much later an answer comes when every call is decided on: a Python server with and without the middleware.

Two uvicorn processes serve the same answer at once, one of them through `stillwatch.gateway.asgi.Guard` with the policy
that ships. Requests are sent at fixed times, ready or not (an open loop), to one and then to the other, in turns; a
request counts from the time at which it was due. Run it on a quiet machine:

    python -m scripts.bench_middleware --out docs/data/middleware.json
    python -m scripts.bench_middleware --rates 50 --bytes 100000
"""

from __future__ import annotations

import argparse
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import uvicorn

from scripts.bench import machine
from scripts.doors import Door, at_rates
from scripts.others import Others
from scripts.started import free_port, lines, python
from scripts.volley import http

_ANSWER = json.dumps(
    {"choices": [{"message": {"content": "word " * 80}}], "usage": {"completion_tokens": 80}}
).encode()
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(_ANSWER)).encode())]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """The server: one answer, once the request is there."""
    while scope["type"] == "lifespan":
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return
    while (await receive()).get("more_body", False):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _ANSWER})


def serve(port: int, folder: str | None) -> None:
    """The server, with the middleware where a gate's folder is named."""
    served: Any = app
    if folder is not None:
        from stillwatch.gateway.asgi import Guard
        from stillwatch.settings import GatewaySettings, Settings

        served = Guard(app, settings=Settings(gateway=GatewaySettings(folder=folder)))
    uvicorn.run(served, host="127.0.0.1", port=port, log_level="error", access_log=False, proxy_headers=False)


def main() -> None:
    """Start both, measure in turns, print, and write with ``--out``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rates", type=float, nargs="+", default=[200.0, 1_000.0], help="requests a second")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one turn")
    parser.add_argument("--turns", type=int, default=4, help="turns for each server and rate")
    parser.add_argument("--bytes", type=int, default=1_000, help="length of a prompt")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    others = Others()
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "w" * chosen.bytes}]}).encode()
    requests = [http("/v1/chat/completions", body, {"x-account-id": "a"})]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        place = Path(folder)
        plain, decided = free_port(), free_port()
        for port, gate in ((plain, None), (decided, str(place / "gate"))):
            code = f"from scripts.bench_middleware import serve; serve({port}, {gate!r})"
            stack.enter_context(python(code, port, folder=place))
        doors = [Door("the server", (plain,)), Door("the server, stillwatch", (decided,), "the server")]
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
