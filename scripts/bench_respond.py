"""How long the store of cases takes to answer when it is large.

Fills a store with cases whose accounts add up to a million (one of them a tenth of all), findings, events, plans and
appeals, then times what a list or a page asks for, and a whole import of a campaign of 25,000 accounts.

    python -m scripts.bench_respond --out docs/data/respond.json      SQLite in a temporary folder
    python -m scripts.bench_respond --store postgresql://u@h/empty    an empty PostgreSQL database
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from stillwatch.records import Case, CaseState, Person, Role
from stillwatch.respond import PROGRAM, Work, appeals, audit, bulk, cases, correcting, people, planning
from stillwatch.respond import tables as t
from stillwatch.store.sql import migrate, reading, writing
from stillwatch.wiring.desk import Desk
from stillwatch.wiring.takedown import collateral

START = datetime(2026, 1, 1, tzinfo=UTC)
ADMIN = Person(1, "ada", frozenset(Role))
LARGEST = 1
"""Number of the largest case."""


def fill(desk: Desk, accounts: int, seed: int) -> None:
    """Cases with Pareto sizes, the first a tenth of all accounts."""
    draw = random.Random(seed)  # noqa: S311  synthetic sizes
    with desk.work(PROGRAM) as work:
        people.add(work, ADMIN.name, ADMIN.roles)
    sizes = [accounts // 10]
    while sum(sizes) < accounts:
        sizes.append(min(int(draw.paretovariate(0.9) * 3), accounts // 50, accounts - sum(sizes)) or 1)
    made = 0
    with writing(desk.engine) as conn:
        for place, size in enumerate(sizes):
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


def _form(work: Work, case: Case) -> None:
    ahead = planning.outlook(work, case)
    collateral(work, case, ahead.bits, ahead.accounts - len(ahead.bits))


def _account(number: int, k: int, draw: random.Random) -> dict[str, Any]:
    name = hashlib.sha256(str(k).encode()).hexdigest()[:20]
    return {
        "case_number": number, "account_id": f"acct-{name}", "tier": "member", "membership_bits": draw.random() * 60,
        "extraction_share": draw.random(), "exchange_count": draw.randint(1, 9_000), "first_seen": START,
        "last_seen": START, "reasons": ["shares a payment card"], "present": True, "first_run": "r", "last_run": "r",
    }  # fmt: skip


ROWS: list[dict[str, Any]] = []
"""What was measured."""


def timed(name: str, ask: Callable[[], Any], times: int = 15) -> None:
    """Median and worst of several askings, in milliseconds."""
    spent = []
    for _ in range(times):
        begun = time.perf_counter()
        ask()
        spent.append((time.perf_counter() - begun) * 1000)
    median, worst = statistics.median(spent), max(spent)
    print(f"{name:48} median {median:8.1f} ms   worst {worst:8.1f} ms")
    ROWS.append({"asked": name, "median_ms": round(median, 1), "worst_ms": round(worst, 1), "times": times})


def main() -> None:
    """Fill, then ask."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--store", help="address of an empty database, or of one that was filled so")
    parser.add_argument("--out", type=Path, help="JSON file to keep the figures in")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = args.store or f"sqlite:///{Path(folder) / 'bench.db'}"
        with Desk.open(url) as desk:
            migrate(desk.engine)
            begun = time.perf_counter()
            with reading(desk.engine) as conn:
                there = bool(people.everybody(conn))
            if not there:
                fill(desk, args.accounts, args.seed)
                print(f"{url.split(':')[0]}, {args.accounts:,} accounts, seed {args.seed}: "
                      f"filled in {time.perf_counter() - begun:.0f} s", flush=True)  # fmt: skip
            ask(desk, LARGEST)
            kept = {
                "store": url.split(":")[0], "accounts": args.accounts, "largest": args.accounts // 10,
                "seed": args.seed, "python": platform.python_version(), "cores": os.cpu_count(), "rows": ROWS,
            }  # fmt: skip
    if args.out:
        args.out.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")


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
        timed("form of a plan for the largest case", lambda: _form(work, case))
        timed("accounts of a plan for the largest case", lambda: planning.targets(work, case), times=3)


if __name__ == "__main__":
    main()
