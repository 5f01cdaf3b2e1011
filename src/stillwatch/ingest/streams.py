"""Put a streamed answer back together: the list of chunks a log kept becomes one response object.

>>> gathered([{"choices": [{"delta": {"content": "Hel"}}]}, {"choices": [{"delta": {"content": "lo"}}]}])["choices"]
[{'message': {'content': 'Hello'}, 'finish_reason': None}]
"""

from __future__ import annotations

from typing import Any

Block = dict[str, Any]


def gathered(chunks: list[Any]) -> dict[str, Any]:
    """One response from the chunks of any provider's stream; an object that is already whole stays whole."""
    parts = [chunk for chunk in chunks if isinstance(chunk, dict)]
    if len(parts) == 1 and not _is_event(parts[0]):
        return parts[0]
    whole: dict[str, Any] = {}
    blocks: dict[Any, Block] = {}
    choices: dict[int, Block] = {}
    for part in parts:
        _facts(part, whole)
        if isinstance(part.get("choices"), list):
            _openai(part["choices"], choices)
        elif isinstance(part.get("response"), dict) and part.get("type") in _RESPONSE_ENDS:
            return dict(part["response"])
        else:
            _block_event(part, blocks)
    if choices:
        whole["choices"] = [_closed(choices[key]) for key in sorted(choices)]
    elif any(blocks.values()):
        whole["content"] = [_closed(blocks[key]) for key in sorted(blocks, key=_order) if blocks[key]]
    elif parts and "output" not in whole:
        whole["content"] = _loose_text(parts)
    return whole


_RESPONSE_ENDS = ("response.completed", "response.incomplete", "response.failed")


def _order(key: Any) -> int:
    return key if isinstance(key, int) else 0


def _is_event(part: Block) -> bool:
    return any(key in part for key in ("delta", "contentBlockDelta", "chunk")) or bool(
        isinstance(part.get("choices"), list)
        and part["choices"]
        and isinstance(part["choices"][0], dict)
        and "delta" in part["choices"][0]
    )


def _facts(part: Block, whole: Block) -> None:
    """Model, usage and stop reason, wherever a provider's chunks carry them."""
    places = [part]
    for key in ("message", "metadata", "messageStop", "delta"):
        if isinstance(part.get(key), dict):
            places.append(part[key])
    for place in places:
        for key in ("model", "stop_reason", "stopReason", "generation_token_count", "prompt_token_count"):
            if isinstance(place.get(key), (str, int)):
                whole[key] = place[key]
        for key in ("usage", "usageMetadata"):
            if isinstance(place.get(key), dict):
                kept = whole.setdefault(key, {})
                kept.update({name: value for name, value in place[key].items() if value is not None})


def _openai(items: list[Any], choices: dict[int, Block]) -> None:
    for item in items:
        if not isinstance(item, dict):
            continue
        index = item["index"] if isinstance(item.get("index"), int) else 0
        whole = choices.setdefault(index, {"message": {"content": []}, "finish_reason": None})
        delta = item.get("delta") or item.get("message") or {}
        message = whole["message"]
        for source, name in (
            (delta, "content"),
            (item, "text"),
            (delta, "reasoning_content"),
            (delta, "refusal"),
        ):
            piece = source.get(name) if isinstance(source, dict) else None
            if isinstance(piece, str):
                message.setdefault("content" if name == "text" else name, []).append(piece)
        if isinstance(delta, dict) and isinstance(delta.get("tool_calls"), list):
            _tool_calls(delta["tool_calls"], message.setdefault("tool_calls", {}))
        whole["finish_reason"] = item.get("finish_reason") or whole["finish_reason"]


def _tool_calls(deltas: list[Any], calls: dict[int, Block]) -> None:
    for delta in deltas:
        function = delta.get("function") if isinstance(delta, dict) else None
        if not isinstance(function, dict):
            continue
        index = delta["index"] if isinstance(delta.get("index"), int) else len(calls)
        call = calls.setdefault(index, {"name": None, "arguments": []})
        call["name"] = function.get("name") or call["name"]
        if isinstance(function.get("arguments"), str):
            call["arguments"].append(function["arguments"])


def _closed(block: Block) -> Block:
    """A block whose pieces are put together; done once, so a long stream costs linear time."""
    done: Block = {}
    for key, value in block.items():
        if isinstance(value, list) and all(isinstance(piece, str) for piece in value):
            done[key] = "".join(value)
        elif key == "message":
            done[key] = _closed(value)
        elif key == "tool_calls":
            done[key] = [_closed(call) for call in value.values()]
        else:
            done[key] = value
    if isinstance(done.get("partial_json"), str):
        done["input"] = done.pop("partial_json")
    return done


def _block_event(part: Block, blocks: dict[Any, Block]) -> None:
    """Content-block events of the messages API, and the same of Converse."""
    start = part.get("content_block")
    if isinstance(start, dict):
        blocks[part.get("index")] = {
            k: [v] if k in _GROWING and isinstance(v, str) else v for k, v in start.items()
        }
    opened = part.get("contentBlockStart")
    if isinstance(opened, dict) and isinstance(opened.get("start"), dict):
        tool = opened["start"].get("toolUse")
        if isinstance(tool, dict):
            blocks[opened.get("contentBlockIndex")] = {"type": "tool_use", "name": tool.get("name")}
    event = part.get("contentBlockDelta")
    inner = event if isinstance(event, dict) else part
    delta = inner.get("delta")
    if not isinstance(delta, dict):
        return
    block = blocks.setdefault(inner.get("index", inner.get("contentBlockIndex")), {})
    if isinstance(delta.get("reasoningContent"), dict):
        delta = dict(delta["reasoningContent"])
        delta["thinking"] = delta.pop("text", None)
    if isinstance(delta.get("toolUse"), dict):
        delta = {"partial_json": delta["toolUse"].get("input")}
    for name in _GROWING:
        if isinstance(delta.get(name), str):
            pieces = block.setdefault(name, [])
            if isinstance(pieces, list):
                pieces.append(delta[name])
            if name == "thinking":
                block["type"] = "thinking"


_GROWING = ("text", "thinking", "signature", "redactedContent", "partial_json")


def _loose_text(parts: list[Block]) -> str:
    pieces = []
    for part in parts:
        for key in ("generation", "outputText", "completion", "text"):
            if isinstance(part.get(key), str):
                pieces.append(part[key])
                break
        else:
            if part.get("type") == "response.output_text.delta" and isinstance(part.get("delta"), str):
                pieces.append(part["delta"])
    return "".join(pieces)
