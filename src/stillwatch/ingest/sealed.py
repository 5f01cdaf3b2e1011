"""Opaque reasoning and compaction blocks: kept as digests, never as they came.

A provider hands out encrypted reasoning for the client to send back. The same block presented by another
account is strong evidence of a shared operator, and its digest is all that is needed to see it.

>>> body = {"content": [{"type": "redacted_thinking", "data": "EmwKAhgB"}]}
>>> take_sealed(body) == [digest("EmwKAhgB")]
True
>>> body["content"][0]["data"] == "sealed:" + digest("EmwKAhgB")
True
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

SEALED = "sealed:"
"""What replaces a block, in front of its digest."""

MARKERS = (
    "encrypted_content", "encryptedContent", "redacted_thinking", "redactedContent", "redacted_content",
    "signature", "Signature", "reasoning.encrypted", '"compaction', "encrypted_index",
)  # fmt: skip
"""A conversation whose text holds none of these holds no sealed block."""

_ALWAYS = frozenset({
    "encrypted_content", "encryptedContent", "redactedContent", "redacted_content", "encrypted_reasoning",
    "thoughtSignature", "thought_signature", "reasoningSignature",
})  # fmt: skip
_SEARCH = frozenset({"web_search_result", "web_search_result_location", "web_search_tool_result"})
"""Sealed as well, but pages found, not reasoning: replaced and not reported."""
_REASONING = frozenset({
    "thinking", "redacted_thinking", "reasoning", "reasoning.encrypted", "reasoning.text", "signature_delta",
})  # fmt: skip


def digest(block: str) -> str:
    """BLAKE2b with 128 bits, in hex."""
    return blake2b(block.encode("utf-8", "replace"), digest_size=16).hexdigest()


def take_sealed(body: Any) -> list[str]:
    """Replace every sealed block in ``body`` by its digest, in place, and return the digests in order."""
    found: dict[str, None] = {}
    stack = [body]
    while stack:
        here = stack.pop()
        if isinstance(here, dict):
            _take_from(here, found)
            stack.extend(v for v in reversed(here.values()) if isinstance(v, (dict, list)))
        elif isinstance(here, list):
            stack.extend(v for v in reversed(here) if isinstance(v, (dict, list)))
    return list(found)


def _take_from(block: dict[str, Any], found: dict[str, None]) -> None:
    kind = block.get("type")
    kind = kind if isinstance(kind, str) else ""
    for key, value in block.items():
        if not isinstance(value, str) or not value:
            continue
        if key in _ALWAYS or key == "encrypted_index":
            sealed = True
        elif key == "signature":
            sealed = kind in _REASONING or "thinking" in block or ("text" in block and "type" not in block)
        elif key == "data":
            sealed = kind in ("redacted_thinking", "reasoning.encrypted")
        elif key in ("content", "summary"):
            if kind.startswith("compaction"):
                found[digest(value)] = None
            continue
        else:
            continue
        if not sealed:
            continue
        if value.startswith(SEALED):
            mark = value.removeprefix(SEALED)
        else:
            mark = digest(value)
            block[key] = SEALED + mark
        if kind not in _SEARCH and key != "encrypted_index":
            found[mark] = None


def may_hold_sealed(text: str) -> bool:
    """A quick look at a JSON text, so that most conversations need no walk."""
    return any(marker in text for marker in MARKERS)
