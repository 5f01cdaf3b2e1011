"""Tool definitions as a builder's agent sends them."""

from __future__ import annotations

import json

import numpy as np

_VERBS = (
    "search",
    "read",
    "write",
    "list",
    "run",
    "fetch",
    "create",
    "update",
    "delete",
    "query",
    "send",
    "plan",
)
_NOUNS = (
    "file",
    "ticket",
    "calendar",
    "invoice",
    "page",
    "order",
    "test",
    "patch",
    "contact",
    "table",
    "note",
    "shell",
)
_ARGS = ("path", "query", "limit", "text", "id", "start", "end", "flags", "reason", "format")


def tool_definitions(rng: np.random.Generator, count: int = 4) -> str:
    """A JSON list of ``count`` function tools with drawn names and arguments."""
    tools = []
    for _ in range(count):
        name = f"{rng.choice(_VERBS)}_{rng.choice(_NOUNS)}"
        arguments = {str(a): {"type": "string"} for a in rng.permutation(_ARGS)[: int(rng.integers(1, 4))]}
        schema = {"type": "object", "properties": arguments}
        tools.append({"type": "function", "function": {"name": name, "parameters": schema}})
    return json.dumps(tools)
