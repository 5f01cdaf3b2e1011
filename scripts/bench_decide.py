"""How long a live decision takes: percentiles in process, size of the risk table, the pause of a hot reload.

A table of a million accounts and a policy of 200 rules are made up; requests are drawn over accounts in and out of
the table. Another process swaps policy, table and switches meanwhile. A decision counts as held up by the program when
it took over 5 ms apart from waiting for a core, and the process itself used the processor for as long meanwhile: the
rest waited for a core that others had. Both are upper bounds, so the count is one.

    python -m scripts.bench_decide --out docs/data/decide.json
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from scripts.bench import machine
from scripts.others import Others
from stillwatch.protect.decide import decide
from stillwatch.protect.policy import Policy, parse_policy
from stillwatch.protect.risk import RiskTable
from stillwatch.protect.risk_build import build, write_table
from stillwatch.records import Facts, Request
from stillwatch.wiring.garbage import settled
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


HELD_UP_US = 5_000


def swapping(folder: Path, policy: Path, every_s: float) -> None:
    """Publish again and again, until nobody listens: what `policy publish` and `kill` do from another process.

    At low priority: what is measured is the gate, and its machine has few cores.
    """
    with pa.memory_map(str(folder / RISK)) as file:
        table = pa.ipc.open_file(file).read_all()
    number = 0
    os.nice(19)
    while True:
        number += 1
        partial = policy.with_name("next.toml")
        partial.write_text(a_policy(200).replace('version = "1"', f'version = "{number}"'))
        partial.replace(policy)
        write_table(table, folder / RISK)
        write_switches(folder, frozenset({f"r{number}"}))
        print(number, flush=True)
        time.sleep(every_s)  # the pace of swaps that is being measured


def watched(gate: Gate, given: list[Request]) -> dict[str, Any]:
    """Microseconds of each decision, and how many were held up: by anything, and by this process at the most."""
    for request in given[: len(given) // 10]:
        gate.decide(request)
    taken, used = [], []
    looks: list[float] = []

    def look(phase: str, info: dict[str, int], began: list[int] = []) -> None:  # noqa: B006
        if phase == "start":
            began.append(time.perf_counter_ns())
        else:
            looks.append((time.perf_counter_ns() - began.pop()) / 1_000)

    gc.callbacks.append(look)
    waited = _waiting()
    for request in given:
        queued, cpu, start = waited(), time.process_time_ns(), time.perf_counter_ns()
        gate.decide(request)
        wall = time.perf_counter_ns() - start
        used.append(min(time.process_time_ns() - cpu, wall - (waited() - queued)) / 1_000)
        taken.append(wall / 1_000)
    gc.callbacks.remove(look)
    own = [min(wall, cpu) for wall, cpu in zip(taken, used, strict=True)]
    return {"us": percentiles(taken), "over_5_ms": sum(t > HELD_UP_US for t in taken),
            "over_5_ms_own": sum(t > HELD_UP_US for t in own), "longest_own_us": round(max(own), 1),
            "longest_collection_us": round(max(looks, default=0.0), 1)}  # fmt: skip


def _waiting() -> Callable[[], int]:
    """Nanoseconds that this thread has waited for a core so far, as Linux counts them; elsewhere always 0."""
    try:
        handle = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
    except OSError:
        return lambda: 0
    return lambda: int(os.pread(handle, 80, 0).split()[1])


def reload_pause(folder: Path, policy: Path, given: list[Request], every_s: float) -> dict[str, Any]:
    """Longest decisions while policy, table and switches are swapped, beside as long a time without."""
    with Gate.open(policy, folder, notice=lambda text: None) as gate:
        settled()
        quiet = watched(gate, given)
        where = f"Path({str(folder)!r}), Path({str(policy)!r}), {every_s}"
        command = f"from scripts.bench_decide import *; swapping({where})"
        with subprocess.Popen([sys.executable, "-c", command], stdout=subprocess.PIPE) as other:
            try:
                assert other.stdout is not None  # noqa: S101
                other.stdout.readline()
                before = gate.counts.reloads
                busy = watched(gate, given)
                reloads = gate.counts.reloads - before
            finally:
                other.kill()
        return {"without": quiet, "with": busy, "reloads": reloads, "refused": gate.counts.refused}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--rules", type=int, default=200)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument(
        "--swap-every", type=float, default=1.0, help="seconds between swaps of the three files"
    )
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    others = Others()
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

        def pure(request: Request, policy: Policy = policy, risk: RiskTable = risk) -> Any:
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
        del table, risk, policy, pure
        row["gate"] = reload_pause(folder, folder / "policy.toml", made, given.swap_every)
        row["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    row |= {"other_cores": others.cores(), "machine": machine()}
    print(json.dumps(row, indent=1))
    if given.out:
        given.out.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
