"""Grants: who may distil, evaluate or resell, what, and until when."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from stillwatch.console.asked import AsAsked
from stillwatch.console.door import AtSite, from_a_form, may
from stillwatch.console.names import names
from stillwatch.console.render import page
from stillwatch.console.signin.sessions import Seen
from stillwatch.records import Permission
from stillwatch.respond import granting

router = APIRouter(include_in_schema=False)
Reads = Annotated[Seen, Depends(may(Permission.GRANT_READ))]
Edits = Annotated[Seen, Depends(may(Permission.GRANT_EDIT))]
FORM = [Depends(from_a_form)]
Text = Annotated[str, Form(max_length=2_100)]
_LIMIT = 100


@router.get("/grants")
def listing(request: Request, site: AtSite, seen: Reads, asked: AsAsked, all: str = "") -> Response:
    """Grants in force, those that end first in front; or all of them."""
    with site.desk.look(seen.person) as work:
        found = granting.listing(
            work, account_id=asked.q, in_force=not all, offset=asked.offset, limit=_LIMIT
        )
        called = names(work.conn, [g.added_by for g in found.rows])
    return page(
        request, "grants.html.j2", found=found, asked=asked, all=bool(all), called=called, now=site.now(),
        purposes=granting.PURPOSES,
    )  # fmt: skip


@router.post("/grants", dependencies=FORM)
def add(
    site: AtSite, seen: Edits, purpose: Text, valid_from: Annotated[date, Form()], valid_until: Annotated[date, Form()],
    account_id: Text = "", org_id: Text = "", models: Text = "", max_exchanges: Text = "", max_output_tokens: Text = "",
    note: Text = "",
) -> Response:  # fmt: skip
    """Record a permission."""
    with site.work(seen.person) as work:
        granting.add(
            work, account_id=account_id.strip() or None, org_id=org_id.strip() or None, purpose=purpose,
            models=tuple(m.strip() for m in models.split(",") if m.strip()), valid_from=_midnight(valid_from),
            valid_until=_midnight(valid_until), max_exchanges=_number(max_exchanges),
            max_output_tokens=_number(max_output_tokens), note=note,
        )  # fmt: skip
    return RedirectResponse("/grants?done=granted", status_code=303)


@router.post("/grants/revoke", dependencies=FORM)
def revoke(
    site: AtSite, seen: Edits, grant_id: Text, reason: Text, version: Annotated[int, Form(ge=0, le=2**31 - 1)]
) -> Response:
    """End a grant now."""
    with site.work(seen.person) as work:
        granting.revoke(work, grant_id, reason, version=version)
    return RedirectResponse("/grants?done=revoked", status_code=303)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _number(text: str) -> int | None:
    """A limit as typed; empty is none, nonsense is zero, which the registry refuses."""
    plain = text.replace(",", "").replace(" ", "")
    if not plain:
        return None
    return int(plain) if plain.isascii() and plain.isdecimal() and len(plain) < 19 else 0
