"""Prompt text of a case: shown only while two people have agreed to it, for a stated time, each reading on record.

The text is there only where a scan was told to keep it. It is redacted unless the whole text is asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from stillwatch.records import EventKind, Permission, name_of
from stillwatch.respond import cases
from stillwatch.respond import tables as t
from stillwatch.respond.errors import NotAllowed, NotFound, NotNow, Unfit
from stillwatch.respond.work import Work, added, changed

MOST_HOURS = 72.0
_REDACTED = (
    (re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}"), "[address]"),
    (re.compile(r"\b(?:sk|pk|ghp|AKIA|xox[a-z])[-_A-Za-z0-9]{12,200}"), "[key]"),
    (re.compile(r"\bhttps?://\S{1,500}"), "[link]"),
    (re.compile(r"\+?\d[\d ()./-]{6,24}\d"), "[number]"),
)


@dataclass(frozen=True, slots=True)
class Unlock:
    """Leave to read."""

    unlock_id: int
    case_number: int
    asked_by: int
    asked_at: datetime
    reason: str
    agreed_by: int | None
    agreed_at: datetime | None
    expires_at: datetime | None
    ended_at: datetime | None
    version: int

    def stands(self, now: datetime) -> bool:
        """Whether it can be read under."""
        return self.expires_at is not None and self.ended_at is None and now < self.expires_at


def ask(work: Work, case_number: int, reason: str) -> Unlock:
    """Ask to see the text of a case."""
    work.need(Permission.CONTENT_ASK)
    case = cases.get(work, case_number)
    reason = reason.strip()
    if not 0 < len(reason) <= 1_000:
        raise Unfit("a reason is needed", hint="what do you have to see, and why; at most 1,000 characters")
    number = added(
        work.conn,
        t.unlocks.insert().values(
            case_number=case_number,
            asked_by=work.person.person_id,
            asked_at=work.now,
            reason=reason,
            version=1,
        ),
    )
    cases.add_event(work, case_number, EventKind.NOTE, f"asked to see prompt text: {reason}")
    work.note("content.ask", case.id, unlock=number)
    return get(work, number)


def agree(work: Work, unlock_id: int, *, hours: float = 4.0, version: int) -> Unlock:
    """Agree to what somebody else asked for, for some hours."""
    work.need(Permission.CONTENT_APPROVE)
    asked = get(work, unlock_id)
    if asked.asked_by == work.person.person_id:
        raise NotAllowed("nobody agrees to what they asked for", hint="a second person has to")
    if asked.agreed_at is not None or asked.ended_at is not None:
        raise NotNow("this was decided already", hint="ask again")
    if not 0 < hours <= MOST_HOURS:
        raise Unfit(f"{hours:g} hours", hint=f"more than 0, at most {MOST_HOURS:g}")
    changed(work, t.unlocks, {"unlock_id": unlock_id}, version, f"unlock {unlock_id}", agreed_by=work.by,
            agreed_at=work.now, expires_at=work.now + timedelta(hours=hours))  # fmt: skip
    work.note("content.agree", name_of("K", asked.case_number), unlock=unlock_id, hours=hours)
    return get(work, unlock_id)


def end(work: Work, unlock_id: int, *, version: int) -> Unlock:
    """End an unlock before its time, or refuse what was asked for."""
    asked = get(work, unlock_id)
    if asked.asked_by != work.person.person_id:
        work.need(Permission.CONTENT_APPROVE)
    changed(work, t.unlocks, {"unlock_id": unlock_id}, version, f"unlock {unlock_id}", ended_at=work.now)
    work.note("content.end", name_of("K", asked.case_number), unlock=unlock_id)
    return get(work, unlock_id)


def get(work: Work, unlock_id: int) -> Unlock:
    """One unlock."""
    work.need(Permission.CASE_READ)
    row = work.conn.execute(select(t.unlocks).where(t.unlocks.c.unlock_id == unlock_id)).first()
    if row is None:
        raise NotFound(f"unlock {unlock_id}")
    return Unlock(**row._mapping)


def unlocks(work: Work, case_number: int | None = None) -> list[Unlock]:
    """Unlocks of a case or of all, the newest first."""
    work.need(Permission.CASE_READ)
    query = select(t.unlocks).order_by(t.unlocks.c.unlock_id.desc()).limit(500)
    if case_number is not None:
        query = query.where(t.unlocks.c.case_number == case_number)
    return [Unlock(**row._mapping) for row in work.conn.execute(query)]


def exemplars(work: Work, case_number: int, *, whole: bool = False) -> list[str]:
    """The prompt texts kept with a case, redacted unless asked for whole. Every call is on record."""
    work.need(Permission.CONTENT_READ)
    standing = [u for u in unlocks(work, case_number) if u.stands(work.now)]
    if not standing:
        raise NotAllowed(f"the text of {name_of('K', case_number)} is locked",
                         hint="ask for an unlock; a second person agrees to it")  # fmt: skip
    table = t.case_exemplars.c
    found = work.conn.execute(
        select(table.text).where(table.case_number == case_number).order_by(table.place)
    ).scalars()
    texts = list(found)
    work.note(
        "content.read", name_of("K", case_number), unlock=standing[0].unlock_id, texts=len(texts), whole=whole
    )
    return texts if whole else [redacted(text) for text in texts]


def redacted(text: str) -> str:
    """Text without addresses, links, keys and long numbers. Names of people stay: no pattern finds those.

    >>> redacted("mail ada@example.com or call +49 30 1234567; key sk-abcdefghijklmnop")
    'mail [address] or call [number]; key [key]'
    """
    for pattern, word in _REDACTED:
        text = pattern.sub(word, text)
    return text


def any_kept(work: Work, case_number: int) -> bool:
    """Whether there is any text to ask for."""
    work.need(Permission.CASE_READ)
    found: Any = work.conn.execute(
        select(t.case_exemplars.c.place).where(t.case_exemplars.c.case_number == case_number).limit(1)
    ).first()
    return found is not None
