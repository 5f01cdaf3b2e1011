"""How long the store of cases takes to answer when it is large.

Fills a store with cases whose accounts add up to a million (one of them a tenth of all), findings, events, plans and
appeals, then times what a list or a page asks for, and a whole import of a campaign of 25,000 accounts.

    python -m scripts.bench_respond                                   SQLite in a temporary folder
    python -m scripts.bench_respond --store postgresql://u@h/empty    an empty PostgreSQL database
"""

from __future__ import annotations

import argparse
import hashlib
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from stillwatch.records import CaseState, Person, Role
from stillwatch.respond import PROGRAM, Work, appeals, audit, bulk, cases, correcting, planning
from stillwatch.respond import tables as t
from stillwatch.store.sql import migrate, reading, writing
from stillwatch.wiring.desk import Desk

START = datetime(2026, 1, 1, tzinfo=UTC)
ADMIN = Person(1, "ada", frozenset(Role))


def fill(desk: Desk, accounts: int, seed: int) -> int:
    """Cases with Pareto sizes, the largest a tenth of all accounts; returns the number of the largest."""
    draw = random.Random(seed)  # noqa: S311  synthetic sizes
    with desk.work(PROGRAM) as work:
        from stillwatch.respond import people

        people.add(work, ADMIN.name, ADMIN.roles)
    sizes = [accounts // 10]
    while sum(sizes) < accounts:
        sizes.append(min(int(draw.paretovariate(0.9) * 3), accounts // 50, accounts - sum(sizes)) or 1)
    made = 0
    for place, size in enumerate(sizes):
        with writing(desk.engine) as conn:
            work = Work(conn, ADMIN, START + timedelta(minutes=place))
            number = cases.insert(work, title=f"Campaign {place}", kind="campaign", account_count=size,
                                  state=draw.choice([s.value for s in CaseState]))  # fmt: skip
            bulk.insert(conn, t.case_accounts, [_account(number, made + k, draw) for k in range(size)])
            bulk.insert(conn, t.case_events, [
                {"case_number": number, "at": work.now, "person_id": 1, "kind": "note", "text": "seen", "hours": 0.0,
                 "details": {}} for _ in range(draw.randint(2, 40))
            ])  # fmt: skip
            bulk.insert(conn, t.case_traits, [
                {"case_number": number, "trait": f"trait-{k}", "value": f"d:{place}-{k}", "family": "identity",
                 "control": True, "reference_share": 1e-5, "members": size, "run_id": "r", "cleared_at": None}
                for k in range(6)
            ])  # fmt: skip
            audit.append(conn, ADMIN, work.now, [audit.Note("case.open", f"K-{number}")])
        made += size
    return 1


def _account(number: int, k: int, draw: random.Random) -> dict[str, Any]:
    name = hashlib.sha256(str(k).encode()).hexdigest()[:20]
    return {
        "case_number": number, "account_id": f"acct-{name}", "tier": "member", "membership_bits": draw.random() * 60,
        "extraction_share": draw.random(), "exchange_count": draw.randint(1, 9_000), "first_seen": START,
        "last_seen": START, "reasons": ["shares a payment card"], "present": True, "first_run": "r", "last_run": "r",
    }  # fmt: skip


def timed(name: str, ask: Callable[[], Any], times: int = 15) -> None:
    """Median and worst of several askings, in milliseconds."""
    spent = []
    for _ in range(times):
        begun = time.perf_counter()
        ask()
        spent.append((time.perf_counter() - begun) * 1000)
    print(f"{name:48} median {statistics.median(spent):8.1f} ms   worst {max(spent):8.1f} ms")


def main() -> None:
    """Fill, then ask."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--store", help="address of an empty database")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = args.store or f"sqlite:///{Path(folder) / 'bench.db'}"
        with Desk.open(url) as desk:
            migrate(desk.engine)
            begun = time.perf_counter()
            largest = fill(desk, args.accounts, args.seed)
            print(f"{url.split(':')[0]}, {args.accounts:,} accounts, seed {args.seed}: "
                  f"filled in {time.perf_counter() - begun:.0f} s")  # fmt: skip
            ask(desk, largest)


def ask(desk: Desk, largest: int) -> None:
    """What lists and pages ask for."""
    with reading(desk.engine) as conn:
        work = Work(conn, ADMIN, START)
        some = cases.accounts(work, largest, limit=1).rows[0].account_id
        case = cases.get(work, largest)
        print(f"{cases.listing(work).total:,} cases, the largest with {case.account_count:,} accounts")
        timed("list of cases", lambda: cases.listing(work))
        timed("open cases by accounts", lambda: cases.listing(
            work, cases.CaseFilter(states=(CaseState.OPEN,)), order="accounts"))  # fmt: skip
        timed("part of a title", lambda: cases.listing(work, cases.CaseFilter(words="ign 77")))
        timed("case, timeline, links", lambda: (
            cases.get(work, largest), cases.timeline(work, largest), cases.links(work, largest)))  # fmt: skip
        timed("first page of the largest case", lambda: cases.accounts(work, largest))
        timed("page 500 of the largest case", lambda: cases.accounts(work, largest, offset=50_000))
        timed("accounts by beginning of id", lambda: cases.accounts(work, largest, search="acct-7f"))
        timed("cases of an account", lambda: cases.listing(work, cases.CaseFilter(account_id=some)))
        timed("appeals and overturn rate", lambda: (appeals.listing(work), correcting.overturned(work)))
        timed("audit record, newest page", lambda: audit.entries(conn))
        timed("targets of a plan for the largest case", lambda: planning.targets(work, case), times=3)


if __name__ == "__main__":
    main()
