"""How far verdicts hang on what they are compared with: a poisoned reference cohort, and one organisation left out.

A cohort is *poisoned* at a share when that part of its accounts belongs to the world's own campaigns and has been
taken for verified businesses. It is fitted on the traffic of the scanned week itself, which is the worst case for the
share: the campaigns' exits, clients and wordings stand in the reference as they are.

One organisation is *left out* by scanning a world again without its accounts and exchanges. A verdict flips when an
account that stayed is member in one scan and not in the other, or is put to a person (review or act) in one alone.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from scripts.lab_run import FINE, a_key, generate, scan_arguments, score, stillwatch

SCALE = 0.35
SHARES = (0.0, 0.01, 0.05)
POISON = [(f"ladder_L{level}", 461) for level in (0, 1, 2, 4)]
LEAVE_OUT = [("ladder_L1", 471), ("ladder_L4", 471)]
LARGEST, DRAWN = 6, 6
"""Organisations left out of a world: those with most accounts in the groups found, and others drawn from them."""
SUITES = ("poison", "leave_out")
TRUSTED = ("identity", "business")


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What a scan says of accounts."""

    members: frozenset[str]
    asked: frozenset[str]
    """At review or act."""

    @classmethod
    def of(cls, run: Path) -> Verdicts:
        """Read a report folder."""
        tiers = pq.read_table(run / "members.parquet", columns=["account_id", "tier"])
        hints = pq.read_table(run / "accounts.parquet", columns=["account_id", "disposition_hint"])
        return cls(
            frozenset(tiers.filter(pc.equal(tiers["tier"], "member"))["account_id"].to_pylist()),
            frozenset(
                hints.filter(pc.is_in(hints["disposition_hint"], pa.array(["review", "act"])))[
                    "account_id"
                ].to_pylist()
            ),
        )

    def flips(self, other: Verdicts, gone: frozenset[str]) -> dict[str, int]:
        """Accounts that stayed and of which the two say different things.

        >>> a, b = Verdicts(frozenset("abc"), frozenset("a")), Verdicts(frozenset("a"), frozenset("ad"))
        >>> a.flips(b, frozenset("c"))
        {'member': 1, 'asked': 1}
        """
        return {
            "member": len((self.members ^ other.members) - gone),
            "asked": len((self.asked ^ other.asked) - gone),
        }


def cohort(traffic: Path, share: float, seed: int) -> tuple[pa.Table, int]:
    """Accounts of a reference cohort of which ``share`` are a campaign's; and how many these are.

    The honest part are all honest accounts that a service has verified or known by name. The rest are drawn from
    the accounts of campaigns and carry the verification that the attacker got for them.
    """
    accounts = pq.read_table(traffic / "accounts.parquet")
    truth = pq.read_table(traffic / "truth" / "accounts.parquet", columns=["account_id", "campaign_id"])
    guilty = truth.filter(pc.is_valid(truth["campaign_id"]))["account_id"]
    is_guilty = pc.is_in(accounts["account_id"], guilty.combine_chunks())
    known = pc.or_(pc.is_in(accounts["verification"], pa.array(TRUSTED)), pc.is_valid(accounts["org_id"]))
    honest = accounts.filter(pc.and_(pc.invert(is_guilty), known))
    count = round(share * len(honest) / (1.0 - share))
    bad = accounts.filter(is_guilty)
    rows = sorted(random.Random(seed).sample(range(len(bad)), min(count, len(bad))))  # noqa: S311  (no secret)
    bad = bad.take(pa.array(rows, pa.int64()))
    bad = bad.set_column(
        bad.schema.get_field_index("verification"),
        "verification",
        pa.array(["business"] * len(bad), pa.string()),
    )
    return pa.concat_tables([honest, bad]), len(bad)


def poisoned(work: Path, scenario: str, seed: int) -> Iterator[dict[str, Any]]:
    """One world scanned with a cohort of its own, at every share."""
    folder = work / f"poison-{scenario}-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    generate(scenario, seed, SCALE, folder / "world")
    key = a_key(work)
    for share in SHARES:
        table, count = cohort(folder / "world", share, seed)
        known, fitted = folder / f"known-{share}.parquet", folder / f"baseline-{share}"
        pq.write_table(table, known)
        stillwatch(
            "baseline", "fit", folder / "world" / "exchanges", "--accounts", known, "--name", f"cohort {share:g}",
            "--key-file", key, "--out", fitted, "-q",
        )  # fmt: skip
        run = folder / f"run-{share}"
        arguments = scan_arguments(folder / "world", run, key)
        stillwatch(*arguments, "--baseline", fitted, "--json", "-q", fine=FINE, capture=True)
        scored = score(run, folder / "world", work / "stability.ledger.jsonl")
        yield {
            "suite": "poison", "scenario": scenario, "seed": seed, "scale": SCALE, "share": share,
            "cohort": len(table), "poisoned": count, "score": scored,
        }  # fmt: skip
    shutil.rmtree(folder)


def without(traffic: Path, out: Path, gone: frozenset[str]) -> None:
    """A world's traffic without some accounts; the truth stays where it is."""
    shutil.rmtree(out, ignore_errors=True)
    (out / "exchanges").mkdir(parents=True)
    names = pa.array(sorted(gone))

    def left(table: pa.Table) -> pa.Table:
        return table.filter(pc.invert(pc.is_in(table["account_id"], names)))

    for part in sorted((traffic / "exchanges").glob("*.parquet")):
        pq.write_table(left(pq.read_table(part)), out / "exchanges" / part.name)
    pq.write_table(left(pq.read_table(traffic / "accounts.parquet")), out / "accounts.parquet")
    for path in traffic.glob("*.jsonl"):
        shutil.copy(path, out / path.name)


def organisations(traffic: Path, run: Path, seed: int) -> list[frozenset[str]]:
    """Whom to leave out: the honest organisations with most accounts in groups, and others that have any there.

    Organisations are those of the truth, whether declared or not; each account of a campaign is one of its own,
    as it pretends to be.
    """
    truth = pq.read_table(traffic / "truth" / "accounts.parquet").to_pylist()
    org = {r["account_id"]: r["account_id"] if r["campaign_id"] else r["org_key"] for r in truth}
    whole: dict[str, set[str]] = {}
    for account, name in org.items():
        whole.setdefault(name, set()).add(account)
    seen: dict[str, int] = {}
    for account in pq.read_table(run / "members.parquet", columns=["account_id"])["account_id"].to_pylist():
        seen[org[account]] = seen.get(org[account], 0) + 1
    ranked = sorted(seen, key=lambda name: (-seen[name], name))
    others = ranked[LARGEST:]
    drawn = random.Random(seed).sample(others, min(DRAWN, len(others)))  # noqa: S311  (no secret)
    return [frozenset(whole[name]) for name in ranked[:LARGEST] + drawn]


def left_out(work: Path, scenario: str, seed: int) -> Iterator[dict[str, Any]]:
    """One world scanned whole, and again without each of some organisations."""
    folder = work / f"leave-{scenario}-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    generate(scenario, seed, SCALE, folder / "world")
    key = a_key(work)
    whole = folder / "run"
    stillwatch(*scan_arguments(folder / "world", whole, key), "--json", "-q", fine=FINE, capture=True)
    before = Verdicts.of(whole)
    truth = pq.read_table(folder / "world" / "truth" / "accounts.parquet").to_pylist()
    kind = {r["account_id"]: r["campaign_id"] or r["class"] for r in truth}
    for gone in organisations(folder / "world", whole, seed):
        without(folder / "world", folder / "less", gone)
        run = folder / "run-less"
        stillwatch(*scan_arguments(folder / "less", run, key), "--json", "-q", fine=FINE, capture=True)
        yield {
            "suite": "leave_out", "scenario": scenario, "seed": seed, "scale": SCALE,
            "of": kind[min(gone)], "accounts": len(gone), "members": len(before.members - gone),
            "asked": len(before.asked - gone), "flips": before.flips(Verdicts.of(run), gone),
        }  # fmt: skip
    shutil.rmtree(folder)


def complete(rows: list[dict[str, Any]]) -> bool:
    """Whether every world has its rows.

    >>> complete([])
    False
    """
    found = {(r["suite"], r["scenario"], r["seed"]) for r in rows}
    wanted = {("poison", *w) for w in POISON} | {("leave_out", *w) for w in LEAVE_OUT}
    return wanted <= found


def rows(work: Path, jobs: int, stamp: str) -> list[dict[str, Any]]:
    """All rows; a world that is done is kept in ``work`` under the digest of the program that made it."""
    work.mkdir(parents=True, exist_ok=True)
    tasks = [(poisoned, *world) for world in POISON] + [(left_out, *world) for world in LEAVE_OUT]

    def one(task: Any) -> list[dict[str, Any]]:
        make, scenario, seed = task
        kept = work / f"{make.__name__}-{scenario}-{seed}.json"
        if kept.exists():
            found: dict[str, Any] = json.loads(kept.read_text("utf-8"))
            if found["stamp"] == stamp:
                out: list[dict[str, Any]] = found["rows"]
                return out
        made = list(make(work, scenario, seed))
        kept.write_text(json.dumps({"stamp": stamp, "rows": made}), encoding="utf-8")
        return made

    a_key(work)
    with ThreadPoolExecutor(jobs) as pool:
        return [row for found in pool.map(one, tasks) for row in found]
