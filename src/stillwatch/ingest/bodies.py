"""What a request body says, for every provider's shape: chat, completions, responses, messages, Converse.

Parameters are the client's to choose, so one that makes no sense is left out and never costs the record:
otherwise an odd seed would be a way not to be seen.

>>> row = request_fields({"model": "m", "temperature": 0.6, "n": -3,
...                       "messages": [{"role": "user", "content": "hi"}]})
>>> row["prompt"], row["temperature"], row["n"]
('hi', 0.6, None)
"""

from __future__ import annotations

import math
from typing import Any

from stillwatch.ingest.conversation import as_messages, opening_and_last, system_of
from stillwatch.ingest.jsontext import dump
from stillwatch.ingest.refusal import Row
from stillwatch.ingest.sealed import take_sealed

LARGEST = 1_000_000_000
"""Counts beyond this are nonsense: no request has a thousand million tokens."""


def first(source: dict[str, Any], *names: str) -> Any:
    """The first value among ``names`` that is neither None nor empty."""
    for name in names:
        value = source.get(name)
        if value is not None and value != "" and value != {} and value != []:
            return value
    return None


def text(value: Any) -> str | None:
    """A non-empty text, or a whole number as text; anything else is None."""
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def count(value: Any, largest: int = LARGEST) -> int | None:
    """A whole number from 0 to ``largest``, also from text or a float without a fraction; else None."""
    number = quantity(value)
    if number is None or number > largest or number != int(number):
        return None
    return int(number)


def quantity(value: Any) -> float | None:
    """A finite number of at least 0, also from text; else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            value = float(value) if len(value) < 40 else None
        except ValueError:
            return None
    if not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def seed(value: Any) -> int | None:
    """A whole number that fits 64 bits, of either sign; else None."""
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
        return value
    return count(value)


def flag(value: Any) -> bool | None:
    """True or false, also as text or as 0 and 1; else None."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return {"true": True, "1": True, "false": False, "0": False}.get(value.strip().lower())
    if isinstance(value, int):
        return bool(value)
    return None


def request_fields(body: dict[str, Any]) -> Row:
    """The contract's fields that a request body fills; sealed blocks leave `messages` as digests.

    Args:
        body: the request as the client sent it. Sealed blocks in it are replaced in place.
    """
    row: Row = parameters(body)
    config = body.get("inferenceConfig") or body.get("generationConfig") or body.get("textGenerationConfig")
    if isinstance(config, dict):
        row = parameters(config) | {key: value for key, value in row.items() if value is not None}
    row["model"] = text(first(body, "model", "modelId", "model_id"))
    sealed = take_sealed(as_messages(body))
    row["sealed_in"] = sealed or None
    row["messages"] = conversation_text(body)
    row["system_prompt"], row["prompt"] = opening_and_last(body)
    row["end_user_id"] = end_user(body)
    row["tools"] = tools_of(body)
    row["conversation_id"] = conversation_id(body)
    return row


def conversation_text(body: dict[str, Any]) -> str | None:
    """The conversation as JSON: the message list, or the whole pair where the system text stands beside it."""
    listed = as_messages(body)
    if not listed:
        return None
    if system_of(body) is not None:
        system = first(
            body, "system", "instructions", "system_instruction", "systemInstruction", "system_prompt"
        )
        return dump({"system": system, "messages": listed})
    return dump(listed)


def parameters(source: dict[str, Any]) -> Row:
    """Sampling parameters under any provider's names."""
    logprobs = source.get("logprobs")
    asked = count(logprobs) if not isinstance(logprobs, (bool, str)) else None
    return {
        "temperature": quantity(source.get("temperature")),
        "top_p": quantity(first(source, "top_p", "topP", "p")),
        "n": count(first(source, "n", "candidateCount", "num_generations", "best_of"), 1_000_000),
        "max_tokens": count(
            first(
                source,
                "max_tokens",
                "max_completion_tokens",
                "max_output_tokens",
                "maxTokens",
                "max_gen_len",
                "maxOutputTokens",
                "maxTokenCount",
                "max_new_tokens",
                "max_tokens_to_sample",
            )
        ),
        "seed": seed(source.get("seed")),
        "logprobs": True if asked is not None or count(source.get("top_logprobs")) else flag(logprobs),
        "stream": flag(source.get("stream")),
    }


def end_user(body: dict[str, Any]) -> str | None:
    """The tenant's own user as passed through: ``user``, ``safety_identifier`` or ``metadata.user_id``."""
    metadata = body.get("metadata")
    inside = metadata.get("user_id") if isinstance(metadata, dict) else None
    return text(first(body, "user", "safety_identifier")) or text(inside)


def tools_of(body: dict[str, Any]) -> str | None:
    """Tool definitions as JSON text."""
    return dump(first(body, "tools", "functions", "toolConfig"))


def conversation_id(body: dict[str, Any]) -> str | None:
    """The conversation a request names, in the responses API's two shapes."""
    named = body.get("conversation")
    return text(named.get("id") if isinstance(named, dict) else named)
