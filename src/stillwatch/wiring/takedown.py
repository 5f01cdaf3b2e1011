"""Jobs around cases and plans: file a run, estimate what a plan costs the innocent, carry a plan out."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from stillwatch.protect.estimate import TouchedGroup, estimate
from stillwatch.records import Case, Kind, Permission, Person, Plan, PlanState, Sent, Step
from stillwatch.report.files import load_result
from stillwatch.report.tables import campaign_row, dumps
from stillwatch.respond import outbox, planning
from stillwatch.respond import tables as t
from stillwatch.respond.importing import Imported, file_run
from stillwatch.respond.work import Work
from stillwatch.settings import Settings
from stillwatch.wiring.desk import Desk
from stillwatch.wiring.executors import Executor, executor_for, may_notify
from stillwatch.wiring.progress import Progress
from stillwatch.wiring.runs import run_id_of

PATIENCE_S = 120.0
"""How long a run waits for steps to become due before it ends and says when to come again."""


def import_run(desk: Desk, person: Person, run: Path, *, progress: Progress) -> Imported:
    """File the output folder of a scan under cases.

    Raises
    ------
    SourceError
        The folder is not the output of a scan.
    """
    progress.step("reading the run")
    result = load_result(run)
    run_id = run_id_of(run)
    progress.step("filing campaigns")
    with desk.work(person) as work:
        return file_run(work, result, run_id=run_id, label=run.name,
                        row_of=lambda c: json.loads(dumps(campaign_row(c))))  # fmt: skip


def collateral(work: Work, case: Case, bits: Sequence[float], others: int) -> dict[str, Any]:
    """How many of a plan's accounts may be innocent: the estimator that `policy simulate` uses.

    ``bits`` of membership are those of its firm members; of the ``others`` nothing is stated.
    """
    run = work.conn.execute(
        select(t.runs.c.account_count, t.runs.c.campaign_count).where(t.runs.c.run_id == case.run_id)
    ).first()
    count = len(bits) + others
    rated = tuple(sorted(bits)) if case.kind == Kind.CAMPAIGN.value and run else ()
    group = TouchedGroup(case.false_discovery_rate or 0.0, rated)
    found = estimate([group] if rated else [], count - len(rated), accounts=run.account_count if run else 0,
                     groups=run.campaign_count if run else 0)  # fmt: skip
    return {
        "accounts": count, "rated": found.rated, "expected": round(found.expected, 4),
        "strangers": found.strangers, "low": found.low, "high": found.high, "unrated": found.unrated,
    }  # fmt: skip


def make_plan(
    desk: Desk, person: Person, case_number: int, wanted: planning.Wanted, *, settings: Settings
) -> Plan:
    """Make a plan, with its estimate; refuses one whose notices could not be sent."""
    if wanted.notices:
        may_notify(wanted.executor, settings)
    with desk.work(person) as work:
        return planning.make(
            work, case_number, wanted, estimate=lambda case, bits, others: collateral(work, case, bits, others),
            two_above=settings.respond.two_above,
        )  # fmt: skip


def terms_of(settings: Settings) -> outbox.Terms:
    """Appeals and tripwires as the settings have them."""
    r = settings.respond
    url = r.appeal_url or outbox.Terms().appeal_url
    return outbox.Terms(url, r.appeal_days, r.tripwire_days)


def run_plan(
    desk: Desk, person: Person, number: int, *, settings: Settings, progress: Progress, again_failed: bool = False,
    executor: Executor | None = None, env: Mapping[str, str] = os.environ, sleep: Callable[[float], None] = time.sleep,
    patience_s: float = PATIENCE_S,
) -> dict[str, Any]:  # fmt: skip
    """Carry out what a plan has in its outbox, from where it stands; safe to call again after any ending.

    Returns
    -------
    dict
        ``plan``, ``steps`` (by kind and state) and ``due`` (when there is more to do; None when finished).
    """
    terms, hold = terms_of(settings), settings.respond.hold_s
    with desk.work(person) as work:
        work.need(Permission.PLAN_RUN)
        plan = planning.read(work, number)
    hands = executor or executor_for(plan, settings, env)
    try:
        with desk.work(person) as work:
            plan = outbox.start(work, number, version=plan.version, terms=terms, again_failed=again_failed)
        progress.step(
            f"{plan.id}: {'taking back' if plan.state is PlanState.UNDOING else plan.measure.value}"
        )
        due = _carry_out(
            desk, person, number, hands, terms, hold, settings.respond.parallel, progress, sleep, patience_s
        )
    finally:
        hands.close()
    with desk.look(person) as work:
        return {"plan": planning.read(work, number), "steps": planning.progress(work, number), "due": due}


def _carry_out(
    desk: Desk, person: Person, number: int, hands: Executor, terms: outbox.Terms, hold_s: float, parallel: int,
    progress: Progress, sleep: Callable[[float], None], patience_s: float,
) -> datetime | None:  # fmt: skip
    with ThreadPoolExecutor(parallel) as pool:
        while True:
            with desk.work(person) as work:
                plan = planning.read(work, number)
                claim = outbox.claim(work, number, limit=parallel, hold_s=hold_s, terms=terms)
            if not claim.orders:
                if claim.wait_until is None:
                    return None
                pause = (claim.wait_until - desk.now()).total_seconds()
                if pause > patience_s:
                    return claim.wait_until
                if pause > 0:
                    progress.advance(0.0)
                    sleep(min(max(pause, 0.05), 1.0))
                continue
            found = list(pool.map(lambda order: _sent(hands, order), claim.orders))
            with desk.work(person) as work:
                outbox.settle(work, plan, found)
            progress.advance(len(found))


def _sent(hands: Executor, order: outbox.Order) -> tuple[Step, Sent]:
    return order.step, hands.send(order.payload)


def undo_plan(
    desk: Desk, person: Person, number: int, reason: str, *, accounts: Sequence[str] = (), settings: Settings,
    progress: Progress, **options: Any,
) -> dict[str, Any]:  # fmt: skip
    """Take a plan back, at once."""
    with desk.work(person) as work:
        outbox.undo(work, number, reason, accounts=accounts)
    return run_plan(desk, person, number, settings=settings, progress=progress, **options)
