"""Sections about live decisions: in process, at the doors, and intake. Each is made of one file of ``docs/data``."""

from __future__ import annotations

import statistics
from typing import Any

from scripts.benchmarks.deciding import STALE, decide

TITLE = ["", "## Live decisions and intake", "",
         "Made by `make bench-protect`: single runs on one machine, the server and what asks it on its cores together."]  # fmt: skip


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
    part = row.get("proxies")
    if part and "tried" not in part:
        lines += ["", STALE]
    elif part:
        lines += ["", _how(part), "",
                  "| through | sustains /s | CPU ms each | p50 ms | p90 ms | p99 ms | added at p50 | at p99 | beside | answered | failed |",
                  "|---|---|---|---|---|---|---|---|---|---|---|"]  # fmt: skip
        lines += [_proxy(each) for each in part["rows"]]
        lines += ["", "What is added stands with its 95 % interval (bootstrap of seconds). CPU is that of the proxy with all its"
                  f" workers, and of the gate where there is one. stillwatch decided {part['decided']:,} times, with"
                  f" {part['gate_cpu_ms_each']:.2f} ms of its own CPU for each request: the rest of what is added is LiteLLM's own call of a"
                  " guardrail. `unmimic` runs without its input check, which needs a model and prompts from the network."]  # fmt: skip
        lines += [f"Left out: {name}." for name in part["missing"]]
    return lines


def _how(part: dict[str, Any]) -> str:
    """At what rate the proxies were compared, and why."""
    words = (
        f"{part['workers']} worker(s) of each LiteLLM proxy, in its production mode, on {part['cores']} cores with everything else; the same"
        f" payloads, in turns, {part['rate']:g} requests/s due at fixed times."
    )
    if part["rate"] < part["asked_rate"]:
        tried = ", ".join(f"{each['rate']:g}/s" for each in part["tried"] if not all(each["held"]))
        words += (
            " It is the highest rate of those tried that LiteLLM holds without a guardrail and with ours, from seven tenths of what the slower of the two"
            f" sustains downwards ({part['hold_s']:g} s of it, the last answer at most 5 % late); not held: {tried or 'none'}."
        )
    return words


def most(each: dict[str, Any], cores: int) -> float:
    """Requests a second that would take all the processor time there is."""
    return 1_000 * cores / float(each["cpu_ms_each"])


def _proxy(each: dict[str, Any]) -> str:
    own, more = each["ms"], each["added"] or {}
    cells = [f"{each['sustains']:,.0f}", f"{each['cpu_ms_each']:.2f}"]
    cells += [f"{own[p]:.2f}" if p in own else "-" for p in ("p50", "p90", "p99")]
    cells += ["{:.2f} ({:.2f} to {:.2f})".format(*more[p]) if p in more else "" for p in ("p50", "p99")]
    cells += [each["beside"] or "", f"{each['answered']:,}", str(each["failed"])]
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
