"""Grants: the registry of permitted distillation, evaluation, research, synthetic-data and reseller use.

It gives exactly the rows that a scan and a gate read (:data:`~stillwatch.records.GRANT_SCHEMA`), so both draw on one
source. A grant is never changed: it is revoked, and another is added.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select

from stillwatch.records import Grant, Page, Permission
from stillwatch.respond import tables as t
from stillwatch.respond.columns import escaped
from stillwatch.respond.errors import NotFound, NotNow, Unfit
from stillwatch.respond.work import Work, changed

PURPOSES = ("distillation", "evaluation", "research", "synthetic_data", "reseller")
_LONGEST_ID, _LONGEST_NOTE, _MOST_MODELS, _MOST = 1_000, 2_000, 200, 2**62


def add(
    work: Work, *, account_id: str | None = None, org_id: str | None = None, purpose: str, models: tuple[str, ...] = (),
    valid_from: datetime, valid_until: datetime, max_exchanges: int | None = None, max_output_tokens: int | None = None,
    note: str = "", grant_id: str | None = None,
) -> Grant:  # fmt: skip
    """Record a permission."""
    work.need(Permission.GRANT_EDIT)
    if not account_id and not org_id:
        raise Unfit("a grant to nobody", hint="name an account or an organisation")
    if purpose not in PURPOSES:
        raise Unfit(f"no such purpose: {purpose[:80]}", hint=f"one of {', '.join(PURPOSES)}")
    if valid_until <= valid_from:
        raise Unfit(
            "the grant ends before it begins", hint="valid_until is the first moment without permission"
        )
    for name, value in (("max_exchanges", max_exchanges), ("max_output_tokens", max_output_tokens)):
        if value is not None and not 0 < value < _MOST:
            raise Unfit(f"{name} of {value}", hint="a number above zero, or none for no limit")
    grant_id = grant_id or f"GR-{secrets.token_hex(5)}"
    for text in (grant_id, account_id or "", org_id or "", *models):
        if len(escaped(text).encode("utf-8")) > _LONGEST_ID or "\x00" in text:
            raise Unfit("an id that is too long or holds a zero byte", hint=f"at most {_LONGEST_ID} bytes")
    if len(note) > _LONGEST_NOTE or len(models) > _MOST_MODELS:
        raise Unfit(
            "a note or a list of models that is too long",
            hint=f"{_LONGEST_NOTE:,} characters, {_MOST_MODELS}",
        )
    if _row(work, grant_id) is not None:
        raise Unfit(f"there is already a grant {grant_id}", hint="choose another id, or let one be made")
    named = tuple(m for m in models if m != "*") if "*" not in models else ()
    work.conn.execute(t.grants.insert().values(
        grant_id=grant_id, account_id=account_id or None, org_id=org_id or None, purpose=purpose, models=list(named),
        valid_from=valid_from, valid_until=valid_until, max_exchanges=max_exchanges,
        max_output_tokens=max_output_tokens, note=note, added_by=work.by, added_at=work.now, version=1))  # fmt: skip
    work.note(
        "grant.add", grant_id, account=account_id, org=org_id, purpose=purpose, until=valid_until.isoformat()
    )
    return get(work, grant_id)


def get(work: Work, grant_id: str) -> Grant:
    """One grant."""
    work.need(Permission.GRANT_READ)
    row = _row(work, grant_id)
    if row is None:
        raise NotFound(f"grant {grant_id[:80]}", hint="`stillwatch grant list` shows what there is")
    return _grant(row)


def revoke(work: Work, grant_id: str, reason: str, *, version: int) -> Grant:
    """End a grant now. It stays in the registry, and covers what was served before."""
    work.need(Permission.GRANT_EDIT)
    grant = get(work, grant_id)
    if grant.revoked_at is not None:
        raise NotNow(f"grant {grant_id} was revoked already", hint="nothing to do")
    changed(
        work,
        t.grants,
        {"grant_id": grant_id},
        version,
        f"grant {grant_id}",
        revoked_at=work.now,
        revoked_by=work.by,
    )
    work.note("grant.revoke", grant_id, reason=reason[:500])
    return get(work, grant_id)


def listing(
    work: Work,
    *,
    account_id: str = "",
    org_id: str = "",
    in_force: bool = False,
    offset: int = 0,
    limit: int = 100,
) -> Page:
    """A page of grants, those that end first in front."""
    work.need(Permission.GRANT_READ)
    g = t.grants.c
    where: list[ColumnElement[bool]] = []
    if account_id:
        where.append(g.account_id == account_id)
    if org_id:
        where.append(g.org_id == org_id)
    if in_force:
        where += [g.revoked_at.is_(None), g.valid_from <= work.now, g.valid_until > work.now]
    total = work.conn.execute(select(func.count()).select_from(t.grants).where(*where)).scalar_one()
    found = work.conn.execute(
        select(t.grants).where(*where).order_by(g.valid_until, g.grant_id).offset(offset).limit(limit)
    )
    return Page(tuple(_grant(row) for row in found), total, offset, limit)


def export(work: Work) -> list[dict[str, Any]]:
    """Every grant as a row of GRANT_SCHEMA. A revoked one ends when it was revoked; one revoked before it began is
    left out, for it never held."""
    work.need(Permission.GRANT_READ)
    rows = []
    for row in work.conn.execute(select(t.grants).order_by(t.grants.c.grant_id)):
        grant = _grant(row)
        end = min(grant.valid_until, grant.revoked_at) if grant.revoked_at else grant.valid_until
        if end > grant.valid_from:
            rows.append({
                "grant_id": grant.grant_id, "account_id": grant.account_id, "org_id": grant.org_id,
                "purpose": grant.purpose, "models": list(grant.models) or ["*"], "valid_from": grant.valid_from,
                "valid_until": end, "max_exchanges": grant.max_exchanges, "max_output_tokens": grant.max_output_tokens,
                "note": grant.note or None,
            })  # fmt: skip
    return rows


def _row(work: Work, grant_id: str) -> Any:
    return work.conn.execute(select(t.grants).where(t.grants.c.grant_id == grant_id)).first()


def _grant(row: Any) -> Grant:
    return Grant(**{**row._mapping, "models": tuple(row.models)})
