"""Sections about live decisions: in process, at the doors, and intake. Each is made of one file of ``docs/data``."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
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
            f" due at fixed times: {_ms(shown)} ({door['open_requests']:,} requests).{_turns(door)}",
        ]
    part = row.get("proxies")
    if part and "capacity" not in part:
        lines += ["", STALE]
    elif part:
        lines += [
            "",
            _how(part),
            "",
            "| through | sustains /s | CPU ms each | holds /s |",
            "|---|---|---|---|",
        ]
        lines += [_capacity(each, part["asked_rate"]) for each in part["capacity"]]
        lines += compared(part["rows"])
        lines += _mocked(part.get("mocked", {}))
        lines += ["", f"stillwatch decided {part['decided']:,} times. What of the proxy's own processor time is more than without a guardrail is"
                  " LiteLLM's call of one. `unmimic` runs without its input check, which needs a model and prompts from the network."]  # fmt: skip
        lines += [f"Left out: {name}." for name in part["missing"]]
    return lines


def _turns(door: dict[str, Any]) -> str:
    """The p99 of each turn, where there were several."""
    turns = door.get("p99_ms_by_turn", ())
    return f" The p99 of each of {len(turns)} turns: {', '.join(f'{p:.1f}' for p in turns)} ms." * (
        len(turns) > 1
    )


def _mocked(part: dict[str, Any]) -> list[str]:
    """LiteLLM without a model server."""
    if not part.get("rows"):
        return []
    spent = ", ".join(f"{name} {ms:.2f} ms" for name, ms in part["cpu_ms_each"].items())
    return [
        "",
        "**With LiteLLM's own mock in place of a model server** (`mock_response`), so that it spends nothing on calling one. Processor"
        f" time of a request as fast as it answers: {spent}.",
        *compared(part["rows"]),
    ]


def _how(part: dict[str, Any]) -> str:
    """How the proxies were run and what the first table says."""
    return (
        f"{part['copies']} copies of each proxy, of one worker each and LiteLLM in its production mode (on {part['server']}), on {part['cores']} cores with everything else."
        " *Sustains*: as fast as it answers 16 connections; CPU there with what works behind it, without what asks. *Holds*: the highest"
        f" rate of those tried ({part['hold_s']:g} s each, downwards by 15 %, at most twice the one asked for) at which the last answer comes at"
        " most 5 % late."
    )


def _capacity(each: dict[str, Any], asked: float) -> str:
    holds = "none tried" if each["holds"] is None else f"{each['holds']:g}"
    if each["holds"] is not None and each["holds"] >= 2 * asked // 5 * 5:
        holds = f"at least {holds}"
    return f"| {each['door']} | {each['sustains']:,.0f} | {each['cpu_ms_each']:.2f} | {holds} |"


def compared(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A table for each rate: latency, what is added, and processor time of each process."""
    lines = []
    for rate in dict.fromkeys(each["rate"] for each in rows):
        at = [each for each in rows if each["rate"] == rate]
        parts = list(dict.fromkeys(name for each in at for name in each["cpu_ms"] if name != "door"))
        lines += ["", f"At {rate:g} requests/s, due at fixed times, in turns and on the same payloads:", "",
                  "| through | answered /s | held | p50 ms | p90 ms | p99 ms | added at p50 | at p99 | beside | CPU ms: itself |"
                  + "".join(f" {name} |" for name in parts) + " cores | answered | failed |",
                  "|---" * (13 + len(parts)) + "|"]  # fmt: skip
        lines += [_compared(each, parts, {other["door"]: other["held"] for other in at}) for each in at]
    return [*lines, "", "What is added stands with its 95 % interval (bootstrap of seconds). Where a rate is not held, requests wait longer the"
            " longer it goes on: no figure of a wait is one of the door, and nothing is compared. *Cores*: all processor time of the"
            " row together, with what asks."]  # fmt: skip


def _compared(each: Mapping[str, Any], parts: Sequence[str], holds: Mapping[str, bool]) -> str:
    own, more, cpu = each["ms"], each["added"] or {}, each["cpu_ms"]
    told = each["held"] and holds.get(each["beside"], False)
    cells = [f"{each['per_s']:,.0f}", "yes" if each["held"] else "**no**"]
    cells += [f"{own[p]:.2f}" if p in own else "-" for p in ("p50", "p90", "p99")]
    cells += [
        "{:.2f} ({:.2f} to {:.2f})".format(*more[p]) if told and p in more else "" for p in ("p50", "p99")
    ]
    cells += [
        each["beside"] or "",
        f"{cpu['door']:.2f}",
        *(f"{cpu[name]:.2f}" if name in cpu else "" for name in parts),
    ]
    cells += [f"{sum(cpu.values()) * each['per_s'] / 1000:.2f}", f"{each['answered']:,}", str(each["failed"])]
    return f"| {each['door']} | " + " | ".join(cells) + " |"


def envoy(row: dict[str, Any]) -> list[str]:
    """The processor behind Envoy."""
    if "rows" not in row:
        return ["", "### Behind Envoy", "", row["machine"], "", STALE]
    return ["", "### Behind Envoy", "", row["machine"], "",
            f"Requests of {row['bytes']:,} bytes through one Envoy of one thread, with the filter and without; {row['decided']:,} decided.",
            *compared(row["rows"])]  # fmt: skip


def middleware(row: dict[str, Any]) -> list[str]:
    """The middleware in a Python server."""
    return ["", "### In a Python server", "", row["machine"], "",
            f"Requests of {row['bytes']:,} bytes to a server that answers at once (uvicorn, one process), with the middleware and without;"
            f" {row['decided']:,} decided.", *compared(row["rows"])]  # fmt: skip


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
    ("middleware.json", middleware),
    ("replicas.json", replicas),
    ("intake.json", intake),
)
