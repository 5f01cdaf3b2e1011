"""What each key of a scenario file may hold. Every file is checked as it stands, so that an error names it.

Bounds are design choices: wide enough for every campaign that was reported, narrow enough that a slip of the
finger is a message and not a night of computing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any

from stillwatch.errors import ConfigError

SPLITS = ("develop", "validate", "sealed")
"""``develop``: look and tune; ``validate``: choose between finished settings; ``sealed``: report once."""
COMPLETIONS = ("short", "none")
"""Answers of a few sentences, or token counts alone."""
HEADERS = ("fixed", "passed")
"""Whose platform a relay's client shows: its own, or its customers'."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a value may be, as a test and in words."""

    fits: Callable[[Any], bool]
    words: str


def _whole(low: int, high: int) -> Rule:
    return Rule(
        lambda v: isinstance(v, int) and not isinstance(v, bool) and low <= v <= high,
        f"a whole number from {low} to {high}",
    )


def _number(low: float, high: float, *, above: bool = False) -> Rule:
    def fits(value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            return False
        return low < value <= high if above else low <= value <= high

    return Rule(fits, f"a number {'above' if above else 'from'} {low:g} {'up ' if above else ''}to {high:g}")


def _choice(of: Mapping[str, Any] | tuple[str, ...]) -> Rule:
    return Rule(lambda v: isinstance(v, str) and v in of, f"one of {', '.join(sorted(of))}")


def _pair(high: int) -> Rule:
    one = _whole(1, high)
    return Rule(
        lambda v: isinstance(v, list | tuple) and len(v) == 2 and all(map(one.fits, v)) and v[0] <= v[1],
        f"[least, most], whole numbers from 1 to {high}",
    )


_SHARE = _number(0, 1)
_FLAG = Rule(lambda v: isinstance(v, bool), "true or false")
_TEXT = Rule(lambda v: isinstance(v, str), "text")
_NAME = Rule(lambda v: isinstance(v, str) and v.isprintable() and 0 < len(v) <= 200, "a line of text")
_DAY = Rule(
    lambda v: isinstance(v, date) and not isinstance(v, datetime) and 2000 <= v.year <= 2200,
    "a date between 2000 and 2200, as in 2026-03-02",
)
_NUMBERS = Rule(
    lambda v: isinstance(v, dict) and all(_number(-1e9, 1e9).fits(x) for x in v.values()),
    "a table of numbers",
)

SCENARIO: Mapping[str, Rule] = {
    "name": _NAME,
    "description": _TEXT,
    "version": _whole(1, 1_000_000),
    "split": _choice(SPLITS),
    "start": _DAY,
    "days": _whole(1, 3660),
    "completions": _choice(COMPLETIONS),
    "release_share": _SHARE,
}
"""Keys that stand alone."""

ORDINARY: Mapping[str, Rule] = {
    "accounts": _whole(0, 100_000_000),
    "exchanges_per_day": _number(0, 100_000, above=True),
    "volume_sigma": _number(0, 5),
    "chat_share": _SHARE,
    "sentences": _number(0, 40, above=True),
    "multi_turn": _number(0, 10),
}
"""Keys of ``[ordinary]``."""

LOOK_ALIKE: Mapping[str, Rule] = {
    "n_orgs": _whole(0, 1_000_000),
    "accounts": _pair(1_000_000),
    "exchanges": _pair(10_000_000),
}
"""Keys of ``[honest.CLASS]`` and ``[every_honest]``."""

_TABLES = ("ordinary", "honest", "campaigns", "every_honest", "every_campaign")


def campaign_rules() -> Mapping[str, Rule]:
    """Keys of ``[[campaigns]]`` and ``[every_campaign]``; dials and imitations have bounds of their own."""
    from stillwatch.lab.attackers import LEVELS, VARIANTS
    from stillwatch.lab.attackers.check import KINDS

    families = _choice(VARIANTS)
    return {
        "variant": families,
        "accounts": _whole(1, 10_000_000),
        "exchanges_per_account": _number(0, 10_000_000, above=True),
        "level": _whole(0, len(LEVELS) - 1),
        "kind": _choice(KINDS),
        "extraction_share": _SHARE,
        "repeats": _whole(1, 1000),
        "sealed_replay": _FLAG,
        "templates": _whole(1, 500),
        "ban_share": _SHARE,
        "start_share": Rule(lambda v: _SHARE.fits(v) and v < 1, "a number from 0 to below 1"),
        "stealth": _FLAG,
        "dials": _NUMBERS,
        "also": Rule(
            lambda v: isinstance(v, list | tuple) and all(map(families.fits, v)),
            f"a list; each {families.words}",
        ),
        "headers": _choice(HEADERS),
        "ban_waves": _whole(0, 1000),
        "victims": _whole(0, 1_000_000),
        "imitation": _NUMBERS,
    }


def check_table(table: Mapping[str, Any], where: str) -> None:
    """Say which key of a scenario file cannot be used, and what may stand there.

    Args
    ----
    table: the file's own words, includes left out; keys may be missing, another file may have them.
    where: the file's name, for the error.

    Raises
    ------
    ConfigError
        An unknown key, class or value.
    """
    from stillwatch.lab.honest import CLASSES

    plain = {k: v for k, v in table.items() if k not in _TABLES}
    _check(plain, SCENARIO, where, "", also=_TABLES)
    _check(_sub(table, "ordinary", where), ORDINARY, where, "ordinary.")
    _check(_sub(table, "every_honest", where), LOOK_ALIKE, where, "every_honest.")
    honest = _sub(table, "honest", where)
    for name in honest:
        if name not in CLASSES:
            raise _unknown(where, f"honest.{name}", name, CLASSES)
        _check(_sub(honest, name, where, "honest."), LOOK_ALIKE, where, f"honest.{name}.")
    rules = campaign_rules()
    _check(_sub(table, "every_campaign", where), rules, where, "every_campaign.")
    campaigns = table.get("campaigns", [])
    if not isinstance(campaigns, list) or not all(isinstance(c, dict) for c in campaigns):
        raise ConfigError(f"{where}: campaigns is no list of tables", hint="write [[campaigns]] above each")
    for number, campaign in enumerate(campaigns):
        _check(campaign, rules, where, f"campaigns[{number}].")


def _sub(table: Mapping[str, Any], name: str, where: str, prefix: str = "") -> Mapping[str, Any]:
    value = table.get(name, {})
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: {prefix}{name} is {value!r}", hint=f"a table: [{prefix}{name}]")
    return value


def _check(
    table: Mapping[str, Any], rules: Mapping[str, Rule], where: str, prefix: str, also: tuple[str, ...] = ()
) -> None:
    for key, value in table.items():
        if key not in rules:
            raise _unknown(where, f"{prefix}{key}", key, [*rules, *also])
        if not rules[key].fits(value):
            raise ConfigError(f"{where}: {prefix}{key} is {value!r}", hint=f"allowed: {rules[key].words}")


def _unknown(where: str, full: str, key: str, known: Any) -> ConfigError:
    near = get_close_matches(key, list(known), 1)
    meant = f"did you mean {near[0]}? " if near else ""
    return ConfigError(f"{where}: unknown key {full}", hint=f"{meant}known: {', '.join(sorted(known))}")


__all__ = ["COMPLETIONS", "HEADERS", "SPLITS", "Rule", "campaign_rules", "check_table"]
