"""What is answered: TAXII's own resources, assembled from stored bytes without reading them again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from starlette.responses import Response

from stillwatch.share.taxii.keeping import Taken
from stillwatch.share.taxii.media import STIX, TAXII
from stillwatch.share.taxii.members import Collection
from stillwatch.share.taxii.moments import written
from stillwatch.share.taxii.objects import Failed

_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


class Denied(Exception):
    """A request that is not served, with what may be told: an answer, not a fault."""

    def __init__(self, status: int, title: str, description: str, **headers: str) -> None:
        super().__init__(title)
        self.status, self.title, self.description = status, title, description
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def resource(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A resource as TAXII."""
    body = json.dumps(value, ensure_ascii=False).encode()
    return Response(body, status, {**_HEADERS, **(headers or {})}, TAXII)


def denied(why: Denied) -> Response:
    """TAXII's error resource; never what the client sent."""
    body = {"title": why.title, "description": why.description, "http_status": str(why.status)}
    return resource(body, why.status, why.headers)


def collection(found: Collection) -> dict[str, Any]:
    """TAXII's collection resource."""
    told: dict[str, Any] = {
        "id": found.collection_id, "title": found.title, "can_read": found.can_read, "can_write": found.can_write,
        "media_types": [STIX],
    }  # fmt: skip
    return told | ({"description": found.description} if found.description else {})


def envelope(rows: Sequence[Row[Any]], more: str | None) -> Response:
    """Objects, byte for byte as they are kept."""
    parts = [b'"more":true,"next":' + json.dumps(more).encode()] if more else []
    if rows:
        parts.append(b'"objects":[' + b",".join(bytes(row.body) for row in rows) + b"]")
    return _paged(b"{" + b",".join(parts) + b"}", rows)


def manifest(rows: Sequence[Row[Any]], more: str | None) -> Response:
    """What there is, without the objects."""
    told = [
        {"id": r.object_id, "date_added": written(r.added_us), "version": r.version, "media_type": STIX}
        for r in rows
    ]
    return _listed("objects", told, rows, more)


def versions(rows: Sequence[Row[Any]], more: str | None) -> Response:
    """The versions of one object."""
    return _listed("versions", [r.version for r in rows], rows, more)


def _listed(name: str, told: list[Any], rows: Sequence[Row[Any]], more: str | None) -> Response:
    body: dict[str, Any] = ({"more": True, "next": more} if more else {}) | ({name: told} if told else {})
    return _paged(json.dumps(body).encode(), rows)


def _paged(body: bytes, rows: Sequence[Row[Any]]) -> Response:
    headers = dict(_HEADERS)
    if rows:
        headers["x-taxii-date-added-first"] = written(rows[0].added_us)
        headers["x-taxii-date-added-last"] = written(rows[-1].added_us)
    return Response(body, 200, headers, TAXII)


def status(status_id: UUID, at_us: int, made: Iterable[Taken | Failed]) -> dict[str, Any]:
    """TAXII's status resource: every object, taken or not. Nothing is ever pending: what is told is on the disk."""
    rows = list(made)
    taken = [_detail(one.object_id, one.version, one.note) for one in rows if isinstance(one, Taken)]
    failed = [_detail(one.object_id, one.version, one.reason) for one in rows if isinstance(one, Failed)]
    told: dict[str, Any] = {
        "id": str(status_id), "status": "complete", "request_timestamp": written(at_us), "total_count": len(rows),
        "success_count": len(taken), "failure_count": len(failed), "pending_count": 0,
    }  # fmt: skip
    return told | ({"successes": taken} if taken else {}) | ({"failures": failed} if failed else {})


def _detail(name: str, version: str, message: str) -> dict[str, str]:
    told = {"id": name, "version": version} if version else {"id": name}
    return told | ({"message": message} if message else {})


__all__ = ["Denied", "collection", "denied", "envelope", "manifest", "resource", "status", "versions"]
