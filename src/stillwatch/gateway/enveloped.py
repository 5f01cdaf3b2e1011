"""Issued reasoning blocks in envelopes: put round each block of an answer, taken off again where a client presents it.

So a replay by another account is seen with nothing remembered, and the model server gets its own blocks back. A block
that never was in an envelope passes as it is.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol

import orjson

from stillwatch.ingest.sealed import MARKERS, SEALED, take_sealed
from stillwatch.protect.envelope import is_wrapped
from stillwatch.records import Request
from stillwatch.wiring.gate_request import sealed_digests

BARE = "issued reasoning blocks could not be put in envelopes: the answer is compressed, too long, or damaged"
_MARKERS = tuple(marker.encode() for marker in MARKERS)
_NONE = frozenset({"embedding", "audio", "image"})


class Sealer(Protocol):
    """The part of `stillwatch.wiring.policy.Gate` that is needed here."""

    @property
    def wraps(self) -> bool:
        """Whether settings ask for envelopes."""

    def wrap(self, block: str, request: Request) -> str:
        """An issued block in its envelope."""

    def unwrap(self, blocks: list[str], request: Request) -> tuple[list[str | None], Request]:
        """Blocks as they were issued, and the request with what their envelopes say. Never raises."""


class Enveloped:
    """Puts every block of an answer to one request in an envelope: a `stillwatch.gateway.rewriting.Change`."""

    def __init__(self, sealer: Sealer, request: Request) -> None:
        self._sealer, self._request = sealer, request

    def worth(self, data: bytes) -> bool:
        """Most events hold no block."""
        return any(marker in data for marker in _MARKERS)

    def take(self, body: Any) -> bool:
        """Wrap the blocks of a parsed answer or event, in place; whether there was any."""
        places = list(_blocks(body))
        for holder, name in places:
            holder[name] = self._sealer.wrap(holder[name], self._request)
        return bool(places)

    def owed(self, body: Any) -> None:
        """Nothing."""


def enveloped(sealer: Sealer, request: Request) -> list[Enveloped]:
    """What has to be done to the answer; nothing for a request of nobody, since there is nobody to bind a block to."""
    wanted = sealer.wraps and request.account_id and request.operation not in _NONE
    return [Enveloped(sealer, request)] if wanted else []


def opened(body: Any, request: Request, sealer: Sealer) -> tuple[bool, Request]:
    """Take the blocks that a request presents out of their envelopes, in place.

    Whether there were any, and the request with what the envelopes say. One that cannot be opened stays as it came:
    whoever issued the block will not know it.
    """
    if not request.sealed_in or not sealer.wraps:
        return False, request
    try:
        places = [(holder, name) for holder, name in _blocks(body) if is_wrapped(holder[name])]
    except RecursionError:  # no way round a decision: what is nested so deeply keeps its envelopes
        places = []
    if not places:
        return False, request
    blocks, told = sealer.unwrap([holder[name] for holder, name in places], request)
    for (holder, name), block in zip(places, blocks, strict=True):
        if block is not None:
            holder[name] = block
    return True, replace(told, sealed_in=sealed_digests(body))


def _blocks(body: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Where a body holds blocks: where reading it for digests, as a scan does, puts a digest in place of a text."""
    shadow = _copy(body)
    issued = set(take_sealed(shadow))
    stack = [(body, shadow)] if issued else []
    while stack:
        here, there = stack.pop()
        if isinstance(here, list):
            stack.extend(zip(here, there, strict=True))
        elif isinstance(here, dict):
            for name, value in here.items():
                if isinstance(value, str):
                    if value != there[name] and there[name].removeprefix(SEALED) in issued:
                        yield here, name
                elif isinstance(value, (dict, list)):
                    stack.append((value, there[name]))


def _copy(body: Any) -> Any:
    try:
        return orjson.loads(orjson.dumps(body))
    except TypeError:  # huge numbers, lone surrogates, great depth
        return copy.deepcopy(body)
