"""The service described for programs: OpenAPI 3.1. The tests send what it allows and believe only what it promises."""

from __future__ import annotations

from typing import Any

import orjson

from stillwatch import __version__

_ERROR = {
    "type": "object",
    "required": ["type", "error"],
    "properties": {
        "type": {"const": "error"},
        "error": {
            "type": "object",
            "required": ["type", "message"],
            "properties": {
                "type": {"type": "string"},
                "message": {"type": "string"},
                "code": {"type": "string"},
                "decision": {"type": "object"},
            },
        },
    },
}
_DENIED = {
    "400": "The body cannot be read, or the request names two accounts.",
    "403": "The request is not to be served; or the one who asks is no trusted gateway.",
    "408": "The request did not arrive whole in time.",
    "413": "The body is too long.",
    "429": "Not now: after Retry-After seconds.",
    "431": "The request line and headers are too long.",
    "500": "It failed in here.",
    "503": "No decision could be made, and settings say that such requests are not served.",
}
_DECISION = {
    name: {"schema": {"type": "string"}, "description": text}
    for name, text in {
        "x-stillwatch-decision": "Id of the decision, as in the log.",
        "x-stillwatch-action": "What is to be done, comma-separated.",
        "x-stillwatch-reason": "Reason code.",
        "x-stillwatch-strip": "harden: fields to take out of the body, comma-separated.",
        "x-stillwatch-clamp": "harden: field=largest value, comma-separated.",
        "x-stillwatch-mark": "mark: name of the marking key.",
    }.items()
}
_NDJSON = "application/x-ndjson"
_ACTION = {
    "type": "object",
    "required": ["action"],
    "properties": {
        "action": {"enum": ["NONE", "BLOCKED"]},
        "blocked_reason": {"type": "string"},
    },
}
_COUNTS = {
    "type": "object",
    "required": ["accepted", "skipped"],
    "properties": {"accepted": {"type": "integer"}, "skipped": {"type": "integer"}},
}


def description() -> bytes:
    """The document."""
    check = {
        "summary": "Decide on a request by its headers",
        "responses": {"200": {"description": "Serve it, with the actions named.", "headers": _DECISION}}
        | _denied("400", "403", "429", "431", "500", "503"),
    }
    document = {
        "openapi": "3.1.0",
        "info": {"title": "stillwatch gate", "version": __version__},
        "paths": {
            "/check": {"get": check, "post": check},
            "/beta/litellm_basic_guardrail_api": {
                "post": _post("LiteLLM's generic guardrail: decide before the model is called", _ACTION,
                              "application/json")
            },
            "/litellm": {
                "post": _post("LiteLLM's logging payloads: remember what was served", _COUNTS, "application/json",
                              _NDJSON)
            },
            "/healthz": {"get": _get("Whether the process is at work")},
            "/readyz": {"get": _get("What is in force")},
            "/metrics": {"get": _get("Counters in Prometheus' text")},
            "/openapi.json": {"get": _get("This document")},
        },
    }  # fmt: skip
    return orjson.dumps(document)


def _denied(*statuses: str) -> dict[str, Any]:
    return {
        status: {"description": _DENIED[status], "content": {"application/json": {"schema": _ERROR}}}
        for status in statuses
    }


def _post(summary: str, answer: dict[str, Any], *media: str) -> dict[str, Any]:
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": {name: {"schema": {}} for name in media}},
        "responses": {"200": {"description": "Done.", "content": {"application/json": {"schema": answer}}}}
        | _denied("400", "403", "408", "413", "429", "431", "500"),
    }


def _get(summary: str) -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": {"description": "Yes."}}}
