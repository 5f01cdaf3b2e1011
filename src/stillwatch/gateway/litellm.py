"""LiteLLM's generic guardrail and its logging payloads: the same account as a scan of its logs finds.

The account is whom the proxy charges: the key's team, else its owner, else the key itself. The end user that a
client names in its own request counts for nothing.

Examples
--------
>>> body = {"input_type": "request", "litellm_call_id": "c-1", "model": "m", "structured_messages": [
...     {"role": "user", "content": "Hi"}], "request_data": {"user_api_key_hash": "h", "user_api_key_team_id": "t"}}
>>> asked(body).request.account_id, asked(body).request.org_id, asked(body).request.prompt
('t', 't', 'Hi')
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from stillwatch.gateway.body import Refused
from stillwatch.gateway.identity import MOST_NAME
from stillwatch.ingest.formats.litellm import billed, rows
from stillwatch.records import Answer, Decision, Request
from stillwatch.wiring.gate_request import request_of


@dataclass(frozen=True, slots=True)
class Asking:
    """What LiteLLM asks about."""

    request: Request
    answered: bool
    """It is about an answer, which is recorded from the log and needs no decision."""


@dataclass(frozen=True, slots=True)
class Served:
    """What LiteLLM's log says was served."""

    answers: tuple[tuple[Request, Answer], ...]
    skipped: int = 0
    """Payloads of calls that failed or that name no account."""


def asked(body: Mapping[str, Any]) -> Asking:
    """The request behind a guardrail call."""
    data = body.get("request_data")
    data = data if isinstance(data, Mapping) else {}
    whose = billed(
        team=data.get("user_api_key_team_id"), owner=data.get("user_api_key_user_id"),
        key=data.get("user_api_key_hash"), organisation=data.get("user_api_key_org_id"),
    )  # fmt: skip
    spoken = {"model": body.get("model"), "messages": body.get("structured_messages") or body.get("texts")}
    request = request_of(
        spoken, account_id=_name(whose["account_id"]) or "", request_id=_name(body.get("litellm_call_id")),
        org_id=_name(whose["org_id"]), conversation_id=_name(body.get("litellm_trace_id")),
    )  # fmt: skip
    return Asking(request, body.get("input_type") == "response")


def answer_of(decision: Decision) -> dict[str, Any]:
    """What LiteLLM is answered. A refusal reaches its client as an error of status 400 with these words."""
    if decision.allowed:
        return {"action": "NONE"}
    told = decision.for_customer()
    if told is None:
        return {"action": "BLOCKED", "blocked_reason": "This request cannot be served."}
    words = [decision.sentence]
    if decision.retry_after_s > 0.0:
        words.append(f"Try again in {max(1, round(decision.retry_after_s + 0.5))} seconds.")
    if decision.challenge is not None and decision.terms.url:
        words.append(f"Verify here: {decision.terms.url}")
    words.append(f"Decision {decision.decision_id} ({decision.reason.value}); appeal: {decision.appeal}")
    return {"action": "BLOCKED", "blocked_reason": " ".join(words)}


def logged(raw: bytes) -> Served:
    """Answers out of logging payloads: a JSON array, JSON lines or one object. Raises `Refused` (400) for others."""
    answers, skipped = [], 0
    for record in _records(raw):
        for row in rows(record):
            if not isinstance(row, dict) or not row.get("account_id") or row.get("status") not in (None, 200):
                skipped += 1
                continue
            request = Request(
                str(row.get("exchange_id") or ""), row["account_id"], str(row.get("model") or ""),
                str(row.get("operation") or "chat"), org_id=row.get("org_id"),
                conversation_id=row.get("conversation_id"),
            )  # fmt: skip
            sealed = tuple(row.get("sealed_out") or ())
            answers.append((request, Answer(int(row.get("output_tokens") or 0), sealed)))
    return Served(tuple(answers), skipped)


def _records(raw: bytes) -> Iterator[dict[str, Any]]:
    try:
        found = orjson.loads(raw)
    except ValueError:
        try:
            found = [orjson.loads(line) for line in raw.splitlines() if line.strip()]
        except ValueError:
            raise Refused(
                400, "neither JSON nor JSON lines: send LiteLLM's standard logging payloads"
            ) from None
    for item in found if isinstance(found, list) else [found]:
        if isinstance(item, dict):
            yield item


def _name(value: Any) -> str | None:
    return value[:MOST_NAME] if isinstance(value, str) and value else None
