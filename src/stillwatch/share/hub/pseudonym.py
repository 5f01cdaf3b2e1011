"""A bundle as the hub hands it on: without whoever sent it.

The sender's identity becomes the hub's, and objections go to the hub, which knows whose they are. Whatever else in the
bundle names the sender is refused, not cut out: who wrote it should change the text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from stillwatch.share import extensions, marking


@dataclass(frozen=True, slots=True)
class Face:
    """How a hub appears in what it hands on."""

    identity: str
    name: str
    appeal_url: str


def handed_on(objects: Sequence[Mapping[str, Any]], face: Face) -> list[dict[str, Any]]:
    """The objects of a screened bundle in the hub's name.

    Raises:
        ValueError: it has no sender or several, or something still names the sender; what it says is not repeated.
    """
    senders = [o for o in objects if o.get("type") == "identity" and o.get("id") != extensions.AUTHOR]
    if len(senders) != 1:
        raise ValueError("a submission has one sender")
    sender = senders[0]
    hosts = {urlsplit(url).hostname or url for url in _appeals(objects)}
    made = [_replaced(dict(o), str(sender["id"]), face) for o in objects if o is not sender]
    told = json.dumps(made, ensure_ascii=False).casefold()
    for secret in (str(sender["id"]), str(sender.get("name", "")), *hosts):
        if secret and secret.casefold() in told:
            raise ValueError("a text names its sender: its name, its identity or where objections go")
    return [_identity(sender, face), *made]


def _identity(sender: Mapping[str, Any], face: Face) -> dict[str, Any]:
    from stillwatch.records.sharing import Tlp

    return {
        "type": "identity", "spec_version": "2.1", "id": face.identity, "created": extensions.CREATED,
        "modified": extensions.CREATED, "name": face.name, "identity_class": "organization",
        "object_marking_refs": [marking.IDS[Tlp.CLEAR]],
    }  # fmt: skip


def _appeals(objects: Sequence[Mapping[str, Any]]) -> set[str]:
    found = set()
    for each in objects:
        policy = (each.get("extensions") or {}).get(extensions.POLICY)
        if isinstance(policy, dict) and isinstance(policy.get("appeal_url"), str):
            found.add(policy["appeal_url"])
    return found


def _replaced(value: Any, sender: str, face: Face) -> Any:
    """The same value with the hub where the sender stood."""
    if isinstance(value, dict):
        return {
            key: face.appeal_url if key == "appeal_url" else _replaced(inner, sender, face)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_replaced(inner, sender, face) for inner in value]
    return face.identity if value == sender else value


__all__ = ["Face", "handed_on"]
