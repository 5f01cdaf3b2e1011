"""LiteLLM spend logs: rows of its SpendLogs table, as its API, a CSV or a Parquet export gives them.

Messages and answers are there only when the proxy stores prompts in spend logs.

>>> row = next(iter(rows({"request_id": "r", "startTime": "2026-11-24 04:14:50", "api_key": "h", "model": "m",
...                       "user": "default_user_id", "messages": "{}"})))
>>> row["account_id"], row["messages"]
('h', None)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stillwatch.ingest.bodies import count, first, quantity, request_fields, text
from stillwatch.ingest.client import address, keep_headers
from stillwatch.ingest.format import Answer, Format, share, unwrapped
from stillwatch.ingest.formats.litellm import billed, operation, spoken
from stillwatch.ingest.jsontext import as_object
from stillwatch.ingest.refusal import Refusal, Row
from stillwatch.ingest.times import milliseconds, to_time


def sniff(head: bytes) -> float:
    """Told by the table's own column names."""
    wanted = share(head, ("request_id", "api_key", "spend", "startTime", "call_type"))
    return wanted if wanted >= 0.8 else 0.0


def rows(record: dict[str, Any]) -> Iterator[Answer]:
    """One row per logged call."""
    for item in unwrapped(record):
        yield _row(item) if isinstance(item, dict) else Refusal("not a JSON object")


def _row(record: dict[str, Any]) -> Row:
    metadata = as_object(record.get("metadata"))
    asked = as_object(record.get("proxy_server_request"))
    start = to_time(record.get("startTime"))
    body = as_object(asked.get("body")) or asked
    row = spoken(record)
    if body:
        row = _filled(row, request_fields(body))
    duration = quantity(record.get("request_duration_ms"))
    row.update(
        exchange_id=text(first(record, "litellm_call_id", "request_id")),
        started_at=start,
        channel="api",
        operation=operation(record.get("call_type")),
        client_ip=address(first(record, "requester_ip_address") or metadata.get("requester_ip_address")),
        user_agent=text(metadata.get("user_agent"))
        or text(as_object(asked.get("headers")).get("user-agent")),
        client_headers=keep_headers(asked.get("headers")),
        end_user_id=text(record.get("end_user")) or row.get("end_user_id"),
        status=_status(record, metadata),
        latency_ms=duration or milliseconds(start, to_time(record.get("endTime"))),
        conversation_id=text(record.get("session_id")),
    )
    row.update(
        billed(
            team=record.get("team_id") or metadata.get("user_api_key_team_id"),
            owner=record.get("user") or metadata.get("user_api_key_user_id"),
            key=record.get("api_key"),
            organisation=record.get("organization_id") or metadata.get("user_api_key_org_id"),
        )
    )
    return row


def _filled(row: Row, more: Row) -> Row:
    return row | {name: value for name, value in more.items() if row.get(name) is None}


def _status(record: dict[str, Any], metadata: dict[str, Any]) -> int | None:
    code = count(as_object(metadata.get("error_information")).get("error_code"), 999)
    if code is not None:
        return code
    return {"success": 200, "failure": 500}.get(str(record.get("status")))


FORMAT = Format("litellm-spend", "LiteLLM spend log rows", sniff, rows)
