"""What a client asks for: filters, and where the last page ended.

The cursor (``next``) says after which moment of adding the next page begins. It is bound to whoever asks, to the
collection and to the filters, so that a cursor of another question is refused and not answered wrongly. It grants
nothing: what may be read is asked anew for every page.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass

from stillwatch.share.taxii import moments

MOST_MATCHES = 100
_LIMIT = re.compile(r"[0-9]{1,9}")
_MATCH = re.compile(r"match\[([a-z_]{1,32})\]")
_FIELDS = frozenset({"id", "type", "version", "spec_version"})
_ONCE = frozenset({"added_after", "limit", "next"})


class BadQuery(ValueError):
    """Something in the address cannot be used; the message may be shown."""


@dataclass(frozen=True, slots=True)
class Query:
    """Which objects, after what, and how many."""

    after_us: int = -1
    limit: int = 0
    ids: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    versions: tuple[str, ...] = ("last",)
    """``first``, ``last``, ``all`` or times."""
    spec_versions: tuple[str, ...] = ()

    @property
    def version_times(self) -> tuple[int, ...]:
        """Exact versions that are asked for, in nanoseconds."""
        return tuple(moments.version(v) for v in self.versions if v not in ("first", "last", "all"))

    @property
    def empty(self) -> bool:
        """Whether no object here can fit: all are of STIX 2.1."""
        return bool(self.spec_versions) and "2.1" not in self.spec_versions


def read(
    pairs: Iterable[tuple[str, str]], *, page: int, key: bytes, whose: str,
    fields: frozenset[str] = _FIELDS, versions: tuple[str, ...] = ("last",),
) -> Query:  # fmt: skip
    """The question in an address.

    Args:
        pairs: names and values, as they stand in the address.
        page: most objects on a page.
        key: key of cursors.
        whose: who asks what; a cursor for another is refused.
        fields: names that may be matched here.
        versions: which versions are meant when nothing is said.

    Raises:
        BadQuery: something cannot be used.

    >>> read([("limit", "7"), ("match[type]", "campaign,indicator")], page=100, key=b"k", whose="w").types
    ('campaign', 'indicator')
    >>> read([("limit", "-1")], page=100, key=b"k", whose="w")
    Traceback (most recent call last):
    ...
    stillwatch.share.taxii.query.BadQuery: limit is a whole number from 1
    """
    once: dict[str, str] = {}
    matched: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        field = _MATCH.fullmatch(name)
        if name in _ONCE:
            if name in once:
                raise BadQuery(f"{name} stands twice")
            once[name] = value
        elif field is not None:
            if field[1] not in fields:
                raise BadQuery("a match on a field that is not matched here")
            matched[field[1]] = (*matched.get(field[1], ()), *_listed(value))
    if any(len(values) > MOST_MATCHES for values in matched.values()):
        raise BadQuery(f"more than {MOST_MATCHES} values in one match")
    chosen = matched.get("version", ()) or versions
    made = Query(
        limit=_limit(once.get("limit"), page), ids=matched.get("id", ()), types=matched.get("type", ()),
        versions=chosen, spec_versions=matched.get("spec_version", ()),
    )  # fmt: skip
    try:
        made.version_times  # noqa: B018  looked at to see that they are times
        after = moments.microseconds(once["added_after"]) if "added_after" in once else -1
    except ValueError as error:
        raise BadQuery(f"added_after, or a version: {error}") from None
    cursor = opened(once["next"], key, whose, made) if once.get("next") else -1
    return Query(max(after, cursor), made.limit, made.ids, made.types, made.versions, made.spec_versions)


def sealed(after_us: int, key: bytes, whose: str, query: Query) -> str:
    """The cursor behind which the next page begins."""
    return base64.urlsafe_b64encode(after_us.to_bytes(8, "big") + _mac(after_us, key, whose, query)).decode()


def opened(cursor: str, key: bytes, whose: str, query: Query) -> int:
    """Where a cursor points; a cursor that was not made for this question is refused."""
    try:
        raw = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
    except ValueError:
        raw = b""
    after = int.from_bytes(raw[:8], "big")
    if len(raw) != 24 or not hmac.compare_digest(raw[8:], _mac(after, key, whose, query)):
        raise BadQuery("next is not a cursor of this question: begin again without it")
    return after


def _mac(after_us: int, key: bytes, whose: str, query: Query) -> bytes:
    asked = repr((after_us, whose, query.ids, query.types, query.versions, query.spec_versions))
    return hmac.new(key, asked.encode(), hashlib.sha256).digest()[:16]


def _listed(value: str) -> tuple[str, ...]:
    found = tuple(part.strip() for part in value.split(","))
    if not all(found):
        raise BadQuery("an empty value in a match")
    return found


def _limit(text: str | None, page: int) -> int:
    if text is None:
        return page
    if not _LIMIT.fullmatch(text) or int(text) < 1:
        raise BadQuery("limit is a whole number from 1")
    return min(int(text), page)


__all__ = ["BadQuery", "Query", "opened", "read", "sealed"]
