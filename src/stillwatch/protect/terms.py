"""The details of an action, read from its table in a rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stillwatch.protect.conditions import LEVELS
from stillwatch.protect.keys import CLAMPED, HARDENED
from stillwatch.records import Action, Terms

_PARTS = {"throttle": Action.THROTTLE, "verify": Action.VERIFY, "harden": Action.HARDEN, "mark": Action.MARK}
_MOST = 1_000_000
SHARED = ("account", "campaign", "org")
"""Whose requests a throttle counts together."""


class Problem(Exception):
    """What is wrong with a policy, and where: number of the rule (0 = the head) and key."""

    def __init__(self, message: str, rule: int = 0, key: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.rule, self.key, self.hint = rule, key, hint


def read_terms(
    table: Mapping[str, Any],
    action: Action,
    also: tuple[Action, ...],
    verify_url: Any,
    number: int,
    label: str,
) -> Terms:
    """The terms of a rule's actions; a table for an action that the rule does not take is refused."""
    for part, owner in _PARTS.items():
        if part in table and owner not in (action, *also):
            raise Problem(f"{label}{part} is set but the rule does not {owner.value}", number, part)
    given: dict[str, Any] = {}
    for part, owner in _PARTS.items():
        if owner in (action, *also):
            value = table.get(part, {})
            if not isinstance(value, dict):
                raise Problem(f"{label}{part} must be a table", number, part)
            given |= _READ[part](value, number, label)
    if action is Action.VERIFY:
        if not isinstance(verify_url, str) or not verify_url:
            raise Problem(f"{label}verify needs verify_url at the head of the policy", number, "action",
                          'for example verify_url = "https://example.com/verify?c={challenge}"')  # fmt: skip
        given["url"] = verify_url
    return Terms(**given)


def _only(value: Mapping[str, Any], names: tuple[str, ...], part: str, number: int, label: str) -> None:
    if extra := sorted(set(value) - set(names)):
        raise Problem(f"{label}{part}.{extra[0]}: no such key", number, part, f"known: {', '.join(names)}")


def _throttle(value: Mapping[str, Any], number: int, label: str) -> dict[str, Any]:
    _only(value, ("rate_per_min", "burst", "per"), "throttle", number, label)
    rate, burst = value.get("rate_per_min"), value.get("burst")
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 < rate <= _MOST:
        raise Problem(f"{label}throttle.rate_per_min must be a number above 0", number, "throttle")
    if isinstance(burst, bool) or not isinstance(burst, int) or not 1 <= burst <= _MOST:
        raise Problem(f"{label}throttle.burst must be a whole number from 1", number, "throttle")
    per = value.get("per", SHARED[0])
    if per not in SHARED:
        raise Problem(f"{label}throttle.per must be one of {', '.join(SHARED)}", number, "throttle")
    return {"rate_per_min": float(rate), "burst": burst, "per": per}


def _verify(value: Mapping[str, Any], number: int, label: str) -> dict[str, Any]:
    _only(value, ("level",), "verify", number, label)
    if value.get("level") not in LEVELS[1:]:
        raise Problem(f"{label}verify.level must be one of {', '.join(LEVELS[1:])}", number, "verify")
    return {"level": value["level"]}


def _harden(value: Mapping[str, Any], number: int, label: str) -> dict[str, Any]:
    _only(value, ("strip", "clamp"), "harden", number, label)
    clamp = value.get("clamp", {})
    if not isinstance(clamp, dict) or any(k not in CLAMPED for k in clamp):
        raise Problem(f"{label}harden.clamp takes {' and '.join(CLAMPED)} only", number, "harden")
    for name, most in clamp.items():
        if isinstance(most, bool) or not isinstance(most, int) or most < (1 if name == "n" else 0):
            raise Problem(f"{label}harden.clamp.{name} must be a whole number", number, "harden")
    strip = value.get("strip", [name for name in HARDENED if name not in clamp])
    if not isinstance(strip, list) or any(name not in HARDENED for name in strip):
        raise Problem(f"{label}harden.strip takes {', '.join(HARDENED)} only", number, "harden")
    if both := sorted(set(strip) & set(clamp)):
        raise Problem(f"{label}harden: {both[0]} is both stripped and clamped", number, "harden")
    if not strip and not clamp:
        raise Problem(f"{label}harden: nothing to strip or clamp", number, "harden")
    return {"strip": tuple(strip), "clamp": tuple(sorted(clamp.items()))}


def _mark(value: Mapping[str, Any], number: int, label: str) -> dict[str, Any]:
    _only(value, ("key",), "mark", number, label)
    key = value.get("key")
    if not isinstance(key, str) or not key.strip():
        raise Problem(
            f"{label}mark.key must name a key", number, "mark", 'key = "campaign" takes the campaign\'s own'
        )
    return {"key": key}


_READ = {"throttle": _throttle, "verify": _verify, "harden": _harden, "mark": _mark}
