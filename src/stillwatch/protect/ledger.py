"""Decisions as lines of a log, and back: enough to decide again, and never a word of a prompt.

Examples
--------
>>> from datetime import UTC, datetime
>>> from stillwatch.protect.decide import fault
>>> from stillwatch.records import Facts, Request
>>> facts = Facts(Request("r-1", "acct-1", "m", prompt="a secret"))
>>> line = entry(fault(facts.request, datetime(2026, 1, 1, tzinfo=UTC), closed=False, policy=None), facts)
>>> b"a secret" in line, facts_of(orjson.loads(line)) == facts
(False, True)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson

from stillwatch.records import Decision, Facts, Request, SignalHit, Standing

_REQUEST = tuple(name for name in Request.__slots__ if name != "prompt")
_STANDING = tuple(Standing.__slots__)
_DECISION = tuple(Decision.__slots__)
_TUPLES = ("logit_bias", "sealed_in", "sealed_differing")
_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS
MOST_ITEMS = 256
"""Items of a list that a customer sent which are kept."""


def entry(decision: Decision, facts: Facts, off: Iterable[str] = ()) -> bytes:
    """One line: the decision, the facts that it rests on, the rules that were switched off."""
    request = {name: getattr(facts.request, name) for name in _REQUEST}
    for name in _TUPLES:
        items = request[name]
        request[name] = items[:MOST_ITEMS] if isinstance(items, (tuple, list)) else ()
    whole = {
        "decision": {name: getattr(decision, name) for name in _DECISION},
        "request": request,
        "standing": {name: getattr(facts.standing, name) for name in _STANDING},
        "grant": facts.grant,
        "signals": facts.signals,
        "off": sorted(off),
    }
    try:
        return orjson.dumps(whole, _kind, _OPTIONS)
    except TypeError:  # a lone surrogate in a customer's own words: escaped, so that nothing is lost
        return orjson.dumps(_plain(whole), _kind, _OPTIONS)


def facts_of(line: Mapping[str, Any]) -> Facts:
    """The facts of a line that was read back."""
    request = dict(line["request"])
    for name in _TUPLES:
        request[name] = tuple(request[name])
    standing = dict(line["standing"])
    standing["families"] = tuple(standing["families"])
    signals = tuple(SignalHit(**hit) for hit in line["signals"])
    return Facts(Request(**request), Standing(**standing), line["grant"], signals)


def moment_of(line: Mapping[str, Any]) -> datetime:
    """When it was decided."""
    return datetime.fromisoformat(line["decision"]["at"])


def as_logged(decision: Decision) -> dict[str, Any]:
    """A decision in the form in which the log holds it, to compare with."""
    plain: dict[str, Any] = orjson.loads(
        orjson.dumps(_plain({name: getattr(decision, name) for name in _DECISION}), option=_OPTIONS)
    )
    return plain


def _kind(value: object) -> str:
    """In place of what a caller handed over by mistake: its kind, not its content."""
    return f"<{type(value).__name__}>"


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    return value
