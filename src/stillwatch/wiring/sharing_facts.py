"""What people add to a campaign before it is shared, from a TOML file."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from stillwatch.errors import ConfigError
from stillwatch.records.sharing import Facts, Observable, Sender

_KEYS = (
    "sender", "summary", "techniques", "mitigations", "model_families", "access_channels", "indicator", "legal_basis",
    "attribution", "private",
)  # fmt: skip
_LISTS = ("techniques", "mitigations", "model_families", "access_channels", "private")
_IDENTITY = re.compile(r"identity--[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_HINT = "the page on sharing shows such a file"


def facts_from(given: Mapping[str, Any], *, where: str, with_actors: bool) -> tuple[Facts, list[str]]:
    """The facts, and the strings that a person says must not leave.

    Args:
        with_actors: Whether the attribution is read; a product on tactics leaves it where it is.

    Raises:
        ConfigError: a key or value is not one of these; the place is said.
    """
    for key in given:
        if key not in _KEYS:
            raise ConfigError(f"{where}: {key}: no such key", hint=f"known are {', '.join(_KEYS)}")
    lists = {key: _list(given.get(key, []), f"{where}: {key}") for key in _LISTS}
    attribution = given.get("attribution") if with_actors else None
    if attribution is not None:
        from stillwatch.evidence.attribution import checked

        attribution = checked(_table(attribution, f"{where}: attribution"))
    private = lists.pop("private")
    rows = given.get("indicator", [])
    if not isinstance(rows, list):
        raise ConfigError(f"{where}: indicator: write it as [[indicator]]", hint=_HINT)
    facts = Facts(
        sender=_sender(_table(given.get("sender", {}), f"{where}: sender"), where),
        summary=_text(given.get("summary", ""), f"{where}: summary"),
        observables=tuple(_observable(row, f"{where}: indicator {n}") for n, row in enumerate(rows, 1)),
        legal_basis=_text(given.get("legal_basis", ""), f"{where}: legal_basis"),
        attribution=attribution, **{key: tuple(values) for key, values in lists.items()},
    )  # fmt: skip
    return facts, private


def _sender(given: Mapping[str, Any], where: str) -> Sender:
    for key in given:
        if key not in ("name", "identity", "appeal_url"):
            raise ConfigError(
                f"{where}: sender.{key}: no such key", hint="known are name, identity, appeal_url"
            )
    name = _text(given.get("name", ""), f"{where}: sender.name")
    if not name.strip():
        raise ConfigError(
            f"{where}: sender.name: say who shares", hint="the name by which the audience knows you"
        )
    identity = _text(given.get("identity", ""), f"{where}: sender.identity")
    if not _IDENTITY.fullmatch(identity):
        raise ConfigError(
            f"{where}: sender.identity: a STIX identity with a random UUID",
            hint=f'a fresh one, to be kept for ever: identity = "identity--{uuid.uuid4()}"',
        )
    url = _text(given.get("appeal_url", ""), f"{where}: sender.appeal_url")
    if not re.fullmatch(r"https://[a-z0-9.-]+(?:/[\w./-]*)?", url):
        raise ConfigError(
            f"{where}: sender.appeal_url: an https address without a query",
            hint="where affected customers object",
        )
    return Sender(name.strip(), identity, url)


def _observable(row: Any, where: str) -> Observable:
    given = _table(row, where)
    known = ("kind", "value", "ground", "valid_until")
    for key in given:
        if key not in known:
            raise ConfigError(f"{where}: {key}: no such key", hint=f"known are {', '.join(known)}")
    for key in known:
        if key not in given:
            raise ConfigError(f"{where}: {key} is missing", hint=_HINT)
    until = given["valid_until"]
    if not isinstance(until, datetime) or until.tzinfo is None:
        raise ConfigError(
            f"{where}: valid_until: give a time with its zone", hint="for example 2027-01-10T00:00:00Z"
        )
    texts = [_text(given[key], f"{where}: {key}") for key in ("kind", "value", "ground")]
    if not texts[2].strip():
        raise ConfigError(f"{where}: ground: say why it belongs to the campaign", hint=_HINT)
    return Observable(texts[0], texts[1], texts[2], until.astimezone(UTC))


def _list(value: Any, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise ConfigError(f"{where}: give a list of texts", hint=_HINT)
    return value


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: give a table", hint=_HINT)
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{where}: give a text", hint=_HINT)
    return value
