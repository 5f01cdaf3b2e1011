"""A model server in forty lines, with the middleware in front. Run it from this folder:

uvicorn server:app --port 8000 --no-proxy-headers
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from stillwatch.gateway.asgi import Guard

WORDS = ("No ", "model ", "is ", "behind ", "this.")


async def chat(request: Request) -> Response:
    """Answers any chat request with the same words, whole or as a stream."""
    body = await request.json()
    decision = request.state.stillwatch  # for whoever carries out `summarise` and `mark`
    if body.get("stream"):
        return StreamingResponse(events(), media_type="text/event-stream")
    message = {"role": "assistant", "content": "".join(WORDS)}
    return JSONResponse(
        {
            "id": decision.decision_id,
            "object": "chat.completion",
            "model": body.get("model"),
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": len(WORDS), "total_tokens": 1 + len(WORDS)},
            "asked": sorted(body),
        }
    )


def events() -> Iterator[str]:
    """The words one by one."""
    for word in WORDS:
        yield f"data: {json.dumps({'choices': [{'index': 0, 'delta': {'content': word}}]})}\n\n"
    yield "data: [DONE]\n\n"


app = Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"])])
app.add_middleware(Guard)  # type: ignore[arg-type]  # an ASGI class like any other
