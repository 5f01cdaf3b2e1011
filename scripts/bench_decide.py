"""How long a live decision takes: percentiles in process, size of the risk table, the pause of a hot reload.

A table of a million accounts and a policy of 200 rules are made up; requests are drawn over accounts in and out of
the table. Another process swaps policy, table and switches meanwhile; runs with and without take turns. Of each
decision it is kept how long it waited for a core that others had, itself or the thread that takes over what is
published (`scripts.pauses`); the rest is the program's own, at most. The longest of those that took over 5 ms are
listed with all that is known of them.

    python -m scripts.bench_decide --out docs/data/decide.json
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from scripts.bench import machine
from scripts.others import Others
from scripts.pauses import LONG_NS, Meter, Spent, faults, hiccups, met, stolen_s
from stillwatch.protect.decide import decide
from stillwatch.protect.policy import Policy, parse_policy
from stillwatch.protect.risk import RiskTable
from stillwatch.protect.risk_build import build, write_table
from stillwatch.records import Facts, Request
from stillwatch.wiring.garbage import settled
from stillwatch.wiring.gate_folder import RISK, write_switches
from stillwatch.wiring.policy import Gate

MODELS = ("m-large", "m-small", "m-code", "e-embed")
WATCH = "stillwatch-gate"
"""Name of the thread that takes over what is published."""
SETTLE_S = 1.0
LISTED = 10
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
    """Work of about a gate's length that looks nothing up: what the machine itself adds to the far percentiles."""
    return sum(map(ord, request.account_id * 150))


def percentiles(taken: list[float]) -> dict[str, float]:
    """In microseconds."""
    at = {"p50": 50, "p90": 90, "p99": 99, "p99_9": 99.9, "max": 100}
    return {name: round(float(np.percentile(taken, p)), 1) for name, p in at.items()}


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


class Paused:
    """Another process, which stands still but where it is let go on."""

    def __init__(self, command: str) -> None:
        self._running = subprocess.Popen([sys.executable, "-c", command], stdout=subprocess.PIPE)
        assert self._running.stdout is not None  # noqa: S101
        self._running.stdout.readline()
        self._running.send_signal(signal.SIGSTOP)

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """For as long as this lasts."""
        self._running.send_signal(signal.SIGCONT)
        try:
            yield
        finally:
            self._running.send_signal(signal.SIGSTOP)

    def end(self) -> None:
        """For good."""
        self._running.kill()
        self._running.communicate()


class Arm:
    """Decisions under one condition."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.own: list[float] = []
        self.slow: list[tuple[int, Spent, dict[str, int]]] = []
        self.stolen_s = self.wall_s = self.longest_collection_us = 0.0
        self.reloads = 0

    def take(self, gate: Gate, work: Callable[[Request], Any], given: list[Request], run: int) -> None:
        """Do it for each request, and keep where the time of slow ones went."""
        meter, reloads, stolen, since = Meter(WATCH), gate.counts.reloads, stolen_s(), time.monotonic()
        looks: list[int] = []

        def look(phase: str, info: dict[str, int]) -> None:
            looks.append(time.perf_counter_ns() if phase == "start" else time.perf_counter_ns() - looks.pop())

        gc.callbacks.append(look)
        for request in given:
            seen, before = faults(), meter.now()
            work(request)
            spent = meter.since(before)
            self.wall.append(spent.wall / 1_000)
            self.own.append(spent.own / 1_000)
            if spent.wall > LONG_NS:
                now = faults()
                self.slow.append((run, spent, {n: now[n] - seen[n] for n in now}))
        gc.callbacks.remove(look)
        self.longest_collection_us = max([self.longest_collection_us, *(ns / 1_000 for ns in looks)])
        self.reloads += gate.counts.reloads - reloads
        self.stolen_s += stolen_s() - stolen
        self.wall_s += time.monotonic() - since

    def told(self, hiccup: list[tuple[int, int]]) -> dict[str, Any]:
        """What came out; of the pauses the longest of its own, and how many had which cause."""
        longest = sorted(self.slow, key=lambda each: -each[1].own)[:LISTED]
        return {
            "decisions": len(self.wall), "us": percentiles(self.wall), "over_5_ms": len(self.slow),
            "over_5_ms_own": sum(us > LONG_NS / 1_000 for us in self.own), "longest_own_us": round(max(self.own), 1),
            "causes": dict(Counter(spent.cause for _, spent, _ in self.slow)),
            "met_by_the_other_process": sum(met(s.began, s.wall, hiccup) for _, s, _ in self.slow),
            "longest_collection_us": round(self.longest_collection_us, 1), "reloads": self.reloads,
            "wall_s": round(self.wall_s, 1), "stolen_s": round(self.stolen_s, 2),
            "slow": [{"run": run, **spent.told(), **more} for run, spent, more in longest],
        }  # fmt: skip


def reload_pause(
    folder: Path, policy: Path, given: list[Request], *, every_s: float, runs: int, seed: int
) -> dict[str, Any]:  # fmt: skip
    """Decisions while policy, table and switches are swapped, as many without, and as many loops that decide nothing,
    in turns in an order by seed."""
    draw = random.Random(seed)  # noqa: S311
    arms = {"control": Arm(), "without": Arm(), "with": Arm()}
    where = f"Path({str(folder)!r}), Path({str(policy)!r}), {every_s}"
    with Gate.open(policy, folder, notice=lambda text: None) as gate, hiccups() as found:
        publisher = Paused(f"from scripts.bench_decide import *; swapping({where})")
        try:
            for request in given[: len(given) // 10]:
                gate.decide(request)
            settled()
            for run in range(runs):
                for name in draw.sample(sorted(arms), len(arms)):
                    time.sleep(SETTLE_S)  # until the gate has taken over what was published last
                    with publisher.going_on() if name == "with" else nullcontext():
                        arms[name].take(gate, control if name == "control" else gate.decide, given, run)
                print(f"run {run + 1} of {runs}", file=sys.stderr)
        finally:
            publisher.end()
        refused = gate.counts.refused
    return {"runs": runs, "seed": seed, "swap_every_s": every_s, "refused": refused, "hiccups": len(found),
            "longest_hiccup_ms": round(max((e - b for b, e in found), default=0) / 1e6, 1),
            **{name: arm.told(found) for name, arm in arms.items()}}  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--rules", type=int, default=200)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument(
        "--swap-every", type=float, default=1.0, help="seconds between swaps of the three files"
    )
    parser.add_argument(
        "--runs", type=int, default=12, help="runs of so many requests with swaps, and without"
    )
    parser.add_argument("--seed", type=int, default=5, help="draws the order of the runs")
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
        row["gate"] = reload_pause(
            folder, folder / "policy.toml", made, every_s=given.swap_every, runs=given.runs, seed=given.seed
        )
        row["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    row |= {"other_cores": others.cores(), "machine": machine()}
    print(json.dumps(row, indent=1))
    if given.out:
        given.out.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
