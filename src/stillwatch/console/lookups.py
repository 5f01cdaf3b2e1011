"""What the store says of campaigns and accounts, put together for a page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from stillwatch.console.words import hours
from stillwatch.records import Campaign, Case, Kind, name_of
from stillwatch.respond import bulk, cases
from stillwatch.respond import tables as t
from stillwatch.respond.work import Work


def cases_by_campaign(work: Work, campaigns: Iterable[str]) -> dict[str, Case]:
    """The newest case of each campaign; sightings say which."""
    s = t.case_sightings.c
    newest: dict[str, int] = {}
    for part in bulk.parts(sorted(campaigns)):
        found = select(s.campaign_id, s.case_number).where(s.campaign_id.in_(part)).order_by(s.at)
        newest |= {row.campaign_id: row.case_number for row in work.conn.execute(found)}
    held = cases.some(work, set(newest.values()))
    return {campaign: held[number] for campaign, number in newest.items()}


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something that needs a person."""

    kind: str
    tone: str
    title: str
    when: str
    href: str


def waiting(work: Work, run: Iterable[Campaign], filed: dict[str, Case]) -> list[Waiting]:
    """What needs a person now: clocks first, then approvals, then campaigns that nobody works on."""
    found = [*_appeals(work.conn, work.now), *_unlocks(work.conn, work.now), *_plans(work.conn)]
    for campaign in run:
        case, kind = filed.get(campaign.campaign_id), campaign.kind.value
        if case is not None and case.state == "open":
            found.append(
                Waiting(kind, kind, f"{case.id} {case.title}", "nobody works on it", f"/cases/{case.id}")
            )
        elif case is None and campaign.kind is Kind.CAMPAIGN and not campaign.granted:
            said = f"{campaign.campaign_id}: {campaign.account_count:,} accounts, {campaign.confidence} confidence"
            where = f"/campaigns/{_quoted(campaign.campaign_id)}"
            found.append(Waiting(kind, kind, said, "no case yet", where))
    return found


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text.encode("utf-8", "replace"), safe="")


def _appeals(conn: Connection, now: datetime) -> list[Waiting]:
    a = t.appeals.c
    asked = select(a.number, a.account_id, a.due_at).where(a.state == "filed").order_by(a.due_at).limit(50)
    return [
        Waiting("appeal", "overdue" if due and due < now else "review", f"{name_of('A', n)} of {account}",
                hours((due - now).total_seconds()) if due else "", f"/appeals/{name_of('A', n)}")
        for n, account, due in conn.execute(asked)
    ]  # fmt: skip


def _plans(conn: Connection) -> list[Waiting]:
    p = t.plans.c
    asked = select(p.number, p.state, p.account_count, p.measure).where(
        p.state.in_(("draft", "approved", "running"))
    )
    said = {"draft": "waits for approval", "approved": "approved, not run", "running": "under way"}
    return [
        Waiting(
            "plan",
            "review",
            f"{name_of('P', n)}: {measure} {count:,} accounts",
            said[state],
            f"/plans/{name_of('P', n)}",
        )
        for n, state, count, measure in conn.execute(asked.order_by(p.number).limit(50))
    ]


def _unlocks(conn: Connection, now: datetime) -> list[Waiting]:
    u = t.unlocks.c
    asked = (
        select(u.case_number)
        .where(u.agreed_at.is_(None), u.ended_at.is_(None))
        .order_by(u.asked_at)
        .limit(50)
    )
    return [
        Waiting(
            "exemplars",
            "review",
            f"Unlock of prompts of {name_of('K', n)}",
            "waits for a second person",
            "/exemplars",
        )
        for (n,) in conn.execute(asked)
    ]


def acts_on(work: Work, account_id: str) -> dict[str, list[dict[str, Any]]]:
    """What was done to an account from here, its appeals and its grants."""
    s, p, a, g = t.plan_steps.c, t.plans.c, t.appeals.c, t.grants.c
    steps = select(s.kind, s.undo, s.state, s.done_at, s.due_at, p.number, p.measure, p.made_at).join_from(
        t.plan_steps, t.plans, s.plan_number == p.number
    ).where(s.account_id == account_id).order_by(s.step_id.desc()).limit(50)  # fmt: skip
    appeals = select(a.number, a.state, a.offered_at, a.outcome).where(a.account_id == account_id)
    held = select(g.grant_id, g.purpose, g.valid_until).where(
        g.account_id == account_id, g.revoked_at.is_(None)
    )
    return {
        "actions": [
            {"at": r.done_at or r.due_at or r.made_at, "state": r.state, "plan_id": name_of("P", r.number),
             "action": f"{'taken back: ' if r.undo else ''}{r.measure if r.kind == 'act' else r.kind}"}
            for r in work.conn.execute(steps)
        ],
        "appeals": [
            {"at": r.offered_at, "appeal_id": name_of("A", r.number), "state": r.outcome or r.state}
            for r in work.conn.execute(appeals.order_by(a.number.desc()).limit(20))
        ],
        "grants": [dict(r._mapping) for r in work.conn.execute(held.limit(20))],
    }  # fmt: skip
