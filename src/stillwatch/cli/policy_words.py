"""What ``policy`` and ``decision`` say to a person: tables and short sentences, no markup of the input."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table


def _table(*columns: str, numbers: int = 0) -> Table:
    """A plain table whose last columns are figures."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE, pad_edge=False, show_edge=False)
    for place, name in enumerate(columns):
        right = place >= len(columns) - numbers
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    return table


def _actions(row: dict[str, Any]) -> str:
    return " + ".join([row["action"], *row.get("also", [])])


def _when(when: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {'/'.join(map(str, value[:4])) + ('/…' if len(value) > 4 else '')}"
        if isinstance(value, list)
        else name.replace("_at_least", " ≥ ").replace("_at_most", " ≤ ")
        + ("" if value is True else f"{value:g}")
        for name, value in when.items()
    )


def _mode(row: dict[str, Any]) -> str:
    return f"canary {row['canary_share']:.1%}" if row["mode"] == "canary" else str(row["mode"])


def checked(found: dict[str, Any]) -> Any:
    """A policy that loads, as its rules in order."""
    from rich.console import Group

    table = _table("line", "rule", "action", "mode", "when")
    for row in found["rules"]:
        table.add_row(str(row["line"]), row["id"], _actions(row), _mode(row), _when(row["when"]))
    head = f"policy {found['policy']} {found['version']} loads: {len(found['rules'])} rules"
    return Group(head, f"digest {found['digest']}", "", table, "Whoever no rule meets is served as usual.")


def explained(found: dict[str, Any]) -> str:
    """What an account would be answered, and why."""
    s, decision = found["standing"], found["decision"]
    lines = [f"account {found['account_id']}"]
    if found["known"]:
        lines.append(
            f"  {s['tier']} of {s['kind']} {s['campaign_id']}, hint {s['hint']}, confidence {s['confidence']}, "
            f"families: {', '.join(s['families']) or 'none'}; {s['membership_bits']:.0f} bits; stated rate "
            f"{s['false_discovery_rate']:.2%}"
        )
    else:
        lines.append("  the run links it with no group")
    lines.append(f"  verification {s['verification'] or 'not known'}; grant: {found['grant']}")
    lines += ["", "rules in order"]
    for row in found["rules"]:
        lines.append(f"  {row['id']} (line {row['line']}): {_verdict(row)}")
    served = "served" if found["allowed"] else "not served"
    rule = f"rule {decision['rule']}" if decision["rule"] else "no rule: the fall-through"
    lines += ["", f"answer: {_actions(decision)} ({served}), {rule}, reason {decision['reason']}"]
    if decision["would"]:
        lines.append("in shadow, the first would have decided: "
                     + ", ".join(f"{w['rule']} ({_actions(w)})" for w in decision["would"]))  # fmt: skip
    told = found["customer"]
    lines.append(f"the customer is told: {told['message']}" if told else "the customer is told nothing")
    return "\n".join(lines)


def _verdict(row: dict[str, Any]) -> str:
    if row["off"]:
        return "switched off"
    if row["missing"]:
        return f"does not fit: {', '.join(row['missing'])}"
    if row["mode"] == "canary":
        return f"fits ({row['action']}); the account is {'in' if row['in_canary'] else 'outside'} the canary"
    return f"fits ({row['action']}), {row['mode']}"


def simulated(found: dict[str, Any]) -> Iterator[Any]:
    """Whom a policy would have touched, beside the one in force."""
    sides = (found["candidate"], found["in_force"])
    names = [f"{s['policy']} {s['version']} ({s['modes']})" for s in sides]
    head = sides[0]
    yield (
        f"{head['requests']:,} exchanges of {head['accounts']:,} accounts replayed. candidate: {names[0]}; "
        f"in force: {names[1]}."
    )
    yield (
        f"The candidate touches {head['touched']:,} accounts, {found['newly_touched']:,} that the policy in force "
        f"does not, and leaves {found['no_longer_touched']:,} alone that it does."
    )
    table = _table("", "candidate", "in force", numbers=2)
    for name, key in (("accounts touched", "touched"), ("accounts refused at least once", "refused_some"),
                      ("exchanges not served", "requests_not_served")):  # fmt: skip
        table.add_row(name, *(f"{s[key]:,}" for s in sides))
    for action in head["by_action"]:
        table.add_row(f"accounts: {action}", *(f"{s['by_action'][action]['accounts']:,}" for s in sides))
    table.add_row("in wrong campaigns, expected by the stated rates",
                  *(f"{s['innocent']['expected']:.2f} of {s['innocent']['rated']:,}" for s in sides))  # fmt: skip
    table.add_row(
        "strangers in right campaigns, at most", *(f"{s['innocent']['strangers']:,}" for s in sides)
    )
    table.add_row("touched, no rate stated", *(f"{s['innocent']['unrated']:,}" for s in sides))
    table.add_row("innocent in all, 95 % interval",
                  *(f"{s['innocent']['low']:,} to {s['innocent']['high']:,}" for s in sides))  # fmt: skip
    yield table
    rules = _table("rule of the candidate", "accounts", numbers=1)
    for rule, accounts in head["by_rule"].items():
        rules.add_row(rule, f"{accounts:,}")
    yield rules
    segments = _table("segment", "value", "accounts", "candidate touches", "in force touches", numbers=3)
    for segment, values in head["by_segment"].items():
        for value, row in values.items():
            other = sides[1]["by_segment"][segment][value]["touched"]
            segments.add_row(segment, value, f"{row['accounts']:,}", f"{row['touched']:,}", f"{other:,}")
    yield segments
    for text in found["notes"]:
        yield f"note: {text}"
    yield (
        "Rates are stated for firm members of campaigns only; everybody else who is touched may be innocent. "
        "docs/policy.md says what the interval rests on."
    )


def replayed(found: dict[str, Any]) -> str:
    """A decision made again."""
    d = found["decision"]
    lines = [
        f"decision {d['decision_id']} of {d['at']}",
        f"  account {d['account_id']}: {_actions(d)}, reason {d['reason']}, "
        + (f"rule {d['rule']} ({d['mode']})" if d["rule"] else "no rule"),
        f"  families: {', '.join(d['families']) or 'none'}; signals: {', '.join(d['signals']) or 'none'}",
        f"  policy {d['policy_version']}, digest {d['policy_digest']}",
        f"  settings digest {d['settings_digest']} ({found['settings_now']})",
        f"  run digest {d['run_digest'] or 'none: no risk table'}",
        f"  expires {d['expires_at']}; appeal {d['appeal']}",
    ]
    if found["same"]:
        return "\n".join([*lines, "replayed: the same decision"])
    return "\n".join([*lines, f"replayed: different in {', '.join(found['differs'])}"])
