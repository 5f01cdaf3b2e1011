"""How long pages take on a run of a million accounts and campaigns of 100,000 members, filed into a store.

    python -m scripts.bench_console --accounts 1000000 --members 100000 --out docs/data/console.json

Prints, and with ``--out`` keeps for docs/console.md, milliseconds by page: median, 95th percentile and
worst of some requests each, asked in this process, so that neither a network nor a browser is in the figure; the first
request, which finds caches empty, apart, in a process that has done what a console does when it starts and no more; and
the median of what the processors worked on it, all threads together, which is what remains comparable on a machine that
has other things to do. Nothing is tuned on it and no test depends on it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pyarrow as pa

from stillwatch.console.app import make_app
from stillwatch.console.running import Quiet
from stillwatch.console.serving import Places, first_admin, open_site
from stillwatch.console.site import Site
from stillwatch.console.warming import warm
from stillwatch.records import (
    Campaign,
    Confidence,
    Evidence,
    Family,
    Kind,
    Measure,
    Member,
    Role,
    ScanResult,
    Tier,
)
from stillwatch.report.files import write_result
from stillwatch.respond import people
from stillwatch.respond.planning import Wanted
from stillwatch.settings import Settings
from stillwatch.wiring.takedown import import_run, make_plan

START = datetime(2026, 10, 1, tzinfo=UTC)
TRAITS = (
    ("payment", Family.IDENTITY),
    ("template", Family.CONTENT),
    ("address_block", Family.INFRASTRUCTURE),
)
COLUMNS = ("median_ms", "p95_ms", "worst_ms", "first_ms", "worked_ms")
SMALL, EACH = 20, 500
"""Smaller campaigns beside the large one, and their members."""


def campaign(name: str, members: int) -> Campaign:
    """A campaign of a size, with the parts that a page draws."""
    evidence = tuple(
        Evidence(trait, family, f"{trait}:7", members, 0.001, 3.0, 20.0, family is Family.IDENTITY, 40.0)
        for trait, family in TRAITS
    )  # fmt: skip
    hours = tuple((START + timedelta(hours=h), members) for h in range(24 * 30))
    edges = tuple((f"acct-{i:07d}", e.trait, f"{e.trait}:{i % 9}") for i in range(130) for e in evidence)
    return Campaign(
        name, Kind.CAMPAIGN, START, START + timedelta(days=30), members, members * 40, members * 9_000, 60.0, 0.001,
        900, 0.01, {f: 30.0 for f in Family}, 0.7, 0.65, 0.75, ("math", "code"), (), Confidence.HIGH, False,
        f"{members} accounts act as if run by one controller.", evidence=evidence, timeline=hours,
        model_timeline=tuple((m, h, n) for m in ("larch-4", "larch-5") for h, n in hours),
        models=(("larch-4", members), ("larch-5", members)), edges=edges,
        taken=(("math", members * 30, members * 7_000),),
        innocent=(("A reseller with many customers", "Against: one work queue."),), would_change=("A grant.",),
    )  # fmt: skip


def a_run(folder: Path, accounts: int, members: int) -> Path:
    """A run folder of that size."""
    sizes = [members, *[EACH] * SMALL]
    campaigns, rows, owner, at = [], [], {}, 0
    for place, size in enumerate(sizes):
        made = campaign(f"C-{place:03d}", size)
        campaigns.append(made)
        for number in range(at, at + size):
            name = f"acct-{number:07d}"
            owner[number] = made.campaign_id
            tier = Tier.MEMBER if number % 10 else Tier.ASSOCIATED
            rows.append(Member(made.campaign_id, name, tier, 20.0 + number % 97 / 7, 0.7, 40 + number % 900, START,
                               START + timedelta(days=30), ("payment: 10^2.5 for belonging",)))  # fmt: skip
        at += size
    table = pa.table({
        "account_id": [f"acct-{n:07d}" for n in range(accounts)],
        "exchange_count": [40 + n % 900 for n in range(accounts)],
        "campaign_id": pa.array([owner.get(n) for n in range(accounts)], pa.string()),
        "disposition_hint": ["review" if n in owner else "none" for n in range(accounts)],
        "abstentions": pa.array([[]] * accounts, pa.list_(pa.string())),
    })  # fmt: skip
    summary = {"counts": {"accounts": accounts, "exchanges": accounts * 40}, "settings_digest": "0" * 64}
    write_result(
        ScanResult(tuple(campaigns), tuple(rows), (), (), table, summary), folder / "run", (), "page"
    )
    return folder / "run"


def ask(site: Site, token: str, paths: list[str], times: int) -> dict[str, list[tuple[float, float]]]:
    """Milliseconds (by the clock, worked) of each request of a page, in order."""

    app = make_app(site)
    warm(app, site)  # as `serve_console` does before it says that it listens

    async def all_of_them() -> dict[str, list[tuple[float, float]]]:
        out: dict[str, list[tuple[float, float]]] = {}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=600) as client:
            client.cookies.set("stillwatch", token)
            for path in paths:
                taken = []
                for _ in range(times + 1):
                    since, worked = time.perf_counter(), time.process_time()
                    answer = await client.get(path)
                    taken.append(
                        ((time.perf_counter() - since) * 1000, (time.process_time() - worked) * 1000)
                    )
                    assert answer.status_code == 200, (path, answer.status_code)  # noqa: S101
                out[path] = taken
        return out

    return asyncio.run(all_of_them())


def opened(folder: Path) -> Site:
    """The console on what `furnish` left."""
    return open_site(Places(folder / "run", f"sqlite:///{folder / 'store.db'}", folder), Settings(), {})


def closed(site: Site) -> None:
    """Let go of it."""
    site.simulations.close()
    site.runner.close()
    site.desk.close()


def furnish(folder: Path, accounts: int, members: int) -> None:
    """A run of that size, filed, with a plan for all members of the largest campaign."""
    a_run(folder, accounts, members)
    site = opened(folder)
    made = first_admin(site)
    assert made is not None  # noqa: S101  the store is fresh
    with site.work(made[0]) as work:
        ana = people.add(work, "ana", [Role.ANALYST, Role.AUDITOR])
    since = time.perf_counter()
    import_run(site.desk, ana, folder / "run", progress=Quiet())
    print(f"filed in {time.perf_counter() - since:.1f} s", flush=True)
    since = time.perf_counter()
    make_plan(site.desk, ana, 1, Wanted(Measure.BLOCK), settings=site.settings)
    print(f"a plan for all of them made in {time.perf_counter() - since:.1f} s", flush=True)
    closed(site)


def main() -> None:
    """Make it, file it, ask."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--members", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=20, help="requests of each page behind the first")
    parser.add_argument(
        "--folder", type=Path, help="keep run and store there; what an earlier call left is asked again"
    )
    parser.add_argument("--out", type=Path, help="JSON file to keep the figures in")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stillwatch-bench-") as name:
        folder = args.folder or Path(name)
        if not (
            folder / "store.db"
        ).exists():  # in a process of its own: this one is as fresh as a console that starts
            maker = multiprocessing.get_context("spawn").Process(
                target=furnish, args=(folder, args.accounts, args.members)
            )
            maker.start()
            maker.join()
            if maker.exitcode:
                raise SystemExit("the store could not be made")
        site = opened(folder)
        someone = site.kept.by_name("ana")
        assert someone is not None  # noqa: S101  added when it was furnished
        token = site.sessions.open(someone, "bench", site.now())
        paths = [
            "/", "/campaigns/C-000", "/campaigns/C-000/members?sort=exchange_count&down=1&offset=50000",
            "/campaigns/C-000/members?q=0099", "/accounts", "/accounts?q=77", "/accounts/acct-0000042", "/cases",
            "/cases/K-1", "/cases/K-1/plan", "/plans", "/plans/P-1", "/plans/P-1?offset=50000", "/policy", "/appeals",
            "/audit",
        ]  # fmt: skip
        rows = []
        print(f"{'page':<62}{'median':>8}{'p95':>8}{'worst':>8}{'first':>8}{'worked':>8}   ms")
        for path, taken in ask(site, token, paths, args.times).items():
            warm = sorted(ms for ms, _ in taken[1:])
            p95 = warm[min(len(warm) - 1, int(0.95 * len(warm)))]
            worked = statistics.median(ms for _, ms in taken[1:])
            row = (statistics.median(warm), p95, warm[-1], taken[0][0], worked)
            print(f"{path:<62}" + "".join(f"{ms:>8.0f}" for ms in row))
            rows.append({"page": path} | {name: round(ms, 1) for name, ms in zip(COLUMNS, row, strict=True)})
        kept = {
            "accounts": site.run.facts.accounts, "members": site.run.campaigns["C-000"].account_count,
            "times": args.times, "python": platform.python_version(), "cores": os.cpu_count(), "rows": rows,
        }  # fmt: skip
        if args.out:
            args.out.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
        closed(site)


if __name__ == "__main__":
    main()
