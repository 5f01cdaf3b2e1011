"""Conversation chains: what an exchange issued, and what of earlier answers it presents.

A *state* is a keyed running digest over the turns of a conversation. An exchange *issues* the state after its
answer, and *presents* the state at each assistant turn of its history. Where one account presents what was
issued to another, a conversation was handed on. System messages are left out, since relays rewrite them;
white space around a turn does not count.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numba as nb
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.detect.digest import (
    Key,
    digest_strings,
    domain_key,
    sip_bytes,
    sip_word,
    string_buffers,
)
from stillwatch.detect.turns import ASSISTANT, LEFT_OUT, OTHER, ROLES, USER, plain_turns

KEPT = 3
"""Latest assistant turns of a history that are kept."""
U64 = np.uint64
_PLAIN, _ODD, _LONE = 0, 1, 2
_STEP = U64(0x9E6C63D0876A9A47)


@nb.njit(cache=True, nogil=True)
def _step(state, role, turn, k0, k1):  # type: ignore[no-untyped-def]  # numba infers
    return sip_word((state * _STEP) ^ U64(turn) ^ (U64(role + 1) << U64(61)), k0, k1)


@nb.njit(cache=True, nogil=True)
def _walk(ptr, roles, turns, answers, k0, k1, issued, presented):  # type: ignore[no-untyped-def]  # numba infers
    for row in range(issued.shape[0]):
        if ptr[row] == ptr[row + 1]:
            continue
        state = U64(0)
        seen = 0
        for i in range(ptr[row], ptr[row + 1]):
            state = _step(state, roles[i], turns[i], k0, k1)
            if roles[i] == ASSISTANT:
                if seen == KEPT:
                    for j in range(KEPT - 1):
                        presented[row, j] = presented[row, j + 1]
                    seen -= 1
                presented[row, seen] = np.int64(state)
                seen += 1
        if answers[row] != 0:
            issued[row] = np.int64(_step(state, ASSISTANT, answers[row], k0, k1))


def message_text(message: Any) -> str:
    """Text of one message: a string, or the text parts of a list.

    >>> message_text({"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image"}]})
    'a'
    """
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(p["text"] for p in content if isinstance(p, dict) and isinstance(p.get("text"), str))
    return ""


def conversation_states(
    messages: pa.Array, prompts: pa.Array, answers: pa.Array, key: Key
) -> tuple[np.ndarray, np.ndarray]:
    """States issued (int64[n]) and presented (int64[n, 3]); 0 = none.

    Without messages, the prompt is the whole conversation.
    """
    n = len(prompts)
    found = plain_turns(messages)
    counts = found.counts
    roles: list[int] = []
    texts: list[str] = []
    data, offsets, _ = string_buffers(messages)
    for row in found.odd.tolist():
        before = len(roles)
        for role, text in _turns(data[offsets[row] : offsets[row + 1]].data):
            roles.append(role)
            texts.append(text)
        counts[row] = len(roles) - before
    lone = np.asarray(messages.is_null()) & np.asarray(prompts.is_valid())
    counts[lone] = 1
    ptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    way = np.full(n, _PLAIN, np.uint8)
    way[found.odd], way[lone] = _ODD, _LONE
    way = np.repeat(way, counts)
    turn, role_of = np.zeros(ptr[-1], np.int64), np.full(ptr[-1], USER, np.uint8)
    turn[way == _PLAIN], role_of[way == _PLAIN] = _digests(found.texts, key), found.roles
    turn[way == _ODD], role_of[way == _ODD] = _digests(pa.array(texts, pa.string()), key), roles
    turn[way == _LONE] = _digests(prompts, key, lone)[lone]
    issued, presented = np.zeros(n, np.int64), np.zeros((n, KEPT), np.int64)
    k0, k1 = domain_key(key, "chain-state")
    _walk(ptr, role_of, turn, _digests(answers, key), k0, k1, issued, presented)
    return issued, presented


def _turns(text: memoryview) -> Iterator[tuple[int, str]]:
    """Role and text of each turn of one conversation; what is no list of messages has none."""
    try:
        parsed = orjson.loads(text)
    except orjson.JSONDecodeError:
        return
    for message in parsed if isinstance(parsed, list) else []:
        role = message.get("role") if isinstance(message, dict) else None
        whose = ROLES.get(role, OTHER) if isinstance(role, str) else OTHER
        if whose != LEFT_OUT:
            yield whose, message_text(message)


def _digests(texts: pa.Array, key: Key, where: np.ndarray | None = None) -> np.ndarray:
    """Digests of texts without the white space around them; with ``where``, of those texts alone, and 0 of others."""
    data, offsets, valid = string_buffers(texts)
    out = np.zeros(len(valid), np.int64)
    rest = _trimmed(data, offsets, valid if where is None else valid & where, *domain_key(key, "turn"), out)
    ragged = np.flatnonzero(rest)
    if len(ragged):
        out[ragged] = digest_strings(pc.utf8_trim_whitespace(texts.take(pa.array(ragged))), key, "turn")
    return out


_SPACE = np.zeros(256, np.bool_)
_SPACE[[*range(9, 14), *range(28, 33)]] = True


@nb.njit(cache=True, nogil=True)
def _trimmed(data, offsets, valid, k0, k1, out):  # type: ignore[no-untyped-def]  # numba infers
    """Digest texts without ASCII white space around them. Returns those that may have other white space there."""
    rest = np.zeros(len(valid), np.bool_)
    for i in range(len(valid)):
        start, end = offsets[i], offsets[i + 1]
        if not valid[i]:
            continue
        while start < end and _SPACE[data[start]]:
            start += 1
        while start < end and _SPACE[data[end - 1]]:
            end -= 1
        if start == end:
            continue
        tail = end - 1
        while tail > start and end - tail < 4 and (data[tail] & 0xC0) == 0x80:
            tail -= 1
        if _may_be_blank(data, start, end) or _may_be_blank(data, tail, end):
            rest[i] = True
            continue
        out[i] = np.int64(sip_bytes(data, start, end, k0, k1))
        if out[i] == 0:
            out[i] = 1
    return rest


@nb.njit(inline="always", cache=True)
def _may_be_blank(data, i, end):  # type: ignore[no-untyped-def]  # numba infers
    """True for white space beyond ASCII, and for some other characters that are written with like bytes."""
    lead, after, third = data[i], data[min(i + 1, end - 1)], data[min(i + 2, end - 1)]
    return (
        lead == 0xC2
        or (lead == 0xE1 and (after == 0x9A or after == 0xA0))
        or (lead == 0xE2 and after <= 0x81)
        or (lead == 0xE3 and after == 0x80 and third == 0x80)
    )


def chains(batch: pa.RecordBatch, key: Key) -> tuple[pa.Array, pa.Array]:
    """What each exchange of a canonical batch issued and presented, as lists of digests."""
    n = len(batch)
    issued, presented = conversation_states(
        batch.column("messages"), batch.column("prompt"), batch.column("completion"), key
    )
    prefixes, outputs = batch.column("prefix_digests"), batch.column("output_digests")
    if prefixes.null_count == n and outputs.null_count == n:
        return as_lists(issued[:, None]), as_lists(presented)
    gave: list[list[str]] = [[] for _ in range(n)]
    took: list[list[str]] = [[] for _ in range(n)]
    for row, (chain, chunks) in enumerate(zip(prefixes.to_pylist(), outputs.to_pylist(), strict=True)):
        if chain and len(chain) >= 3:
            gave[row].append(chain[-1])
            took[row] += chain[2:-1][-KEPT:]
        gave[row] += (chunks or [])[:4]
    return (
        as_lists(np.hstack([issued[:, None], _given(gave, 5, key)])),
        as_lists(np.hstack([presented, _given(took, KEPT, key)])),
    )


def _given(rows: list[list[str]], width: int, key: Key) -> np.ndarray:
    """Digests that the log itself gave, digested again under our key; int64[n, width]."""
    out = np.zeros((len(rows), width), np.int64)
    flat = [(row, i, text) for row, texts in enumerate(rows) for i, text in enumerate(texts[:width]) if text]
    if flat:
        at, place, text = zip(*flat, strict=True)
        out[list(at), list(place)] = digest_strings(pa.array(text, pa.string()), key, "chain")
    return out


def as_lists(table: np.ndarray) -> pa.Array:
    """Rows of a matrix as lists, zeros left out."""
    kept = table != 0
    if not kept.any():
        return pa.nulls(len(table), pa.list_(pa.int64()))
    offsets = np.concatenate([[0], np.cumsum(kept.sum(1))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(table[kept]))
