"""A policy: one TOML file, read whole or refused with file, line and rule.

Examples
--------
>>> text = '''
... policy = "demo"
... version = "1"
... appeal = "https://example.com/appeal"
... [[rule]]
... id = "act"
... when = { hint = ["act"] }
... action = "deni"
... reason = "campaign_member"
... '''
>>> parse_policy(text, where="policy.toml")
Traceback (most recent call last):
...
stillwatch.errors.SourceError: policy.toml:8: rule act: action: "deni" is none of observe, throttle, verify,
summarise, harden, mark, hold, deny
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stillwatch.errors import SourceError
from stillwatch.protect.conditions import BY_NAME, Condition, is_basis
from stillwatch.protect.index import Index
from stillwatch.protect.keys import CAMPAIGN_KEY, FILE_KEYS, RULE_KEYS
from stillwatch.protect.lines import places
from stillwatch.protect.rule import Rule
from stillwatch.protect.signals import PROMPT_SIGNALS, SIGNALS
from stillwatch.protect.terms import Problem, read_terms
from stillwatch.records import GIVEN_BY_RULES, Action, Mode, Reason

HINT = "`stillwatch policy show` prints a policy that loads; docs/policy.md lists every key"
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_SPAN = re.compile(r"(\d{1,6})(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_ALSO = (Action.SUMMARISE, Action.HARDEN, Action.MARK)
_LONGEST_SENTENCE = 500
_NEEDED_FILE = ("policy", "version", "appeal")
_NEEDED_RULE = ("id", "when", "action", "reason")


@dataclass(frozen=True)
class Policy:
    """A policy that loaded."""

    name: str
    version: str
    digest: str
    """SHA-256 of the text, 64 hexadecimal digits."""
    text: str = field(repr=False)
    rules: tuple[Rule, ...] = ()
    appeal: str = ""
    expires_s: float = 86400.0
    mode: Mode = Mode.SHADOW
    notices: tuple[str, ...] = ()
    """What the operator must be told whenever it is loaded: covert rules, rules that nothing can reach."""
    index: Index = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", Index(self.rules))

    @property
    def signals(self) -> frozenset[str]:
        """Live signals that some rule asks for; no other is computed."""
        return frozenset(s for rule in self.rules for name, wanted in rule.when if name == "signals"
                         for s in (wanted if isinstance(wanted, tuple) else ()))  # fmt: skip


def parse_policy(text: str, *, where: str) -> Policy:
    """A policy from the text of its file.

    Parameters
    ----------
    text
        TOML.
    where
        The file's name for errors.

    Raises
    ------
    SourceError
        It is not TOML, or a key, a value or a rule cannot be used; names the line and the rule.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        raise SourceError(
            f"{where}:{line[1] if line else 1}", f"not valid TOML: {error}", hint=HINT
        ) from error
    found = places(text)
    try:
        return _policy(data, text)
    except Problem as problem:
        at = found[problem.rule] if problem.rule < len(found) else {"": 1}
        line_no = at.get(problem.key) or at.get(problem.key.split(".")[0]) or at[""]
        raise SourceError(f"{where}:{line_no}", str(problem), hint=problem.hint or HINT) from None


def _policy(data: Mapping[str, Any], text: str) -> Policy:
    _known(data, [k.name for k in FILE_KEYS], 0, "")
    for name in _NEEDED_FILE:
        if name not in data:
            raise Problem(f"{name} is missing", key=name)
    head = {name: _text(data[name], name, 0, "") for name in _NEEDED_FILE}
    tables = data.get("rule", [])
    if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
        raise Problem("rule is not an array of tables", key="rule", hint="write [[rule]] before each rule")
    defaults = {
        "mode": data.get("mode", Mode.SHADOW.value), "canary_share": data.get("canary_share", 0.05),
        "expires": data.get("expires", "24h"), "appeal": head["appeal"], "verify_url": data.get("verify_url"),
    }  # fmt: skip
    mode = _choice(Mode, defaults["mode"], "mode", 0, "")
    _share(defaults["canary_share"], 0, "")
    expires_s = _span(defaults["expires"], 0, "")
    starts = [at[""] for at in places(text)[1:]]
    rules: list[Rule] = []
    for number, table in enumerate(tables, 1):
        rule = _rule(table, number, defaults, starts[number - 1] if number <= len(starts) else 0)
        if any(rule.id == other.id for other in rules):
            raise Problem(f"rule {rule.id}: the id is used twice", number, "id", "give every rule its own id")
        rules.append(rule)
    live = tuple(r for r, t in zip(rules, tables, strict=True) if not t.get("off", False))
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Policy(head["policy"], head["version"], digest, text, live, head["appeal"], expires_s, mode,
                  tuple(_notices(live)))  # fmt: skip


def _rule(table: Mapping[str, Any], number: int, defaults: Mapping[str, Any], line: int) -> Rule:
    given = table.get("id")
    name = given if isinstance(given, str) and _ID.fullmatch(given) else ""
    label = f"rule {name or number}: "
    if not name:
        raise Problem(f"{label}id must be lower-case letters, digits and `-`, at most 64", number, "id")
    _known(table, [k.name for k in RULE_KEYS], number, label)
    for key in _NEEDED_RULE:
        if key not in table:
            raise Problem(f"{label}{key} is missing", number, key)
    get = {**defaults, **table}
    action = _choice(Action, table["action"], "action", number, label)
    also = tuple(
        _choice(Action, a, "also", number, label) for a in _list(table.get("also", []), "also", number, label)
    )
    if wrong := [a.value for a in also if a not in _ALSO or a is action]:
        raise Problem(f"{label}also: {wrong[0]} cannot go with {action.value}", number, "also",
                      "only summarise, harden and mark go with another action")  # fmt: skip
    if also and action not in (Action.THROTTLE, Action.VERIFY, *_ALSO):
        raise Problem(f"{label}also: nothing goes with {action.value}", number, "also",
                      "make the first of them the action")  # fmt: skip
    when = _when(table["when"], number, label)
    reason = _choice(Reason, table["reason"], "reason", number, label, GIVEN_BY_RULES)
    _prompt_alone(when, action, also, number, label)
    sentence = _text(table.get("say", reason.sentence), "say", number, label)
    if len(sentence) > _LONGEST_SENTENCE or "\n" in sentence:
        raise Problem(f"{label}say: one line of at most {_LONGEST_SENTENCE} characters", number, "say")
    for flag in ("covert", "off"):
        if not isinstance(table.get(flag, False), bool):
            raise Problem(f"{label}{flag} must be true or false", number, flag)
    terms = read_terms(table, action, also, get["verify_url"], number, label)
    if terms.key == CAMPAIGN_KEY and not any(BY_NAME[n].group and is_basis(BY_NAME[n], v) for n, v in when):
        raise Problem(f'{label}mark: key = "campaign" needs a condition on the group', number, "mark",
                      'for example kind = ["campaign"]')  # fmt: skip
    return Rule(
        name, when, action, also, reason, sentence, _choice(Mode, get["mode"], "mode", number, label),
        _share(get["canary_share"], number, label), _span(get["expires"], number, label),
        _text(get["appeal"], "appeal", number, label), terms, table.get("covert", False), line,
    )  # fmt: skip


def _when(given: Any, number: int, label: str) -> tuple[tuple[str, object], ...]:
    if not isinstance(given, dict) or not given:
        raise Problem(
            f"{label}when: no condition", number, "when", "to match every request write everyone = true"
        )
    for name in given:
        if name not in BY_NAME:
            close = difflib.get_close_matches(name, BY_NAME, n=1)
            raise Problem(f"{label}when: {name}: no such condition", number, f"when.{name}",
                          f"did you mean {close[0]}?" if close else "")  # fmt: skip
    when = tuple((name, _wanted(BY_NAME[name], value, number, label)) for name, value in given.items())
    if "score_at_least" in given and "signals" not in given:
        raise Problem(f"{label}when: score_at_least: of which signals?", number, "when.score_at_least",
                      "add signals = [...]")  # fmt: skip
    return when


def _wanted(condition: Condition, value: Any, number: int, label: str) -> object:
    key, place = condition.name, f"when.{condition.name}"
    if condition.shape == "flag":
        if value is not True:
            raise Problem(f"{label}{place}: only true", number, place)
        return True
    if condition.shape in ("at_least", "at_most"):
        low, high = condition.limits
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            bound = f"from {low:g} to {high:g}" if high != float("inf") else f"from {low:g}"
            raise Problem(f"{label}{place}: a number {bound}", number, place)
        return value
    items = tuple(_text(item, place, number, label) for item in _list(value, place, number, label))
    if not items:
        raise Problem(
            f"{label}{place}: an empty list matches nothing", number, place, "leave the condition out"
        )
    choices = tuple(SIGNALS) if key == "signals" else condition.choices
    for item in items:
        if choices and item not in choices:
            raise Problem(
                f"{label}{place}: {json.dumps(item)} is none of {', '.join(choices)}", number, place
            )
    return items


def _prompt_alone(
    when: tuple[tuple[str, object], ...], action: Action, also: tuple[Action, ...], number: int, label: str
) -> None:
    """Words convict nobody: a rule that a prompt signal can match needs a basis before it may do anything."""
    wanted = dict(when).get("signals")
    asked = [s for s in wanted if s in PROMPT_SIGNALS] if isinstance(wanted, tuple) else []
    if asked and (action is not Action.OBSERVE or also) and not any(is_basis(BY_NAME[n], v) for n, v in when):
        raise Problem(
            f"{label}{asked[0]} on its own never does more than observe", number, "action",
            'add evidence, for example hint = ["review", "act"], or use action = "observe"',
        )  # fmt: skip


def _notices(rules: tuple[Rule, ...]) -> list[str]:
    out = [
        f"rule {rule.id} (line {rule.line}) is covert: customers are not told of its {rule.action.value}"
        for rule in rules if rule.covert
    ]  # fmt: skip
    for place, rule in enumerate(rules):
        if dict(rule.when) != {"everyone": True}:
            continue
        if rule.action in (Action.DENY, Action.HOLD):
            out.append(f"rule {rule.id} (line {rule.line}) matches every request and does not serve it")
        if rule.mode is Mode.ENFORCE:
            out += [f"rule {late.id} (line {late.line}) is never reached: {rule.id} matches every request"
                    for late in rules[place + 1 :]]  # fmt: skip
            break
    return out


def _known(table: Mapping[str, Any], names: list[str], number: int, label: str) -> None:
    for name in table:
        if name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {close[0]}?" if close else ""
            raise Problem(f"{label}{name}: no such key", number, name, hint)


def _text(value: Any, key: str, number: int, label: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Problem(f"{label}{key} must be text that is not empty", number, key)
    return value


def _list(value: Any, key: str, number: int, label: str) -> list[Any]:
    if not isinstance(value, list):
        raise Problem(f"{label}{key} must be a list", number, key, "put it in square brackets")
    return value


def _share(value: Any, number: int, label: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 <= value <= 1.0:
        raise Problem(f"{label}canary_share must be a number from 0 to 1", number, "canary_share")
    return float(value)


def _span(value: Any, number: int, label: str) -> float:
    found = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if not found or int(found[1]) == 0:
        raise Problem(f'{label}expires must be a span such as "30m", "24h" or "7d"', number, "expires")
    return float(int(found[1]) * _SECONDS[found[2]])


def _choice(kind: Any, value: Any, key: str, number: int, label: str, among: tuple[Any, ...] = ()) -> Any:
    words = [str(word.value) for word in (among or tuple(kind))]
    if not isinstance(value, str) or value not in words:
        close = difflib.get_close_matches(str(value), words, n=1)
        raise Problem(
            f"{label}{key}: {json.dumps(value, default=str)} is none of {', '.join(words)}", number, key,
            f"did you mean {close[0]}?" if close else "",
        )  # fmt: skip
    return kind(value)
