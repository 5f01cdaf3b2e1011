"""How long a live decision takes: percentiles in process, size of the risk table, the pause of a hot reload.

A table of a million accounts and a policy of 200 rules are made up; requests are drawn over accounts in and out of
the table. Figures are printed, and written as JSON with ``--out``.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import resource
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from scripts.bench import machine
from stillwatch.protect.decide import decide
from stillwatch.protect.policy import Policy, parse_policy
from stillwatch.protect.risk import RiskTable
from stillwatch.protect.risk_build import build, write_table
from stillwatch.records import Facts, Request
from stillwatch.wiring.gate_folder import RISK, write_switches
from stillwatch.wiring.policy import Gate

MODELS = ("m-large", "m-small", "m-code", "e-embed")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def a_table(accounts: int) -> pa.Table:
    """A risk table in which every account stands in a group."""
    draw = np.random.default_rng(1)
    names = pa.array([f"acct-{i:07d}" for i in range(accounts)])
    campaign = pa.array([f"G-{i:010x}" for i in draw.integers(0, 2_000, accounts).tolist()])
    groups = pa.Table.from_pylist(
        [{"campaign_id": f"G-{i:010x}", "kind": ("campaign", "pool")[i % 2], "confidence": "high",
          "false_discovery_rate": 0.01, "bits_timing": 30.0, "bits_identity": 12.0} for i in range(2_000)]
    )  # fmt: skip
    tiers = pa.array(np.array(["member", "associated", "watch"])[draw.integers(0, 3, accounts)])
    members = pa.table({"account_id": names, "campaign_id": campaign, "tier": tiers,
                        "membership_bits": draw.uniform(10, 60, accounts),
                        "extraction_share": draw.uniform(0, 1, accounts)})  # fmt: skip
    hints = pa.array(np.array(["watch", "review", "act"])[draw.integers(0, 3, accounts)])
    seen = pa.table({"account_id": names, "campaign_id": campaign, "disposition_hint": hints})
    return build(groups, members, seen, run_digest="ab" * 32)


def a_policy(rules: int) -> str:
    """A policy whose rules ask many different things; few requests meet an early one."""
    draw = random.Random(2)  # noqa: S311
    text = ['policy = "bench"\nversion = "1"\nmode = "enforce"\nappeal = "mailto:a@example.com"\n']
    for i in range(rules):
        when = draw.choice([
            f'account = ["x-{i}", "y-{i}"]',
            f'campaign = ["G-{i:010x}"], tier = ["member"]',
            f'hint = ["act"], model = ["m-{i}-*"]',
            f'kind = ["campaign"], membership_bits_at_least = {300 - i}, families_at_least = 3',
            f'signals = ["sealed_replay"], score_at_least = 1, plan = ["plan-{i}"]',
            f'tier = ["member"], extraction_share_at_least = 0.99, operation = ["op-{i}"]',
            f'org = ["org-{i}"]',
            f'hint = ["review", "act"], false_discovery_rate_at_most = {i / 100_000}',
        ])  # fmt: skip
        text.append(
            f'[[rule]]\nid = "r{i}"\nwhen = {{ {when} }}\naction = "harden"\nreason = "access_terms"\n'
        )
    return "".join(text)


def requests(number: int, accounts: int) -> list[Request]:
    """Half of them by accounts of the table."""
    draw = random.Random(3)  # noqa: S311
    return [Request(f"r-{i}", f"acct-{draw.randrange(2 * accounts):07d}", draw.choice(MODELS), channel="api")
            for i in range(number)]  # fmt: skip


def timed(
    work: Callable[[Request], Any], given: list[Request], clock: Callable[[], int] = time.perf_counter_ns
) -> list[float]:
    """Microseconds of each call, after a warm-up of a tenth; by the wall clock, or by the processor time."""
    for request in given[: len(given) // 10]:
        work(request)
    taken = []
    for request in given:
        start = clock()
        work(request)
        taken.append((clock() - start) / 1_000)
    return taken


def control(request: Request) -> int:
    """Work of about the same length that looks nothing up: what the machine itself adds to the far percentiles."""
    return sum(map(ord, request.account_id * 20))


def percentiles(taken: list[float]) -> dict[str, float]:
    """In microseconds."""
    at = {"p50": 50, "p90": 90, "p99": 99, "p99_9": 99.9, "max": 100}
    return {name: round(float(np.percentile(taken, p)), 1) for name, p in at.items()}


def reload_pause(folder: Path, policy: Path, table: pa.Table, given: list[Request]) -> dict[str, Any]:
    """Longest decisions while policy, table and switches are swapped, beside as long a time without."""
    with Gate.open(policy, folder, notice=lambda text: None) as gate:
        quiet = timed(gate.decide, given)
        stop = threading.Event()

        def swap() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                policy.write_text(a_policy(200).replace('version = "1"', f'version = "{number}"'))
                write_table(table, folder / RISK)
                write_switches(folder, frozenset({f"r{number}"}))
                time.sleep(1.0)

        # The writer stands for another process; here it shares the interpreter, which only makes pauses longer.
        writer = threading.Thread(target=swap)
        writer.start()
        busy = timed(gate.decide, given)
        stop.set()
        writer.join()
        return {"without_us": percentiles(quiet), "with_us": percentiles(busy), "reloads": gate.counts.reloads,
                "refused": gate.counts.refused, "over_5_ms": sum(t > 5_000 for t in busy),
                "over_5_ms_without": sum(t > 5_000 for t in quiet)}  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--rules", type=int, default=200)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    made = requests(given.requests, given.accounts)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        table = a_table(given.accounts)
        write_table(table, folder / RISK)
        start = time.perf_counter()
        risk = RiskTable.open(folder / RISK)
        opened = time.perf_counter() - start
        text = a_policy(given.rules)
        start = time.perf_counter()
        policy: Policy = parse_policy(text, where="bench.toml")
        parsed = time.perf_counter() - start
        gc.collect()

        def pure(request: Request) -> Any:
            return decide(policy, Facts(request, risk.standing(request.account_id)), NOW)

        row: dict[str, Any] = {
            "accounts": len(risk), "rules": len(policy.rules), "requests": len(made),
            "table_bytes": risk.nbytes, "file_bytes": (folder / RISK).stat().st_size,
            "open_ms": round(opened * 1e3, 2), "parse_ms": round(parsed * 1e3, 2),
            "decide_us": percentiles(timed(pure, made)),
            "control_us": percentiles(timed(control, made)),
            "decide_cpu_us": percentiles(timed(pure, made, time.thread_time_ns)),
        }  # fmt: skip
        (folder / "policy.toml").write_text(text)
        row["gate_us"] = reload_pause(folder, folder / "policy.toml", table, made)
        row["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    row["machine"] = machine()
    print(json.dumps(row, indent=1))
    if given.out:
        given.out.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
