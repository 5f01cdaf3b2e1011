"""Detection rules for the gateways of language models, as Sigma: own log source, OpenTelemetry's GenAI names.

A rule is one TOML file in ``rules/`` and comes out as one YAML file, with a correlation as its second document where
something is counted. Rules look at one request, or count within one account or key: what needs statistics over accounts
is the work of a scan. Each names its honest doubles, and none is a verdict.

Examples
--------
>>> [r.level for r in rules() if r.key == "sealed_replay"]
['high']
>>> print(to_yaml(rule("sealed_replay")).splitlines()[0])
title: "Sealed reasoning of another account is presented"
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from stillwatch.errors import ConfigError

CATEGORY, PRODUCT = "llm_inference", "llm_gateway"
"""The log source: one event for each model call at a gateway; ``docs/practice.md`` lists its fields."""
DATE = "2026-11-29"
LEVELS = ("informational", "low", "medium", "high", "critical")
OPERATORS = {"event_count", "value_count"}
_ORDER = (
    "sealed_replay", "envelope_changed", "logit_sweep", "logprob_bulk", "reasoning_template", "sample_bulk",
    "refusal_probing", "refusal_switch", "marking_fields", "key_many_addresses", "key_many_countries",
    "key_many_clients", "outside_grant", "undecided",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Counted:
    """What is counted over the events that a rule meets."""

    id: str
    type: str
    """``event_count``, or ``value_count`` of different values of ``field``."""
    group_by: tuple[str, ...]
    timespan: str
    at_least: int
    field: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One detection rule."""

    key: str
    id: str
    title: str
    level: str
    source: str
    """Who can fill its fields: ``exchanges``, ``decisions``, ``both``, or only a ``gateway`` of your own."""
    description: str
    looks_alike: tuple[str, ...]
    techniques: tuple[str, ...]
    """ATLAS ids."""
    detection: dict[str, Any]
    counted: Counted | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields of an event that it reads."""
        parts = [part for name, part in self.detection.items() if name != "condition"]
        named = [name.partition("|")[0] for part in parts for name in part]
        more = [*self.counted.group_by, self.counted.field] if self.counted else []
        return tuple(dict.fromkeys(name for name in (*named, *more) if name))


def rules() -> tuple[Rule, ...]:
    """Every rule of the pack."""
    return tuple(map(rule, _ORDER))


@cache
def rule(key: str) -> Rule:
    """One rule.

    Raises
    ------
    ConfigError
        None has this name.
    """
    if key not in _ORDER:
        raise ConfigError(f"no rule {key!r} ships", hint="`stillwatch sigma list` shows them")
    data = tomllib.loads(files("stillwatch.practice").joinpath(f"rules/{key}.toml").read_text("utf-8"))
    told: dict[str, Any] | None = data.pop("correlation", None)
    counted = Counted(**told | {"group_by": tuple(told["group_by"])}) if told else None
    lists = {name: tuple(data.pop(name)) for name in ("looks_alike", "techniques")}
    data["description"] = " ".join(data["description"].split())
    return Rule(
        key=key, counted=counted, looks_alike=lists["looks_alike"], techniques=lists["techniques"], **data
    )


def to_yaml(one: Rule) -> str:
    """The rule as Sigma: one document, or the rule and what is counted over it.

    A rule that is only counted over raises no alarm by itself: its level is informational.
    """
    about = {
        "status": "experimental", "description": one.description, "author": "stillwatch",
        "date": DATE, "tags": [f"atlas.{id.lower()}" for id in one.techniques],
    }  # fmt: skip
    base: dict[str, Any] = {
        "title": one.title if one.counted is None else f"{one.title}: one event",
        "id": one.id, "name": one.key, **about,
        "logsource": {"category": CATEGORY, "product": PRODUCT},
        "detection": one.detection, "falsepositives": list(one.looks_alike),
        "level": one.level if one.counted is None else "informational",
    }  # fmt: skip
    if one.counted is None:
        return _yaml(base)
    counted = one.counted
    condition: dict[str, Any] = {"gte": counted.at_least}
    if counted.field:
        condition["field"] = counted.field
    together = {"group-by": list(counted.group_by)} if counted.group_by else {}
    correlation = {
        "title": one.title, "id": counted.id, "name": f"{one.key}_count", **about,
        "correlation": {
            "type": counted.type, "rules": [one.key], **together,
            "timespan": counted.timespan, "condition": condition,
        },
        "falsepositives": list(one.looks_alike), "level": one.level,
    }  # fmt: skip
    return f"{_yaml(base)}---\n{_yaml(correlation)}"


def _yaml(value: dict[str, Any], indent: str = "") -> str:
    """A mapping in block style; every text is quoted as JSON quotes it, which YAML reads alike."""
    lines = []
    for key, inner in value.items():
        name = key if key.replace("_", "").replace("-", "").isalnum() else json.dumps(key)
        if isinstance(inner, dict):
            lines += [f"{indent}{name}:\n", _yaml(inner, indent + "  ")]
        elif isinstance(inner, list):
            lines.append(f"{indent}{name}:\n")
            lines += [f"{indent}  - {json.dumps(item)}\n" for item in inner]
        else:
            lines.append(f"{indent}{name}: {json.dumps(inner)}\n")
    return "".join(lines)


__all__ = ["CATEGORY", "LEVELS", "OPERATORS", "PRODUCT", "Counted", "Rule", "rule", "rules", "to_yaml"]
