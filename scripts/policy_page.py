"""The reference of ``docs/policy.md``: conditions, actions, reasons, signals and keys, from the code."""

from __future__ import annotations

from stillwatch.gateway.abilities import CARRIED, DOORS
from stillwatch.protect.conditions import CONDITIONS, Condition
from stillwatch.protect.harden import FIELDS
from stillwatch.protect.keys import FILE_KEYS, RULE_KEYS, Key
from stillwatch.protect.signals import SIGNALS
from stillwatch.records import SERVED, Action, Mode, Reason

_SHAPES = {
    "choice": "list, any of", "text": "list, any of", "pattern": "list, any of", "every": "list, all of",
    "at_least": "number", "at_most": "number", "flag": "`true`",
}  # fmt: skip


_CARRIED = (
    "What a gateway cannot carry out by itself it counts (`..._unapplied_total`), and names it in headers to the server"
    " behind where it can. No gateway sees inside WebSockets, batches and uploaded files: these are decided by account."
)


def _rows(*rows: tuple[str, ...]) -> list[str]:
    head, *rest = rows
    return ["| " + " | ".join(row) + " |" for row in (head, tuple("---" for _ in head), *rest)] + [""]


def _value(condition: Condition) -> str:
    shape = _SHAPES[condition.shape]
    if condition.name == "signals":
        return f"{shape} the signals below"
    if condition.choices:
        return f"{shape} {', '.join(f'`{c}`' for c in condition.choices)}"
    if condition.shape in ("at_least", "at_most"):
        low, high = condition.limits
        return f"number from {low:g}" + (f" to {high:g}" if high != float("inf") else "")
    return shape


def _keys(keys: tuple[Key, ...]) -> list[str]:
    return _rows(("key", "default", "meaning"), *((f"`{k.name}`", k.default, k.help) for k in keys))


def reference() -> str:
    """Everything a policy may say."""
    lines = ["### Keys of the file", "", *_keys(FILE_KEYS), "### Keys of a rule", "", *_keys(RULE_KEYS)]
    lines += ["### Conditions", "", "A *basis* lets a rule with a prompt signal do more than observe.", ""]
    lines += _rows(
        ("condition", "value", "basis", "meaning"),
        *((f"`{c.name}`", _value(c), "yes" if c.basis else "", c.help) for c in CONDITIONS),
    )
    lines += ["### Actions", ""]
    served = {a: "yes" if a in SERVED else "no" for a in Action} | {Action.THROTTLE: "while there is room"}
    lines += _rows(("action", "served", "meaning"), *((f"`{a.value}`", served[a], a.meaning) for a in Action))
    lines += ["### What each gateway carries out", "", _CARRIED, ""]
    lines += _rows(
        ("action", *DOORS.values()),
        *((f"`{a.value}`", *(CARRIED[a][door] for door in DOORS)) for a in Action),
    )
    lines += ["### Modes", "", *_rows(("mode", "meaning"), *((f"`{m.value}`", m.meaning) for m in Mode))]
    lines += ["### Reason codes", ""]
    lines += _rows(
        ("code", "meaning", "what the customer is told"),
        *((f"`{r.value}`", r.meaning, r.sentence) for r in Reason),
    )
    lines += ["### Fields that `harden` names", ""]
    lines += _rows(
        ("field", "taken out under the names"),
        *((f"`{field}`", ", ".join(f"`{n}`" for n in names)) for field, names in FIELDS.items()),
    )
    lines += ["### Live signals", ""]
    for signal in SIGNALS.values():
        lines += [
            f"#### `{signal.id}`",
            "",
            f"**{signal.title}.** {signal.what}",
            "",
            f"Score: {signal.scale}",
            "",
        ]
        lines += ["Looks alike: " + "; ".join(signal.looks_alike) + ".", ""]
        if signal.prompt:
            lines += ["On its own it never does more than observe.", ""]
        if signal.source:
            lines += [f"Source: {signal.source}", ""]
    return "\n".join(lines)
