"""A gateway's JSON body as the `Request` that a gate decides on. Reads, never changes, never raises on a body.

Examples
--------
>>> body = {"model": "m-large", "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
...         "top_logprobs": 5, "logit_bias": {"42": 100}}
>>> made = request_of(body, request_id="r-1", account_id="acct-1")
>>> made.model, made.logprobs, made.logit_bias, made.prompt
('m-large', True, ('42',), 'Hi')
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from stillwatch.protect.harden import FIELDS, NESTED
from stillwatch.records import Request

MOST_NAME = 256
"""Characters of a model's name that count; it goes into the log."""
MOST_TOKENS = 1_024
"""Biased tokens that are looked at."""
_TURNS = ("messages", "input", "contents")
_TEXTS = ("content", "parts", "text")


def request_of(
    body: Mapping[str, Any], *, account_id: str, request_id: str | None = None, operation: str = "chat",
    **known: Any,
) -> Request:  # fmt: skip
    """What a body in the manner of OpenAI, Anthropic, Gemini or an open serving engine asks for.

    Parameters
    ----------
    body
        The parsed JSON. Left as it is.
    account_id
        Whoever is billed: from the gateway's own authentication, never from the body.
    request_id
        A new one when None.
    operation
        From the path.
    known
        Other fields of `Request` that the gateway knows: ``org_id``, ``channel``, ``verification``, ``plan``,
        ``programme``, ``conversation_id``, ``sealed_in``.
    """
    model = body.get("model")
    known.setdefault("sealed_in", None)
    if known["sealed_in"] is None:
        known["sealed_in"] = sealed_digests(body)
    return Request(
        request_id or secrets.token_hex(12), account_id, model[:MOST_NAME] if isinstance(model, str) else "", operation,
        logprobs=any(_asks(v) for names in ("logprobs", "top_logprobs") for v in _values(body, FIELDS[names])),
        logit_bias=_biased(body), n=_samples(body), prompt=_last_words(body), **known,
    )  # fmt: skip


def sealed_digests(body: Any) -> tuple[str, ...]:
    """Digests of the opaque reasoning blocks in a body, of a request or of an answer, as the scan makes them."""
    from stillwatch.ingest.sealed import may_hold_sealed, take_sealed

    try:
        raw = orjson.dumps(body)
    except TypeError:  # huge numbers, lone surrogates, great depth: no way to hide a block behind them
        return tuple(dict.fromkeys(found for part in _parts(body) for found in take_sealed(part)))
    if not may_hold_sealed(raw.decode("utf-8", "replace")):
        return ()
    return tuple(take_sealed(orjson.loads(raw)))


def _parts(body: Any) -> Iterator[dict[str, str]]:
    """The texts of every object in a body, object by object, in order."""
    stack = [body]
    while stack:
        here = stack.pop()
        if isinstance(here, Mapping):
            yield {key: value for key, value in here.items() if isinstance(value, str)}
            stack.extend(reversed(list(here.values())))
        elif isinstance(here, (list, tuple)):
            stack.extend(reversed(here))


def _values(body: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[Any]:
    """Values of a field under any of its names, at the top and in the objects that carry engine options."""
    for part in (body, *(body.get(name) for name in NESTED)):
        if isinstance(part, Mapping):
            yield from (part[name] for name in names if name in part)


def _asks(value: Any) -> bool:
    """Whether log-probabilities are asked for: legacy completions take a number, and 0 still asks for some."""
    return value is not None and value is not False


def _biased(body: Mapping[str, Any]) -> tuple[str, ...]:
    found: list[str] = []
    for value in _values(body, FIELDS["logit_bias"]):
        if isinstance(value, Mapping):
            found += [str(token)[:32] for token in list(value)[:MOST_TOKENS]]
        elif isinstance(value, list):
            found += [
                str(item[0] if isinstance(item, list) and item else item)[:32] for item in value[:MOST_TOKENS]
            ]
    return tuple(found)


def _samples(body: Mapping[str, Any]) -> int:
    asked = [v for v in _values(body, FIELDS["n"]) if isinstance(v, int) and not isinstance(v, bool)]
    return max([1, *asked])


def _last_words(body: Mapping[str, Any]) -> str | None:
    """Text of the last user turn."""
    prompt = body.get("prompt")
    if isinstance(prompt, str):
        return prompt
    if isinstance(prompt, list) and prompt and isinstance(prompt[-1], str):
        return str(prompt[-1])
    for name in _TURNS:
        turns = body.get(name)
        if isinstance(turns, str):
            return turns
        if not isinstance(turns, list):
            continue
        for turn in reversed(turns):
            if isinstance(turn, str):
                return turn
            if isinstance(turn, Mapping) and turn.get("role", "user") == "user" and (text := _text(turn)):
                return text
    return None


def _text(turn: Mapping[str, Any]) -> str:
    """The text of one turn: a string, or the texts of its parts."""
    for name in _TEXTS:
        value = turn.get(name)
        if isinstance(value, str):
            return value
        if isinstance(value, list):
            parts = [p.get("text") if isinstance(p, Mapping) else p for p in value]
            return "\n".join(p for p in parts if isinstance(p, str))
    return ""
