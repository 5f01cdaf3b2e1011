"""Cases: list, look at, open, assign, note, close. How scans grow them is in :mod:`stillwatch.respond.importing`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, func, select

from stillwatch.records import (
    Case,
    CaseAccount,
    CaseEvent,
    CaseLink,
    CaseState,
    EventKind,
    Page,
    Permission,
    Relation,
    Role,
    Sighting,
    Verdict,
    name_of,
)
from stillwatch.respond import bulk, people
from stillwatch.respond import tables as t
from stillwatch.respond.columns import escaped
from stillwatch.respond.errors import NotAllowed, NotFound, NotNow, Unfit
from stillwatch.respond.work import Work, added, changed

LONGEST_TITLE, LONGEST_NOTE, MOST_HOURS = 200, 20_000, 24.0 * 31
LAST = chr(0x10FFFF)
"""Sorts behind every text with the same beginning."""
Order = Literal["changed", "opened", "accounts", "exchanges"]
_ORDERS = {
    "changed": t.cases.c.changed_at, "opened": t.cases.c.opened_at, "accounts": t.cases.c.account_count,
    "exchanges": t.cases.c.exchange_count,
}  # fmt: skip
_COLUMNS = [t.cases.c[f.name] for f in fields(Case)]


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """Which cases; what is not named does not matter."""

    states: tuple[CaseState, ...] = ()
    assignee: int | None = None
    verdict: Verdict | None = None
    kind: str = ""
    words: str = ""
    """Part of a title."""
    account_id: str = ""
    """Cases that have this account."""


def listing(
    work: Work,
    wanted: CaseFilter | None = None,
    *,
    order: Order = "changed",
    offset: int = 0,
    limit: int = 50,
) -> Page:
    """A page of cases, the newest or largest first."""
    work.need(Permission.CASE_READ)
    where = _where(wanted or CaseFilter())
    total = work.conn.execute(select(func.count()).select_from(t.cases).where(*where)).scalar_one()
    found = work.conn.execute(
        select(*_COLUMNS)
        .where(*where)
        .order_by(_ORDERS[order].desc(), t.cases.c.number.desc())
        .offset(offset)
        .limit(limit)
    )
    return Page(tuple(_case(row) for row in found), total, offset, limit)


def _where(wanted: CaseFilter) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = []
    if wanted.states:
        where.append(t.cases.c.state.in_([s.value for s in wanted.states]))
    if wanted.assignee is not None:
        where.append(t.cases.c.assignee == wanted.assignee)
    if wanted.verdict is not None:
        where.append(t.cases.c.verdict == wanted.verdict.value)
    if wanted.kind:
        where.append(t.cases.c.kind == wanted.kind)
    if wanted.words:
        where.append(t.cases.c.title.icontains(escaped(wanted.words), autoescape=True))
    if wanted.account_id:
        having = select(t.case_accounts.c.case_number).where(
            t.case_accounts.c.account_id == wanted.account_id
        )
        where.append(t.cases.c.number.in_(having))
    return where


def get(work: Work, number: int) -> Case:
    """One case.

    Raises
    ------
    NotFound
        There is none.
    """
    work.need(Permission.CASE_READ)
    return _get(work.conn, number)


def some(work: Work, numbers: Collection[int]) -> dict[int, Case]:
    """Those of these cases that there are."""
    work.need(Permission.CASE_READ)
    found: dict[int, Case] = {}
    for part in bulk.parts(sorted(numbers)):
        rows = work.conn.execute(select(*_COLUMNS).where(t.cases.c.number.in_(part)))
        found |= {row.number: _case(row) for row in rows}
    return found


def _get(conn: Connection, number: int) -> Case:
    row = conn.execute(select(*_COLUMNS).where(t.cases.c.number == number)).first()
    if row is None:
        raise NotFound(f"case {name_of('K', number)}", hint="`stillwatch case list` shows what there is")
    return _case(row)


def _case(row: Any) -> Case:
    made = dict(row._mapping)
    made["state"] = CaseState(made["state"])
    made["verdict"] = Verdict(made["verdict"]) if made["verdict"] else None
    return Case(**made)


def details(work: Work, number: int) -> dict[str, Any]:
    """What the newest scan says of the campaign, as its row of ``campaigns.parquet``; without prompt text."""
    work.need(Permission.CASE_READ)
    found = work.conn.execute(select(t.cases.c.details).where(t.cases.c.number == number)).scalar()
    if found is None:
        raise NotFound(f"case {name_of('K', number)}")
    return dict(found)


MemberOrder = Literal["bits", "exchanges", "account"]


def accounts(
    work: Work, number: int, *, search: str = "", tier: str = "", order: MemberOrder = "bits", offset: int = 0,
    limit: int = 100,
) -> Page:  # fmt: skip
    """A page of a case's accounts; ``search`` is the beginning of an account id."""
    work.need(Permission.CASE_READ)
    table = t.case_accounts
    where = [table.c.case_number == number]
    if search:
        where.append(table.c.account_id.startswith(search, autoescape=True))
        if work.conn.dialect.name == "sqlite":  # LIKE alone does not use the index there
            where += [table.c.account_id >= search, table.c.account_id < search + LAST]
    if tier:
        where.append(table.c.tier == tier)
    by = {
        "bits": (table.c.membership_bits.desc(), table.c.account_id.desc()),
        "exchanges": (table.c.exchange_count.desc(), table.c.account_id.desc()),
        "account": (table.c.account_id,),
    }[order]
    total = work.conn.execute(select(func.count()).select_from(table).where(*where)).scalar_one()
    found = work.conn.execute(
        select(*[table.c[f.name] for f in fields(CaseAccount)])
        .where(*where)
        .order_by(*by)
        .offset(offset)
        .limit(limit)
    )
    rows = tuple(CaseAccount(**{**row._mapping, "reasons": tuple(row.reasons)}) for row in found)
    return Page(rows, total, offset, limit)


def timeline(work: Work, number: int, *, offset: int = 0, limit: int = 200) -> Page:
    """What happened in a case, oldest first."""
    work.need(Permission.CASE_READ)
    table = t.case_events
    total = work.conn.execute(
        select(func.count()).select_from(table).where(table.c.case_number == number)
    ).scalar_one()
    found = work.conn.execute(
        select(table)
        .where(table.c.case_number == number)
        .order_by(table.c.event_id)
        .offset(offset)
        .limit(limit)
    )
    rows = tuple(CaseEvent(**{**row._mapping, "kind": EventKind(row.kind)}) for row in found)
    return Page(rows, total, offset, limit)


def sightings(work: Work, number: int) -> list[Sighting]:
    """Every scan that filed something under the case, oldest first, with its digests."""
    work.need(Permission.CASE_READ)
    s = t.case_sightings
    found = work.conn.execute(select(s).where(s.c.case_number == number).order_by(s.c.at, s.c.campaign_id))
    return [
        Sighting(row.run_id, row.campaign_id, number, Relation(row.relation), row.at, row.account_count, row.joined,
                 row.left, row.settings_digest, row.program_version)
        for row in found
    ]  # fmt: skip


def findings(work: Work, number: int, run_id: str | None = None) -> list[dict[str, Any]]:
    """Findings behind a case, of one run or of all, each with the run and settings it came from."""
    work.need(Permission.CASE_READ)
    f = t.case_findings
    query = select(f).where(f.c.case_number == number)
    if run_id is not None:
        query = query.where(f.c.run_id == run_id)
    return [dict(row._mapping) for row in work.conn.execute(query.order_by(f.c.run_id, f.c.finding_id))]


def links(work: Work, number: int) -> list[CaseLink]:
    """Lineage: from this case, and to it."""
    work.need(Permission.CASE_READ)
    table = t.case_links
    found = work.conn.execute(
        select(table).where((table.c.case_number == number) | (table.c.other == number)).order_by(table.c.at)
    )
    return [
        CaseLink(r.case_number, r.other, Relation(r.relation), r.at, tuple(r.grounds), r.withdrawn_at)
        for r in found
    ]


def open_by_hand(work: Work, title: str, account_ids: tuple[str, ...] = ()) -> Case:
    """Open a case without a scan, on a person's own grounds."""
    work.need(Permission.CASE_WORK)
    title = _text(title, LONGEST_TITLE, "a title")
    number = insert(work, title=title, kind="manual", account_count=len(set(account_ids)))
    rows = [
        {"case_number": number, "account_id": a, "tier": "watch", "membership_bits": 0.0, "extraction_share": 0.0,
         "exchange_count": 0, "reasons": ["named by hand"], "present": True, "first_run": "", "last_run": ""}
        for a in sorted(set(account_ids))
    ]  # fmt: skip
    if rows:
        work.conn.execute(t.case_accounts.insert(), rows)
    add_event(work, number, EventKind.OPENED, "opened by hand")
    work.note("case.open", name_of("K", number), accounts=len(rows))
    return _get(work.conn, number)


def insert(work: Work, **values: Any) -> int:
    """A new row in ``cases``; returns its number."""
    fresh = {
        "state": CaseState.OPEN.value, "opened_at": work.now, "changed_at": work.now, "account_count": 0,
        "exchange_count": 0, "output_tokens": 0, "confidence": "low", "families": 0, "granted": False, "hours": 0.0,
        "details": {}, "version": 1,
    }  # fmt: skip
    return added(work.conn, t.cases.insert().values(**{**fresh, **values}))


def assign(work: Work, number: int, to: int | None, *, version: int) -> Case:
    """Give a case to an analyst or approver, or to nobody; an open case is then being worked on."""
    work.need(Permission.CASE_WORK)
    case = _get(work.conn, number)
    if case.state is CaseState.CLOSED:
        raise NotNow(f"{case.id} is closed", hint="reopen it first")
    name = "nobody"
    if to is not None:
        person = people.by_id(work.conn, to)
        if not person.may(Permission.CASE_WORK):
            raise NotAllowed(
                f"{person.name} does not work on cases", hint=f"it needs {Role.ANALYST} or {Role.APPROVER}"
            )
        name = person.name
    state = CaseState.WORKING if to is not None else CaseState.OPEN
    _change(work, case, version, assignee=to, state=state.value)
    add_event(work, number, EventKind.ASSIGNED, f"assigned to {name}")
    work.note("case.assign", case.id, to=name)
    return _get(work.conn, number)


def note(work: Work, number: int, text: str, *, hours: float = 0.0) -> CaseEvent:
    """Add a note, and the hours it took. Notes are added, never changed, so they cannot conflict."""
    work.need(Permission.CASE_WORK)
    if not 0.0 <= hours <= MOST_HOURS:
        raise Unfit(f"{hours} hours", hint=f"from 0 to {MOST_HOURS:g}")
    case = _get(work.conn, number)
    text = _text(text, LONGEST_NOTE, "a note")
    event = add_event(work, number, EventKind.NOTE, text, hours=hours)
    if hours:
        work.conn.execute(
            t.cases.update().where(t.cases.c.number == number).values(hours=t.cases.c.hours + hours)
        )
    work.note("case.note", case.id, event=event, hours=hours)
    return CaseEvent(event, number, work.now, work.by, EventKind.NOTE, text, hours)


def close(work: Work, number: int, verdict: Verdict, reason: str, *, version: int) -> Case:
    """Close a case with a verdict and a reason.

    A verdict of false positive is refused while one of the case's accounts is under a measure: take it back first.
    Then its accounts count as honest, and what rested on them is withdrawn (:mod:`stillwatch.respond.correcting`).
    """
    from stillwatch.respond import correcting

    work.need(Permission.CASE_WORK)
    case = _get(work.conn, number)
    if case.state is CaseState.CLOSED:
        raise NotNow(f"{case.id} is closed already", hint="reopen it first")
    reason = _text(reason, LONGEST_NOTE, "a reason")
    correcting.may_close(work, case, verdict)
    _change(work, case, version, state=CaseState.CLOSED.value, verdict=verdict.value, closed_at=work.now)
    add_event(work, number, EventKind.STATE, reason, details={"verdict": verdict.value})
    work.note("case.close", case.id, verdict=verdict.value)
    if verdict is Verdict.FALSE_POSITIVE:
        correcting.whole_case(work, number, reason)
    return _get(work.conn, number)


def reopen(work: Work, number: int, reason: str, *, version: int) -> Case:
    """Open a closed case again; the verdict goes, the timeline keeps it."""
    work.need(Permission.CASE_WORK)
    case = _get(work.conn, number)
    if case.state is not CaseState.CLOSED:
        raise NotNow(f"{case.id} is not closed", hint="nothing to reopen")
    reason = _text(reason, LONGEST_NOTE, "a reason")
    state = CaseState.WORKING if case.assignee is not None else CaseState.OPEN
    _change(work, case, version, state=state.value, verdict=None, closed_at=None)
    add_event(work, number, EventKind.STATE, reason, details={"was": case.verdict})
    work.note("case.reopen", case.id, was=case.verdict)
    return _get(work.conn, number)


def _change(work: Work, case: Case, version: int, **values: Any) -> None:
    changed(work, t.cases, {"number": case.number}, version, f"case {case.id}", changed_at=work.now, **values)


def add_event(
    work: Work,
    number: int,
    kind: EventKind,
    text: str,
    *,
    hours: float = 0.0,
    details: dict[str, Any] | None = None,
) -> int:
    """A line of the timeline."""
    return added(
        work.conn,
        t.case_events.insert().values(
            case_number=number, at=work.now, person_id=work.by, kind=kind.value, text=text, hours=hours,
            details=details or {},
        )
    )  # fmt: skip


def _text(text: str, most: int, what: str) -> str:
    text = text.strip()
    if not text:
        raise Unfit(f"{what} is needed", hint="say why in a sentence")
    if len(text) > most:
        raise Unfit(f"{what} of {len(text):,} characters", hint=f"at most {most:,}")
    return text
