"""What the verbs of people's work say to a person: tables and short sentences."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from stillwatch.cli.policy_words import _table
from stillwatch.cli.terminal import safe

if TYPE_CHECKING:
    from stillwatch.records import Appeal, Case, Page, Plan


def when(moment: datetime | None) -> str:
    """To the minute, UTC."""
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "-"


def case_table(rows: Iterable[Case], names: dict[int, str]) -> Any:
    """Cases, one a line."""
    table = _table("case", "state", "who", "changed", "title", "accounts", "exchanges", "families", numbers=3)
    for c in rows:
        state = f"{c.state}, {c.verdict}" if c.verdict else c.state.value
        table.add_row(c.id, state, names.get(c.assignee or 0, "-"), when(c.changed_at), c.title, f"{c.account_count:,}",
                      f"{c.exchange_count:,}", str(c.families))  # fmt: skip
    return table


def case_lines(c: Case, names: dict[int, str]) -> str:
    """The head of a case."""
    rate = "not stated" if c.false_discovery_rate is None else f"{c.false_discovery_rate:.3g}"
    share = "not stated" if c.extraction_share is None else f"{c.extraction_share:.0%}"
    return "\n".join(
        [
            f"{c.id}  {c.title}",
            f"  {c.state}{f', {c.verdict}' if c.verdict else ''}; assigned to {names.get(c.assignee or 0, 'nobody')}; "
            f"version {c.version}; {c.hours:g} hours",
            f"  {c.kind}: {c.account_count:,} accounts, {c.exchange_count:,} exchanges, "
            f"{c.output_tokens:,} output tokens",
            f"  {c.families} families of evidence; confidence {c.confidence}; false discovery rate {rate}; "
            f"extraction share {share}{'; inside a grant' if c.granted else ''}",
            f"  seen {when(c.first_seen)} to {when(c.last_seen)}; opened {when(c.opened_at)}; "
            f"scan {(c.run_id or '-')[:12]}",
        ]
    )


def plan_lines(
    plan: Plan,
    approvals: list[dict[str, Any]],
    steps: dict[str, dict[str, int]],
    names: dict[int, str],
    whom: Page,
) -> str:
    """A plan, what it may cost the innocent, and how far it is."""
    e = plan.estimate
    left = "; ".join(f"{n} {why}" for why, n in (e.get("left_out") or {}).items()) or "none"
    order = (
        "all at once"
        if len(plan.stages) == 1
        else (
            "in stages of " + ", ".join(f"{s:.0%}" for s in plan.stages) + f", {plan.stage_wait_s:g} s apart"
        )
    )
    lines = [
        f"{plan.id}  {plan.measure} by {plan.executor}: {plan.account_count:,} accounts of "
        f"K-{plan.case_number}, {order}",
        f"  {plan.state}; made by {names.get(plan.made_by, '?')} {when(plan.made_at)}; version {plan.version}",
        f"  digest {plan.digest}",
        f"  to customers: {plan.reason}: {plan.sentence}"
        if "notice" in steps
        else "  to customers: nobody is told by this plan, and there is no link to appeal",
        f"  credentials to revoke: {plan.credential_count:,}; left out: {left}",
    ]
    if "low" in e:
        lines.append(
            f"  innocent: {e['low']:,} to {e['high']:,} (95 %); {e['expected']:g} expected by stated rates, "
            f"{e['strangers']:,} may be strangers, no rate is stated for {e['unrated']:,}"
        )
    lines.append(f"  approvals: {sum(a['agreed'] for a in approvals)} of {plan.approvals_needed}")
    lines += [
        f"    {names.get(a['person_id'], '?')} {'agreed' if a['agreed'] else 'refused'} {when(a['at'])} {a['note']}"
        for a in approvals
    ]
    lines += [
        f"  {kind}: " + ", ".join(f"{n:,} {state}" for state, n in sorted(by.items()))
        for kind, by in steps.items()
    ]
    lines.append(
        f"  to whom, the surest first ({whom.offset + 1:,} to {whom.offset + len(whom.rows):,} of {whom.total:,}):"
    )
    lines += [
        f"    {safe(x.account_id)}  {x.kind}{' ' + safe(x.target) if x.target else ''}, stage {x.stage + 1}, {x.state}"
        for x in whom.rows
    ]
    if whom.offset + len(whom.rows) < whom.total:
        lines.append(f"    more: stillwatch plan show {plan.id} --from {whom.offset + len(whom.rows) + 1}")
    return "\n".join(lines)


def plan_table(rows: Iterable[Plan]) -> Any:
    """Plans, one a line."""
    table = _table("plan", "case", "state", "measure", "by", "made", "accounts", numbers=1)
    for p in rows:
        table.add_row(
            p.id,
            f"K-{p.case_number}",
            p.state.value,
            p.measure.value,
            p.executor,
            when(p.made_at),
            f"{p.account_count:,}",
        )
    return table


def appeal_table(rows: Iterable[Appeal]) -> Any:
    """Appeals, those due first in front."""
    table = _table("appeal", "state", "due", "account", "case", "plan", "measure", "outcome")
    for a in rows:
        table.add_row(a.id, a.state.value, when(a.due_at), a.account_id, f"K-{a.case_number}", f"P-{a.plan_number}",
                      a.measure, a.outcome.value if a.outcome else "-")  # fmt: skip
    return table
