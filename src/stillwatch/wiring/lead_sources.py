"""Whom we listen to and send to: TAXII collections, from a TOML file; tokens come from the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError
from stillwatch.wiring.evidence_case import read_toml

_KEYS = frozenset({"name", "root", "collection", "feedback", "token_env", "member", "reliability", "ca"})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HINT = "the page on TAXII shows such a file"


@dataclass(frozen=True, slots=True)
class LeadSource:
    """A collection of a server."""

    name: str
    root: str
    collection: str
    feedback: str
    """Collection into which answers go; the same one unless another is named."""
    token: str = field(repr=False)
    member: str
    reliability: float
    """How often its indicators were right, as we see it."""
    ca: str = ""
    """File of the authority of the server's certificate; empty: the system's authorities."""


def sources_from(path: Path, env: Mapping[str, str], *, tokens: bool = True) -> list[LeadSource]:
    """Every source of the file.

    Args:
        tokens: whether they are asked; whoever only looks for what they shared needs no token.

    Raises:
        ConfigError: a key or value is not one of these, or a token is not there; the place is said.
    """
    given = read_toml(path)
    rows = given.get("source", [])
    if set(given) - {"source"} or not isinstance(rows, list) or not rows:
        raise ConfigError(f"{path.name}: write [[source]], one for each collection", hint=_HINT)
    found = [_source(row, f"{path.name}: source {n}", env, tokens) for n, row in enumerate(rows, 1)]
    if len({s.name for s in found}) != len(found):
        raise ConfigError(
            f"{path.name}: two sources have one name", hint="names are kept with what they shared"
        )
    return found


def one_source(path: Path, name: str | None, env: Mapping[str, str]) -> LeadSource:
    """The source of a name; the only one when none is given."""
    found = sources_from(path, env)
    chosen = [s for s in found if name in (None, s.name)]
    if len(chosen) != 1:
        raise ConfigError(
            f"{path.name} has the sources {', '.join(s.name for s in found)}", hint="name one: --source"
        )
    return chosen[0]


def _source(row: Any, where: str, env: Mapping[str, str], tokens: bool) -> LeadSource:
    if not isinstance(row, dict) or set(row) - _KEYS:
        raise ConfigError(f"{where}: known are {', '.join(sorted(_KEYS))}", hint=_HINT)
    texts = {}
    for key in ("name", "root", "collection", "token_env"):
        if not isinstance(row.get(key), str) or not row[key].strip():
            raise ConfigError(f"{where}: {key} is needed", hint=_HINT)
        texts[key] = row[key].strip()
    if not _NAME.fullmatch(texts["name"]):
        raise ConfigError(f"{where}: name: letters, digits, `.`, `_` and `-`, at most 64", hint=_HINT)
    reliability = row.get("reliability")
    if not isinstance(reliability, int | float) or isinstance(reliability, bool) or not 0 < reliability < 1:
        raise ConfigError(
            f"{where}: reliability: state how often its indicators were right, between 0 and 1",
            hint="0.5 when you do not know it yet",
        )
    token = env.get(texts["token_env"], "")
    if tokens and not token:
        raise ConfigError(f"{where}: the environment has no {texts['token_env']}", hint="put the token there")
    member, feedback = row.get("member", ""), row.get("feedback", texts["collection"])
    ca = row.get("ca", "")
    if not all(isinstance(value, str) for value in (member, feedback, ca)):
        raise ConfigError(f"{where}: member, feedback and ca are texts", hint=_HINT)
    return LeadSource(
        texts["name"], texts["root"], texts["collection"], feedback, token, member, float(reliability), ca
    )


__all__ = ["LeadSource", "one_source", "sources_from"]
