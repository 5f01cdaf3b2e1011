"""What passes between the door and whoever keeps what came: a post in, `Taken` or `Denied` out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Post:
    """One request body."""

    path: str
    """As in ``/v1/traces``."""
    kind: str
    """``traces-proto``, ``traces-json``, ``logs-proto``, ``logs-json`` or ``litellm``."""
    encoding: str
    """``identity``, ``gzip`` or ``zstd``."""
    body: bytes = field(repr=False)
    """As it was sent; never shown."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The body was read and what it held is durable."""

    accepted: int
    """Exchanges kept."""
    skipped: int = 0
    """Records that are no model call."""
    refused: Mapping[str, int] = field(default_factory=dict)
    """Reason to number of records that could not be used; sending them again would not help."""


@dataclass(frozen=True, slots=True)
class Denied:
    """Nothing of the body counts."""

    status: int
    """HTTP status. 429 and 503 may be tried again, the others not."""
    message: str
    """What was wrong and what to do; never quotes the body."""


class Sink(Protocol):
    """Whoever keeps what came."""

    async def take(self, post: Post) -> Taken | Denied:
        """Keep a post; what it held is durable when this returns."""

    @property
    def alive(self) -> bool:
        """Whether it is at work at all."""

    @property
    def trouble(self) -> str | None:
        """Why nothing can be kept at present; None when all is well."""
