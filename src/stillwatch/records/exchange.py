"""What goes in: exchanges, accounts, grants and releases as Arrow schemas, and the rejected record.

The names are those of the data contract and are stable. Every field that is not in ``*_REQUIRED`` may be
missing or null; detectors say what they could not judge because of it.

Examples
--------
>>> EXCHANGE_SCHEMA.field("account_id").type
DataType(string)
>>> sorted(EXCHANGE_REQUIRED)
['account_id', 'exchange_id', 'model', 'started_at']
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

TIMESTAMP = pa.timestamp("us", tz="UTC")
"""Every time in stillwatch: UTC, microseconds."""

EXCHANGE_SCHEMA = pa.schema(
    [
        ("exchange_id", pa.string()),
        ("started_at", TIMESTAMP),
        ("account_id", pa.string()),
        ("model", pa.string()),
        ("org_id", pa.string()),
        ("credential_id", pa.string()),
        ("end_user_id", pa.string()),
        ("channel", pa.string()),
        ("operation", pa.string()),
        ("client_ip", pa.string()),
        ("client_asn", pa.int64()),
        ("client_country", pa.string()),
        ("user_agent", pa.string()),
        ("tls_fingerprint", pa.string()),
        ("device_id", pa.string()),
        ("client_headers", pa.map_(pa.string(), pa.string())),
        ("system_prompt", pa.string()),
        ("prompt", pa.string()),
        ("messages", pa.string()),
        ("tools", pa.string()),
        ("completion", pa.string()),
        ("reasoning", pa.string()),
        ("sealed_in", pa.list_(pa.string())),
        ("sealed_out", pa.list_(pa.string())),
        ("prefix_digests", pa.list_(pa.string())),
        ("output_digests", pa.list_(pa.string())),
        ("temperature", pa.float64()),
        ("top_p", pa.float64()),
        ("n", pa.int64()),
        ("max_tokens", pa.int64()),
        ("seed", pa.int64()),
        ("logprobs", pa.bool_()),
        ("stream", pa.bool_()),
        ("input_tokens", pa.int64()),
        ("output_tokens", pa.int64()),
        ("reasoning_tokens", pa.int64()),
        ("cached_tokens", pa.int64()),
        ("status", pa.int64()),
        ("finish_reason", pa.string()),
        ("latency_ms", pa.float64()),
        ("conversation_id", pa.string()),
        ("turn", pa.int64()),
    ]
)
"""One request and its answer."""

EXCHANGE_REQUIRED = frozenset({"exchange_id", "started_at", "account_id", "model"})

ACCOUNT_SCHEMA = pa.schema(
    [
        ("account_id", pa.string()),
        ("org_id", pa.string()),
        ("created_at", TIMESTAMP),
        ("programme", pa.string()),
        ("payment_digest", pa.string()),
        ("email_domain", pa.string()),
        ("phone_digest", pa.string()),
        ("signup_ip", pa.string()),
        ("country", pa.string()),
        ("plan", pa.string()),
        ("verification", pa.string()),
        ("tos_version", pa.string()),
        ("tos_accepted_at", TIMESTAMP),
        ("status", pa.string()),
        ("status_changed_at", TIMESTAMP),
    ]
)
"""Who is billed. ``org_id`` is the organisation the customer declared."""

GRANT_SCHEMA = pa.schema(
    [
        ("grant_id", pa.string()),
        ("account_id", pa.string()),
        ("org_id", pa.string()),
        ("purpose", pa.string()),
        ("models", pa.list_(pa.string())),
        ("valid_from", TIMESTAMP),
        ("valid_until", TIMESTAMP),
        ("max_exchanges", pa.int64()),
        ("max_output_tokens", pa.int64()),
        ("note", pa.string()),
    ]
)
"""Permission to distil. ``models`` null or ``["*"]`` means every model."""

RELEASE_SCHEMA = pa.schema([("model", pa.string()), ("released_at", TIMESTAMP)])
"""When a model was released."""

CLIENT_RELEASE_SCHEMA = pa.schema(
    [("client", pa.string()), ("version", pa.string()), ("released_at", TIMESTAMP)]
)
"""When a client version was released."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """One input record that could not be read, and why. Never holds the record's content."""

    source: str
    """File name or stream label as the user named it; ``-`` for standard input."""
    line: int
    """1-based line or row number; 0 when the whole source is refused."""
    reason: str
    """Plain words, safe to print; never quotes the record's own text."""
