"""Column types that say the same on SQLite and PostgreSQL.

Text that comes from outside may hold a zero byte or a lone surrogate, which PostgreSQL refuses; :class:`Outside` keeps
it by an escape that can be taken back, so that no account is lost and no two are confused.

Examples
--------
>>> kept = escaped("a" + chr(0) + "b" + chr(92))
>>> chr(0) in kept, unescaped(kept) == "a" + chr(0) + "b" + chr(92)
(False, True)
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

_RISKY = re.compile(r"[\x00\\\ud800-\udfff]")
_WRITTEN = re.compile(r"\\u([0-9a-f]{4})")


def escaped(text: str) -> str:
    """Text without zero bytes and lone surrogates; two texts never become one."""
    return _RISKY.sub(lambda m: f"\\u{ord(m[0]):04x}", text)


def unescaped(text: str) -> str:
    """The text behind it."""
    return _WRITTEN.sub(lambda m: chr(int(m[1], 16)), text) if "\\" in text else text


class Outside(TypeDecorator[str]):
    """Text that came from outside."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Escape on the way in."""
        return None if value is None else escaped(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Take the escape back."""
        return None if value is None else unescaped(value)


class Moment(TypeDecorator[datetime]):
    """A time with its zone; UTC in, UTC out."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """UTC; SQLite keeps it without the zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        moved = value.astimezone(UTC)
        return moved.replace(tzinfo=None) if dialect.name == "sqlite" else moved

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """UTC again."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
