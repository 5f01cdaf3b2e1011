"""The surface described for programs: OpenAPI 3.1. The tests send what it allows and believe only what it promises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from stillwatch import __version__

_TITLES = {
    "/v1/traces": "Take an OTLP trace export request",
    "/v1/logs": "Take an OTLP logs export request",
    "/litellm": "Take LiteLLM standard logging payloads: a JSON array, JSON lines or one object",
}
_DENIED = {
    "400": "The body cannot be read; sending it again does not help.",
    "408": "The request did not arrive whole in time.",
    "413": "The body is too long, or unpacks to too much.",
    "415": "This Content-Type or Content-Encoding is not read here.",
    "429": "Too much is waiting to be kept; send the same body again after Retry-After seconds.",
    "431": "The request line and headers are too long.",
    "500": "It failed in here; sending it again does not help.",
    "503": "Nothing can be kept at present; send the same body again after Retry-After seconds.",
}
_STATUS = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {"code": {"type": "integer"}, "message": {"type": "string"}},
}
_PARTIAL = {
    "type": "object",
    "properties": {
        "partialSuccess": {
            "type": "object",
            "properties": {
                "rejectedSpans": {"type": "string"},
                "rejectedLogRecords": {"type": "string"},
                "errorMessage": {"type": "string"},
            },
        }
    },
}
_COUNTS = {
    "type": "object",
    "required": ["accepted", "skipped", "refused"],
    "properties": {
        "accepted": {"type": "integer"},
        "skipped": {"type": "integer"},
        "refused": {"type": "object", "additionalProperties": {"type": "integer"}},
    },
}


def description(kinds: Mapping[str, Mapping[str, str]]) -> bytes:
    """The document, for the paths and media types that are offered."""
    document = {
        "openapi": "3.1.0",
        "info": {"title": "stillwatch receive", "version": __version__},
        "paths": {path: {"post": _post(path, media)} for path, media in kinds.items()}
        | {
            "/healthz": {"get": _get("Whether the process is at work", ("500",))},
            "/readyz": {"get": _get("Whether what is sent now would be kept", ("503",))},
            "/metrics": {"get": _get("Counters in Prometheus' text", ())},
            "/openapi.json": {"get": _get("This document", ())},
        },
    }
    return orjson.dumps(document)


def _post(path: str, media: Mapping[str, str]) -> dict[str, Any]:
    binary = {"type": "string", "format": "binary"}
    first = "application/json" if path == "/litellm" else None
    told = {name: {"schema": _COUNTS if path == "/litellm" else _PARTIAL} for name in media}
    said = {name: {"schema": _STATUS} for name in media}
    return {
        "summary": _TITLES[path],
        "parameters": [
            {
                "name": "Content-Encoding",
                "in": "header",
                "required": False,
                "schema": {"type": "string", "enum": ["identity", "gzip", "zstd"]},
            }
        ],
        "requestBody": {"required": True, "content": {name: {"schema": binary} for name in media}},
        "responses": {
            "200": {
                "description": "What could be used is durable; what could not is counted with its reason.",
                "content": {first: told[first]} if first else told,
            }
        }
        | {
            status: {
                "description": text,
                "content": {"application/json": {"schema": _STATUS}} | ({} if first else said),
            }
            for status, text in _DENIED.items()
        },
    }


def _get(summary: str, others: tuple[str, ...]) -> dict[str, Any]:
    return {
        "summary": summary,
        "responses": {"200": {"description": "Yes."}} | {other: {"description": "No."} for other in others},
    }
