"""A model server without a model, on FastAPI, that takes middleware as vLLM's server does.

What it does with ``--middleware`` was read from vLLM's source (`build_app` of its OpenAI server): the name is split at
its last dot and imported; a class is added to a FastAPI application that already has middleware for CORS and for keys,
so that it stands outermost; anything else than a class or a coroutine function is refused.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, StreamingResponse

REASONING = "zebra-quartz-41"
SEALED = "c2VhbGVkIHJlYXNvbmluZw=="
KEY = b"Bearer sk-known-0123456789"


class KeyCheck:
    """Refuses unknown keys, where an environment variable says so."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass on, or answer 401."""
        known = dict(scope.get("headers", ())).get(b"authorization") == KEY
        if scope["type"] == "http" and os.environ.get("CHECK_KEYS") and not known:
            await JSONResponse({"error": "Unauthorized"}, 401)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def build(middleware: list[str]) -> FastAPI:
    """The server."""
    app = FastAPI()

    @app.post("/v1/chat/completions")
    async def chat(body: dict[str, Any], request: Request) -> Any:
        decision = getattr(request.state, "stillwatch", None)
        said = {"asked": sorted(body), "action": decision and decision.action.value,
                "mark": request.headers.get("x-stillwatch-mark"), "own": SEALED in json.dumps(body)}  # fmt: skip
        message = {"role": "assistant", "reasoning_content": REASONING, "content": json.dumps(said),
                   "thinking_blocks": [{"type": "redacted_thinking", "data": SEALED}]}  # fmt: skip
        if body.get("stream"):
            return StreamingResponse(events(message), media_type="text/event-stream")
        return {"choices": [{"index": 0, "message": message}], "usage": {"completion_tokens": 9}}

    app.add_middleware(CORSMiddleware, allow_origins=["*"])
    app.add_middleware(KeyCheck)
    for name in middleware:
        module, _, last = name.rpartition(".")
        found: Any = getattr(importlib.import_module(module), last)
        if not inspect.isclass(found):
            raise ValueError(f"not a class: {name}")
        added: Any = found
        app.add_middleware(added)
    return app


def events(message: dict[str, Any]) -> Iterator[str]:
    """The answer, some letters at a time."""
    for name in ("reasoning_content", "content"):
        for start in range(0, len(message[name]), 7):
            delta = {name: message[name][start : start + 7]}
            yield f"data: {json.dumps({'choices': [{'index': 0, 'delta': delta}]})}\n\n"
    yield "data: [DONE]\n\n"


app = build(os.environ.get("MIDDLEWARE", "").split())
