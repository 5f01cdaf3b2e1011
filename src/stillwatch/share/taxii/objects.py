"""One STIX object from a stranger: what is needed to keep it and to say who may read it, or why it is not taken.

Objects of unknown types are taken as they are, because a server is no judge of content. Taken are only those that have
an id of their type, one form in bytes, and a marking that can be read; without a known marking an object is TLP:RED.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import rfc8785

from stillwatch.records.sharing import Tlp
from stillwatch.share import marking
from stillwatch.share.taxii import moments

MOST_BYTES = 128 * 1024
"""Of one object, in its canonical form."""
_ID = re.compile(r"([a-z0-9][a-z0-9-]{2,63})--[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MARKINGS = frozenset({*marking.IDS.values(), *marking.ALIASES})


@dataclass(frozen=True, slots=True)
class Checked:
    """An object that can be kept."""

    object_id: str
    type: str
    version: str
    """``modified``, else ``created``; empty for an object that has neither: then it is the time of adding."""
    version_ns: int
    level: Tlp
    revoked: bool
    author: str
    """``created_by_ref``, or empty."""
    body: bytes
    """RFC 8785."""


@dataclass(frozen=True, slots=True)
class Failed:
    """An object that is not taken, and why. Never quotes it."""

    object_id: str
    version: str
    reason: str


def object_id(given: Any) -> str | None:
    """The id of an object, when it is one.

    >>> object_id({"id": "campaign--83422c77-904c-4dc1-aff5-5c38f3a2c55c"})
    'campaign--83422c77-904c-4dc1-aff5-5c38f3a2c55c'
    >>> object_id({"id": "campaign--1"}) is None
    True
    """
    name = given.get("id") if isinstance(given, dict) else None
    return name if isinstance(name, str) and _ID.fullmatch(name) else None


def check(given: dict[str, Any]) -> Checked | Failed:
    """What can be kept of an object whose id can be read."""
    name = object_id(given)
    if name is None:
        raise ValueError("an object without an id")
    kind, version = given.get("type"), given.get("modified", given.get("created", ""))

    def no(reason: str) -> Failed:
        return Failed(name, version if _is_time(version) else "", reason)

    if kind != name.partition("--")[0] or kind == "bundle":
        return no("its type is not that of its id")
    if not all(_is_time(given[field]) for field in ("created", "modified") if field in given):
        return no("created and modified are times such as 2026-01-31T12:00:00.000Z")
    try:
        ns = moments.version(version) if version else 0
    except ValueError:
        return no("its version is before 1678 or after 2261")
    if "created" in given and moments.nanoseconds(given["created"]) > ns:
        return no("modified before it was created")
    if given.get("spec_version", "2.1") != "2.1" or ("created" in given and "spec_version" not in given):
        return no("not of STIX 2.1")
    if not isinstance(given.get("revoked", False), bool):
        return no("revoked is true or false")
    author = given.get("created_by_ref", "")
    if not isinstance(author, str) or (author and not _ID.fullmatch(author)):
        return no("created_by_ref is no id")
    try:
        body = rfc8785.dumps(given)
    except (rfc8785.CanonicalizationError, UnicodeError, ValueError):
        return no("has no canonical form: a number or a text that others would read otherwise")
    if len(body) > MOST_BYTES:
        return no(f"longer than {MOST_BYTES} bytes")
    level = Tlp.CLEAR if name in _MARKINGS else marking.level_of(given)
    return Checked(name, kind, version, ns, level, given.get("revoked", False), author, body)


def _is_time(text: Any) -> bool:
    try:
        moments.nanoseconds(text)
    except (ValueError, TypeError):
        return False
    return True


__all__ = ["MOST_BYTES", "Checked", "Failed", "check", "object_id"]
