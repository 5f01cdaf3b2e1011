"""Model calls as flat events of the log source ``llm_inference``: what rules read, and nothing that was said.

Names are OpenTelemetry's (GenAI, HTTP, client, user agent) where it has one, else begin with ``stillwatch.``. Values
that would tell who somebody is (keys, addresses, client programs) are keyed digests here: rules count them and never
read them. An event without a field has no fact: a rule on it does not match.

Examples
--------
>>> event_of_line({"decision": {"at": "2026-11-29T10:00:00+00:00", "account_id": "a", "reason": "sealed_replay",
...     "action": "throttle", "decision_id": "D-1"}, "request": {"model": "m", "operation": "chat", "logprobs": False,
...     "logit_bias": [], "n": 1, "sealed_differing": []}, "signals": [{"id": "sealed_replay", "score": 1.0,
...     "detail": "another account"}]})["stillwatch.sealed.differs"]
'account'
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

FINISH = ("stop", "length", "tool_calls", "refusal")
"""How an answer ended, by the code of a feature row."""
TEMPLATES = ("head", "tail", "s1", "s2", "s3", "t1")
"""Digests of a feature row that may name a template, in order of preference."""
SHOWN = 256
"""Characters of a name that an event holds."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an event."""

    name: str
    type: str
    by: str
    """Who names it so: ``OpenTelemetry`` or ``stillwatch``."""
    filled: str
    """From ``exchanges``, ``decisions``, ``both``, or only by a ``gateway`` of your own."""
    meaning: str


FIELDS = (
    Field("timestamp", "time", "Sigma", "both", "When the request arrived, UTC."),
    Field("gen_ai.operation.name", "text", "OpenTelemetry", "both", "`chat`, `embeddings`, ..."),
    Field("gen_ai.request.model", "text", "OpenTelemetry", "both", "Model of the call."),
    Field("gen_ai.request.choice.count", "number", "OpenTelemetry", "both", "Samples asked for."),
    Field("gen_ai.request.max_tokens", "number", "OpenTelemetry", "exchanges", "Longest answer asked for."),
    Field("gen_ai.usage.input_tokens", "number", "OpenTelemetry", "exchanges", "Tokens read."),
    Field("gen_ai.usage.output_tokens", "number", "OpenTelemetry", "exchanges", "Tokens written."),
    Field("gen_ai.response.finish_reasons", "text", "OpenTelemetry", "exchanges", "How the answer ended; the first."),
    Field("http.response.status_code", "number", "OpenTelemetry", "exchanges", "HTTP status."),
    Field("client.address", "text", "OpenTelemetry", "exchanges", "Where the request came from; here a digest."),
    Field("user_agent.original", "text", "OpenTelemetry", "exchanges", "Client program; here a digest."),
    Field("stillwatch.account_id", "text", "stillwatch", "both", "Whoever is billed."),
    Field("stillwatch.credential_id", "text", "stillwatch", "exchanges", "Digest of the API key."),
    Field("stillwatch.client.country", "text", "stillwatch", "exchanges", "Country of the address."),
    Field("stillwatch.request.logprobs", "yes or no", "stillwatch", "both", "Log-probabilities are asked for."),
    Field("stillwatch.request.logit_bias", "text", "stillwatch", "decisions", "Digest of the biased tokens."),
    Field("stillwatch.request.fields", "text", "stillwatch", "gateway",
          "Names of the fields of the body, with a space between them; never their values."),
    Field("stillwatch.prompt.template", "text", "stillwatch", "exchanges", "Keyed digest of the masked prompt."),
    Field("stillwatch.prompt.cues", "text", "stillwatch", "exchanges", "Families of cues that fired, with a space."),
    Field("stillwatch.sealed.differs", "text", "stillwatch", "decisions",
          "What differs between whom a presented block was issued to and this request: `account`, `model`, "
          "`conversation`; `seal` for an envelope that was changed."),
    Field("stillwatch.signals", "text", "stillwatch", "decisions", "Live signals that spoke, with a space."),
    Field("stillwatch.decision.action", "text", "stillwatch", "decisions", "What policy asked."),
    Field("stillwatch.decision.reason", "text", "stillwatch", "decisions", "Why."),
    Field("stillwatch.decision.id", "text", "stillwatch", "decisions", "Which decision."),
)  # fmt: skip
"""The fields of the log source."""


def event_of_row(row: Mapping[str, Any], cues: Callable[[int], tuple[str, ...]]) -> dict[str, Any]:
    """The event of a feature row, as an ingest keeps it: names of account, model, country; digests of the rest.

    Args:
        row: one row of a feature file.
        cues: names of the families whose bits are set.
    """
    finish = row["finish"]
    template = next((row[name] for name in TEMPLATES if row[name]), 0)
    return _said({
        "timestamp": datetime.fromtimestamp(row["ts"] / 1e6, UTC).isoformat(),
        "gen_ai.operation.name": _short(row["operation"]), "gen_ai.request.model": _short(row["model"]),
        "gen_ai.request.choice.count": _number(row["n"]), "gen_ai.request.max_tokens": _number(row["max_tokens"]),
        "gen_ai.usage.input_tokens": _number(row["input_tokens"]),
        "gen_ai.usage.output_tokens": _number(row["output_tokens"]),
        "gen_ai.response.finish_reasons": FINISH[finish] if 0 <= finish < len(FINISH) else None,
        "http.response.status_code": _number(row["status"]),
        "client.address": _digest(row["ip"]), "user_agent.original": _digest(row["ua"]),
        "stillwatch.account_id": _short(row["acct"]), "stillwatch.credential_id": _digest(row["cred"]),
        "stillwatch.client.country": _short(row["country"]),
        "stillwatch.request.logprobs": {0: False, 1: True}.get(row["logprobs"]),
        "stillwatch.prompt.template": _digest(template), "stillwatch.prompt.cues": " ".join(cues(row["cues"])),
    })  # fmt: skip


def event_of_line(line: Mapping[str, Any]) -> dict[str, Any]:
    """The event of a line of a decision log.

    Raises:
        KeyError, TypeError, ValueError: it is no such line.
    """
    decision, request = line["decision"], line["request"]
    bias = sorted(map(str, request["logit_bias"]))
    signals = {str(hit["id"]): hit for hit in line["signals"]}
    return _said({
        "timestamp": datetime.fromisoformat(decision["at"]).astimezone(UTC).isoformat(),
        "gen_ai.operation.name": _short(request["operation"]), "gen_ai.request.model": _short(request["model"]),
        "gen_ai.request.choice.count": _number(request["n"]),
        "stillwatch.account_id": _short(decision["account_id"]),
        "stillwatch.request.logprobs": bool(request["logprobs"]),
        "stillwatch.request.logit_bias": hashlib.sha256("\0".join(bias).encode()).hexdigest()[:16] if bias else None,
        "stillwatch.sealed.differs": " ".join(_differs(request, signals.get("sealed_replay"))),
        "stillwatch.signals": " ".join(sorted(signals)),
        "stillwatch.decision.action": _short(decision["action"]),
        "stillwatch.decision.reason": _short(decision["reason"]),
        "stillwatch.decision.id": _short(decision["decision_id"]),
    })  # fmt: skip


def _differs(request: Mapping[str, Any], replay: Mapping[str, Any] | None) -> list[str]:
    """What differs: as an envelope told it, and as the signal's score says of what was remembered."""
    told = {str(word) for word in request["sealed_differing"]} & {"seal", "account", "model", "conversation"}
    score = float(replay["score"]) if replay is not None else 0.0
    if score >= 1.0 and not told & {"seal", "account"}:
        told.add("account")
    elif 0.5 <= score < 1.0:
        told.add("model")
    elif 0.0 < score < 0.5:
        told.add("conversation")
    return sorted(told)


def _said(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if value is not None and value != ""}


def _short(value: Any) -> str | None:
    return None if value is None else str(value).encode("utf-8", "backslashreplace").decode()[:SHOWN]


def _number(value: Any) -> int | None:
    return int(value) if isinstance(value, int) and value >= 0 else None


def _digest(value: int) -> str | None:
    return f"{value & 0xFFFF_FFFF_FFFF_FFFF:016x}" if value else None


__all__ = ["FIELDS", "Field", "event_of_line", "event_of_row"]
