"""Sections about live decisions: in process, at the doors, and intake. Each is made of one file of ``docs/data``."""

from __future__ import annotations

import statistics
from typing import Any

TITLE = ["", "## Live decisions and intake", "",
         "Made by `make bench-protect`: single runs on one machine, the server and what asks it on its cores together."]  # fmt: skip


def decide(row: dict[str, Any]) -> list[str]:
    """The decision in process, the risk table, and swaps."""
    gate = row["gate"]
    lines = [
        "", "### Deciding in process", "", row["machine"], "",
        f"A risk table of {row['accounts']:,} accounts ({row['table_bytes'] / 1e6:.0f} MB), {row['rules']} rules,"
        f" {row['requests']:,} requests.", "",
        "| | p50 µs | p90 µs | p99 µs | longest ms | over 5 ms | of these held up by the program |", "|---|---|---|---|---|---|---|",
        _us("the decision alone", row["decide_us"]), _us("a loop of as much work that looks nothing up", row["control_us"]),
    ]  # fmt: skip
    for name, part in (("gate, with counters and log", "without"), ("gate, while files are swapped", "with")):
        one = gate[part]
        lines.append(_us(name, one["us"], f"{one['over_5_ms']}", f"{one['over_5_ms_own']}"))
    lines += [
        "",
        f"Policy, table and switches were put in place by another process and taken over {gate['reloads']} times"
        f" ({gate['refused']} refused). Held up by the program: over 5 ms apart from waiting for a core, while the process used"
        f" the processor as long, which is an upper bound; the longest such time was {gate['with']['longest_own_us'] / 1000:.1f} ms"
        f" with swaps, {gate['without']['longest_own_us'] / 1000:.1f} ms without. Other waits are for a core that others had.",
    ]
    return lines


def _us(name: str, at: dict[str, float], *more: str) -> str:
    cells = [name, *(f"{at[p]:.1f}" for p in ("p50", "p90", "p99")), f"{at['max'] / 1000:.1f}"]
    return "| " + " | ".join([*cells, *(more or ("", ""))]) + " |"


def guardrail(row: dict[str, Any]) -> list[str]:
    """The guardrail endpoint, and proxies with and without."""
    lines = ["", "### Behind LiteLLM", "", row["machine"], f"Seed {row['seed']}."]
    if door := row.get("endpoint"):
        shown = door["open_ms"]
        lines += [
            "",
            f"The guardrail endpoint on one core: {door['per_s']:,.0f} requests/s over {door['connections']} connections"
            f" ({door['requests']:,} requests, {door['failed']} failed; {_ms(door['closed_ms'])}), {door['cpu_ms_each']:.2f} ms of CPU"
            f" each. At {door['rate']:,.0f} requests/s,"
            f" due at fixed times: {_ms(shown)} ({door['open_requests']:,} requests).",
        ]
    if part := row.get("proxies"):
        by_name = {each["door"]: each for each in part["rows"]}
        lines += ["", _how(part), "",
                  "| through | sustains /s | p50 ms | p90 ms | p99 ms | added at p50 | at p99 | beside | answered | failed |",
                  "|---|---|---|---|---|---|---|---|---|---|"]  # fmt: skip
        for each in part["rows"]:
            lines.append(_proxy(each, by_name.get(each["beside"])))
        lines += ["", f"stillwatch decided {part['decided']:,} times, with {part['gate_cpu_ms_each']:.2f} ms of its own CPU for each"
                  " request: the rest of what is added is LiteLLM's own call of a guardrail. `unmimic` runs without its input"
                  " check, which needs a model and prompts from the network."]  # fmt: skip
        lines += [f"Left out: {name}." for name in part["missing"]]
    return lines


def _how(part: dict[str, Any]) -> str:
    """At what rate the proxies were compared, and why."""
    where = ", on a core of its own" if part["apart"] else ""
    words = f"One worker of each proxy{where}, the same payloads, in turns, {part['rate']:g} requests/s due at fixed times."
    if part["rate"] < part["asked_rate"]:
        words += (
            f" At {part['asked_rate']:g}/s, as was set before, one of these proxies cannot keep up on this machine, and its queue would"
            " be measured; so the rate is six tenths of what the slowest sustains (16 connections, each asking again at once)."
        )
    return words


def _proxy(each: dict[str, Any], beside: dict[str, Any] | None) -> str:
    own, other = each["ms"], beside["ms"] if beside else {}
    cells = [f"{each['sustains']:,.0f}"]
    cells += [f"{own[p]:.2f}" if p in own else "-" for p in ("p50", "p90", "p99")]
    cells += [f"{own[p] - other[p]:.2f}" if p in own and p in other else "" for p in ("p50", "p99")]
    cells += [beside["door"] if beside else "", f"{each['answered']:,}", str(each["failed"])]
    return f"| {each['door']} | " + " | ".join(cells) + " |"


def envoy(row: dict[str, Any]) -> list[str]:
    """The processor behind Envoy."""
    lines = ["", "### Behind Envoy", "", row["machine"], "",
             f"{row['requests']:,} requests of {row['bytes']:,} bytes through each door at {row['rate']:g}/s, {row['failed']} failed,"
             f" {row['decided']:,} decided.", "", "| ms | without | with | added |", "|---|---|---|---|"]  # fmt: skip
    for p in ("p50", "p90", "p99"):
        a, b = row["without_ms"][p], row["with_ms"][p]
        lines.append(f"| {p} | {a:.2f} | {b:.2f} | {b - a:.2f} |")
    return [*lines, "", f"The processor used {row['cpu_ms_each']:.2f} ms of CPU for each call."]


def replicas(row: dict[str, Any]) -> list[str]:
    """How soon replicas have what is published."""
    lines = ["", "### Replicas", "", row["machine"], "",
             f"{row['replicas']} gates on one store ({row['store']}) that look every {row['poll_s']:g} s: seconds from before something is"
             " published until the last of them has it in force.", "",
             "| published | times | median s | longest s | within 1 s |", "|---|---|---|---|---|"]  # fmt: skip
    size = f"a table of {row['accounts']:,} accounts ({row['table_bytes'] / 1e6:.0f} MB)"
    for name, found in (("a kill switch", row["kill_s"]), (size, row["table_s"])):
        soon = sum(each <= 1.0 for each in found)
        lines.append(
            f"| {name} | {len(found)} | {statistics.median(found):.2f} | {max(found):.2f} | {soon} |"
        )
    return lines


def intake(row: dict[str, Any]) -> list[str]:
    """Spans taken in."""
    where = "one core" if row["one_core"] else "every core"
    return [
        "", "### Intake", "", row["machine"], "",
        f"`stillwatch receive` on {where}, {row['connections']} connections, {row['form']}{', gzip' if row['gzip'] else ''},"
        f" content = {row['content']}: {row['acknowledged']:,} spans ({row['mib']:.0f} MiB) in {row['wall_s']:.1f} s,"
        f" **{row['spans_per_s']:,} spans/s**; {row['missing']} of the acknowledged missing afterwards. Answered within"
        f" {row['answer_ms']['p50']} ms (median), {row['answer_ms']['max']} ms (longest); told to come again {row['again']} times.",
    ]  # fmt: skip


def _ms(at: dict[str, float]) -> str:
    return ", ".join(f"{p} {at[p]:.2f} ms" for p in ("p50", "p90", "p99") if p in at)


FILES = (
    ("decide.json", decide),
    ("gate.json", guardrail),
    ("envoy.json", envoy),
    ("replicas.json", replicas),
    ("intake.json", intake),
)
