"""Withholding fields so that they can be opened later, one by one, and nothing else can be put in their place.

What is withheld is replaced by a mark, and the package keeps an HMAC of the field's place and value under a random
salt of 32 bytes. Without the salt every value is as likely as any other: trying all addresses of the internet says
nothing. With it there is one value only. Salts and values stay with the keeper, in a file of their own.

Limits: equal values get different commitments, so that what is withheld cannot be counted or joined; how many
fields were withheld is seen.

References: RFC 2104; a salt has a fixed length, since HMAC pads shorter keys with zeros.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from stillwatch.errors import ConfigError
from stillwatch.evidence.canonical import canonical, plain

SALT_BYTES = 32


@dataclass(frozen=True, slots=True)
class Opening:
    """A withheld value with the salt that opens its commitment. Secret until it is opened."""

    where: str
    """File and JSON pointer."""
    salt: str
    value: str
    """Canonical JSON."""

    @property
    def commitment(self) -> str:
        """What the package holds in place of the value."""
        return commitment(bytes.fromhex(self.salt), self.where, self.value)


def commitment(salt: bytes, where: str, value: str) -> str:
    """HMAC-SHA256 of a place and its value under a salt of 32 bytes.

    >>> len(commitment(bytes(32), "a.json#/x", "1"))
    64
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes")
    return hmac.new(salt, where.encode() + b"\0" + value.encode(), hashlib.sha256).hexdigest()


def withhold(
    document: Any, name: str, fields: Collection[str], random: Callable[[int], bytes]
) -> tuple[Any, list[Opening]]:
    """A document without the named fields, and what opens them.

    Args:
        document: JSON. name: its path in the package. fields: names of fields, wherever they stand. random: source of
        salts, ``os.urandom``.
    """
    openings: list[Opening] = []

    def go(value: Any, where: str) -> Any:
        if isinstance(value, dict):
            return {key: one(key, inner, f"{where}/{_escaped(key)}") for key, inner in sorted(value.items())}
        if isinstance(value, list):
            return [go(inner, f"{where}/{i}") for i, inner in enumerate(value)]
        return value

    def one(key: str, value: Any, where: str) -> Any:
        if key not in fields or value is None:
            return go(value, where)
        opening = Opening(f"{name}#{where}", random(SALT_BYTES).hex(), canonical(value).decode())
        openings.append(opening)
        return {"withheld": opening.commitment[:16]}

    return go(plain(document), ""), openings


def chosen(openings: Iterable[Opening], patterns: Collection[str]) -> list[Opening]:
    """The openings whose place is, or lies under, one of the patterns; ``*`` stands for one step.

    Raises:
        ConfigError: a pattern fits nothing.
    """
    rows = list(openings)
    found: dict[str, Opening] = {}
    for pattern in patterns:
        hits = [row for row in rows if _fits(pattern.split("/"), row.where.split("/"))]
        if not hits:
            raise ConfigError(
                f"nothing that was withheld lies at {pattern!r}",
                hint="the openings file lists the places: where",
            )
        found |= {row.where: row for row in hits}
    return list(found.values())


def _fits(pattern: list[str], where: list[str]) -> bool:
    return len(pattern) <= len(where) and all(p in ("*", w) for p, w in zip(pattern, where, strict=False))


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
