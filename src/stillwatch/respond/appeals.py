"""Appeals: an affected account's objection, decided by a person who had no part in the action.

The customer has a link with a random token and needs no login; only the token's digest is kept. Nothing that a scan or
a policy says is asked again when an appeal is decided: the reviewer is a person, and says why in their own words. The
program cannot decide, and a new scan does not change an appeal.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from stillwatch.records import (
    Appeal,
    AppealState,
    Document,
    EventKind,
    Outcome,
    Page,
    Permission,
    StepKind,
    name_of,
)
from stillwatch.respond import bulk, cases, correcting, outbox, planning
from stillwatch.respond import tables as t
from stillwatch.respond.errors import NotAllowed, NotFound, NotNow, Unfit
from stillwatch.respond.work import PROGRAM, Work, added, changed

KINDS = ("own_data", "research_programme", "contract", "other")
"""What a document is: attestation of one's own data, a research programme, a contract, or something else."""
LONGEST_STATEMENT, MOST_DOCUMENTS, MOST_BYTES, LONGEST_ANSWER = 10_000, 5, 5 * 1024 * 1024, 4_000
_FORMS = (
    (b"%PDF-", "application/pdf", ".pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png", ".png"),
    (b"\xff\xd8\xff", "image/jpeg", ".jpg"),
)
_COLUMNS = [t.appeals.c[f.name] for f in fields(Appeal)]
_DOCUMENT = [t.documents.c[f.name] for f in fields(Document)]


@dataclass(frozen=True, slots=True)
class Upload:
    """A document as the customer sends it."""

    kind: str
    name: str
    content: bytes


def by_token(conn: Connection, token: str) -> Appeal:
    """The appeal behind a link.

    Raises
    ------
    NotFound
        There is none. An appeal whose time is over is still there to be read.
    """
    digest = sha256(token.encode("utf-8", "replace")).hexdigest()
    number = conn.execute(
        select(t.appeal_tokens.c.appeal_number).where(t.appeal_tokens.c.token_digest == digest)
    ).scalar()
    if number is None:
        raise NotFound("appeal behind this link", hint="use the link of the newest notice")
    return _get(conn, number)


def file(
    work: Work, token: str, statement: str, documents: Sequence[Upload] = (), *, days_to_decide: int = 14
) -> Appeal:
    """The customer's statement and documents. Until it is decided more may be added, never taken away.

    ``work`` is of the program: customers are not people of this store.
    """
    appeal = by_token(work.conn, token)
    if appeal.state in (AppealState.DECIDED, AppealState.LAPSED) or (
        appeal.state is AppealState.OFFERED and work.now >= appeal.expires_at
    ):
        raise NotNow("this appeal cannot be added to any more", hint="write to the address in the notice")
    statement = statement.strip()
    if not statement and not (documents and appeal.statement):
        raise Unfit("a statement is needed", hint="say in your own words why the action is wrong")
    whole = "\n\n".join(part for part in (appeal.statement, statement) if part)
    if len(whole) > LONGEST_STATEMENT:
        raise Unfit(
            f"a statement of {len(whole):,} characters",
            hint=f"at most {LONGEST_STATEMENT:,}; attach the rest",
        )
    kept = work.conn.execute(
        select(func.count()).select_from(t.documents).where(t.documents.c.appeal_number == appeal.number)
    ).scalar_one()
    if kept + len(documents) > MOST_DOCUMENTS:
        raise Unfit(f"{kept + len(documents)} documents", hint=f"at most {MOST_DOCUMENTS}")
    rows = [_checked(one, appeal.number, work.now) for one in documents]
    values: dict[str, Any] = {"statement": whole, "state": AppealState.FILED.value}
    if appeal.state is AppealState.OFFERED:
        values |= {"filed_at": work.now, "due_at": work.now + timedelta(days=days_to_decide)}
    changed(work, t.appeals, {"number": appeal.number}, appeal.version, f"appeal {appeal.id}", **values)
    for row in rows:
        row["document_id"] = added(work.conn, t.documents.insert().values(**row))
    if appeal.state is AppealState.OFFERED:
        cases.add_event(work, appeal.case_number, EventKind.APPEAL, f"{appeal.id} filed")
    work.note("appeal.file", appeal.id, documents=[r["digest"] for r in rows], characters=len(statement))
    return _get(work.conn, appeal.number)


def _checked(one: Upload, number: int, now: datetime) -> dict[str, Any]:
    """A document as a row; its type is what its bytes say, and its name is shown, never used as a path."""
    if one.kind not in KINDS:
        raise Unfit(f"no such kind of document: {one.kind[:40]!r}", hint=f"one of {', '.join(KINDS)}")
    if not 0 < len(one.content) <= MOST_BYTES:
        raise Unfit(f"a document of {len(one.content):,} bytes", hint=f"from 1 to {MOST_BYTES:,}")
    media, ending = media_type(one.content)
    return {
        "appeal_number": number, "kind": one.kind, "name": plain_name(one.name, ending), "media_type": media,
        "size_bytes": len(one.content), "digest": sha256(one.content).hexdigest(), "content": one.content, "at": now,
    }  # fmt: skip


def media_type(content: bytes) -> tuple[str, str]:
    """PDF, PNG, JPEG or plain text, by its bytes.

    >>> media_type(b"plain words")
    ('text/plain', '.txt')
    >>> media_type(b"PK" + bytes(20))
    Traceback (most recent call last):
    ...
    stillwatch.respond.errors.Unfit: a document of a kind that is not taken
    """
    for start, media, ending in _FORMS:
        if content.startswith(start):
            return media, ending
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = "\x00"
    if any(unicodedata.category(c) == "Cc" and c not in "\n\r\t" for c in text):
        raise Unfit("a document of a kind that is not taken", hint="PDF, PNG, JPEG or plain text")
    return "text/plain", ".txt"


def plain_name(name: str, ending: str) -> str:
    """A file name without folders, controls or surprises, and with the ending of what the bytes are.

    >>> plain_name("../../etc/passwd", ".txt"), plain_name("C:" + chr(92) + "Ours" + chr(0) + ".exe", ".pdf")
    ('passwd.txt', 'Ours.pdf')
    >>> plain_name("...", ".pdf"), plain_name("=cmd|x", ".txt")
    ('document.pdf', 'cmd x.txt')
    """
    last = re.split(r"[/\\]", name)[-1]
    kept = "".join(c if c.isalnum() or c in " ._-()" else " " if c.isprintable() else "" for c in last)
    stem = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", kept).strip(" .-_")[:80]
    return (re.sub(r"\s+", " ", stem) or "document") + ending


def get(work: Work, number: int) -> Appeal:
    """One appeal with its statement. Reading what a customer wrote leaves an audit line: use it inside a change."""
    work.need(Permission.APPEAL_READ)
    appeal = _get(work.conn, number)
    if appeal.statement:
        work.note("appeal.read", appeal.id)
    return appeal


def _get(conn: Connection, number: int) -> Appeal:
    row = conn.execute(select(*_COLUMNS).where(t.appeals.c.number == number)).first()
    if row is None:
        raise NotFound(f"appeal {name_of('A', number)}", hint="`stillwatch appeal list` shows what there is")
    return _made(row)


def _made(row: Any) -> Appeal:
    return Appeal(**{**row._mapping, "state": AppealState(row.state), "families": tuple(row.families),
                     "outcome": Outcome(row.outcome) if row.outcome else None})  # fmt: skip


def listing(
    work: Work, *, states: Sequence[AppealState] = (), account_id: str = "", case_number: int | None = None,
    overdue: bool = False, offset: int = 0, limit: int = 50,
) -> Page:  # fmt: skip
    """A page of appeals, those that are due first in front; statements are left out."""
    work.need(Permission.APPEAL_READ)
    a = t.appeals.c
    where: list[ColumnElement[bool]] = []
    if states:
        where.append(a.state.in_([s.value for s in states]))
    if account_id:
        where.append(a.account_id == account_id)
    if case_number is not None:
        where.append(a.case_number == case_number)
    if overdue:
        where += [a.state == AppealState.FILED.value, a.due_at < work.now]
    total = work.conn.execute(select(func.count()).select_from(t.appeals).where(*where)).scalar_one()
    columns = [c for c in _COLUMNS if c.name != "statement"]
    found = work.conn.execute(
        select(*columns).where(*where).order_by(a.due_at.nulls_last(), a.number).offset(offset).limit(limit)
    )
    rows = tuple(
        Appeal(**{**r._mapping, "statement": "", "state": AppealState(r.state), "families": tuple(r.families),
                  "outcome": Outcome(r.outcome) if r.outcome else None}) for r in found
    )  # fmt: skip
    return Page(rows, total, offset, limit)


def documents(conn: Connection, number: int) -> list[Document]:
    """What was handed in, without its content."""
    found = conn.execute(
        select(*_DOCUMENT).where(t.documents.c.appeal_number == number).order_by(t.documents.c.document_id)
    )
    return [Document(**row._mapping) for row in found]


def content(work: Work, document_id: int) -> tuple[Document, bytes]:
    """A document with its bytes; leaves an audit line."""
    work.need(Permission.APPEAL_READ)
    row = work.conn.execute(
        select(*_DOCUMENT, t.documents.c.content).where(t.documents.c.document_id == document_id)
    ).first()
    if row is None:
        raise NotFound(f"document {document_id}")
    made = Document(**{k: v for k, v in row._mapping.items() if k != "content"})
    work.note("document.read", name_of("A", made.appeal_number), document=document_id, digest=made.digest)
    return made, bytes(row.content)


def decide(work: Work, number: int, outcome: Outcome, answer: str, *, version: int) -> Appeal:
    """Decide an appeal. What has to be taken back enters the outbox of its plan: run `outbox.taking_back`.

    Who is found innocent is set free from every plan of the case.

    Raises
    ------
    NotAllowed
        The person made, agreed to or ran the plan; or it is no person.
    """
    work.need(Permission.APPEAL_DECIDE)
    appeal = _get(work.conn, number)
    if work.person.person_id == PROGRAM.person_id:
        raise NotAllowed("a program does not decide an appeal", hint="a person does")
    if work.person.person_id in planning.actors(work, appeal.plan_number):
        raise NotAllowed(f"{work.person.name} had a part in {name_of('P', appeal.plan_number)}",
                         hint="somebody who had none decides")  # fmt: skip
    if appeal.state is not AppealState.FILED:
        raise NotNow(f"{appeal.id} is {appeal.state.value}", hint="only an appeal that was filed is decided")
    answer = answer.strip()
    if not 0 < len(answer) <= LONGEST_ANSWER:
        raise Unfit("an answer to the customer is needed", hint=f"at most {LONGEST_ANSWER:,} characters")
    changed(work, t.appeals, {"number": number}, version, f"appeal {appeal.id}", state=AppealState.DECIDED.value,
            outcome=outcome.value, answer=answer, decided_by=work.by, decided_at=work.now)  # fmt: skip
    plan = planning.read(work, appeal.plan_number)
    if outcome is not Outcome.UPHELD:
        outbox.take_back(work, plan, [appeal.account_id], notify=False)
    told = planning.step_row(plan.number, plan.digest, appeal.account_id, StepKind.NOTICE, "", 0, undo=True,
                             salt=f"decision:{appeal.number}")  # fmt: skip
    bulk.insert(work.conn, t.plan_steps, [told])
    work.conn.execute(t.plans.update().where(t.plans.c.number == plan.number)
                      .values(state="undoing", version=t.plans.c.version + 1))  # fmt: skip
    cases.add_event(work, appeal.case_number, EventKind.APPEAL, f"{appeal.id} {outcome.value}")
    if outcome is Outcome.OVERTURNED:
        for other in outbox.acted_on(work, appeal.case_number, appeal.account_id):
            if other.number != plan.number:
                outbox.take_back(work, other, [appeal.account_id], notify=True)
        correcting.account(
            work, appeal.case_number, appeal.account_id, f"{appeal.id} overturned", appeal=number
        )
    work.note("appeal.decide", appeal.id, outcome=outcome.value, account=appeal.account_id)
    return _get(work.conn, number)


def lapse(work: Work) -> int:
    """Mark offers that nobody took up in time."""
    done = work.conn.execute(
        t.appeals.update()
        .where(t.appeals.c.state == AppealState.OFFERED.value, t.appeals.c.expires_at <= work.now)
        .values(state=AppealState.LAPSED.value, version=t.appeals.c.version + 1)
    )
    if done.rowcount:
        work.note("appeal.lapse", "appeals", count=done.rowcount)
    return int(done.rowcount)
