"""What was asked of live decisions before they were measured, whether it holds, and why not where it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scripts.benchmarks.deciding import STALE

Row = Mapping[str, Any]
Said = tuple[str, str, bool, str]
"""What was asked, what was measured, whether it holds, and why it does not."""
BARE, OURS = "LiteLLM", "LiteLLM, stillwatch"
QUIET = 0.1
"""Cores that other programs may use during a run on a machine that is called quiet."""


def live_gates(found: Mapping[str, Row]) -> list[str]:
    """The table, from the data by their files; nothing where nothing was measured."""
    said: list[Said] = []
    for name, asked in _ASKED.items():
        if name in found:
            said += asked(found[name])
    if not said:
        return []
    out = ["", "Set before the measurement. What fails stays here until it holds.", ""]
    out += ["| asked | measured | holds |", "|---|---|---|"]
    out += [f"| {what} | {measured} | {'yes' if holds else '**no**'} |" for what, measured, holds, _ in said]
    out += ["", _load(found)]
    for what, _, holds, why in said:
        if not holds:
            out += ["", f"**Why not: {what}.** {why}"]
    return out


def _load(found: Mapping[str, Row]) -> str:
    """How busy the machine was, as each run found it."""
    known = [float(row["other_cores"]) for row in found.values() if row.get("other_cores") is not None]
    if not known:
        return "How much other programs used meanwhile was not recorded: **take these as figures of a busy machine.**"
    words = f"Other programs used {min(known):.2f} to {max(known):.2f} cores on average during these runs"
    return words + (": **these are no figures of a quiet machine.**" if max(known) > QUIET else ".")


def _decide(row: Row) -> list[Said]:
    p99, size = row["decide_us"]["p99"], row["table_bytes"] / 1e6
    said: list[Said] = [
        ("deciding, p99 under 100 µs with a million accounts and 200 rules", f"{p99:.0f} µs", p99 < 100, _BUSY),
        ("risk table under 200 MB", f"{size:.0f} MB", size < 200, _BUSY),
    ]  # fmt: skip
    asked = "a swap holds no decision up by more than 5 ms"
    if "control" not in row["gate"]:
        return [*said, (asked, "not measured in this form", False, STALE)]
    swapped, still, loop = (row["gate"][name] for name in ("with", "without", "control"))
    pause = swapped["longest_own_us"] / 1000
    return [
        *said,
        (asked, f"of its own at most {pause:.1f} ms, over 5 ms in"
         f" {swapped['over_5_ms_own']} of {swapped['decisions']:,} decisions", pause <= 5, "Without swaps it was"
         f" {still['over_5_ms_own']} of {still['decisions']:,}, at most {still['longest_own_us'] / 1000:.1f} ms, and in a loop that decides"
         f" nothing {loop['over_5_ms_own']} of {loop['decisions']:,}. What is left is an upper bound: a core that runs slowly and the time in"
         " which the thread that takes over ran, perhaps on the same core, are in it."),
    ]  # fmt: skip


def _guardrail(row: Row) -> list[Said]:
    said: list[Said] = []
    if door := row.get("endpoint"):
        said += [
            ("guardrail endpoint, 1,000 requests/s on one core", f"{door['per_s']:,.0f}/s", door["per_s"] >= 1_000, _BUSY),
            (f"its p99 under 5 ms at {door['rate']:,.0f}/s", f"{door['open_ms']['p99']:.1f} ms", door["open_ms"]["p99"] < 5,
             f"It took {door['cpu_ms_each']:.2f} ms of processor time for each; the rest is waiting, for a core and for the program that"
             " asks, which has one of the same two cores."),
        ]  # fmt: skip
    if part := row.get("proxies"):
        said.append(_behind_litellm(part))
    return said


def _behind_litellm(part: Row) -> Said:
    """What is added at the rate that was asked for, where LiteLLM holds it without a guardrail and with ours."""
    asked = part["asked_rate"]
    what = f"latency added behind LiteLLM at {asked:g}/s"
    if "capacity" not in part:
        return what, "not measured in this form", False, STALE
    capacity = {each["door"]: each for each in part["capacity"]}
    if not {BARE, OURS} <= capacity.keys():
        return what, "not measured: no LiteLLM", False, "; ".join(part["missing"])
    found = _told(part["rows"])
    if asked in found:
        return what, found[asked], True, ""
    lower = "".join(f"; at {rate:g}/s {more}" for rate, more in found.items())
    mocked = _told(part.get("mocked", {}).get("rows", ()))
    if asked in mocked:
        measured = f"{mocked[asked]}, with LiteLLM's own mock for a model server; with one not held{lower}"
        return what, measured, True, ""
    return what, f"not held{lower or ', and no lower rate either'}", False, _why(part, capacity)


def _told(rows: Sequence[Row]) -> dict[float, str]:
    """What is added, by the rates that LiteLLM holds without a guardrail and with ours."""
    found = {}
    for rate in dict.fromkeys(each["rate"] for each in rows):
        at = {each["door"]: each for each in rows if each["rate"] == rate}
        if at[BARE]["held"] and at[OURS]["held"] and at[OURS]["added"]:
            found[rate] = "{:.1f} ms at p50 ({:.1f} to {:.1f})".format(*at[OURS]["added"]["p50"])
    return found


def _why(part: Row, capacity: Mapping[str, Row]) -> str:
    """In processor time."""
    bare, ours = capacity[BARE], capacity[OURS]
    return (
        f"A request costs LiteLLM without a guardrail {bare['cpu_ms_each']:.1f} ms of CPU in its production mode, the model server's with it: all {part['cores']} cores"
        f" together do {most(bare, part['cores']):.0f} of them a second and nothing else. With ours it is {ours['cpu_ms_each']:.1f} ms, the"
        f" gate's among them, and at most {most(ours, part['cores']):.0f} a second. The highest rates held, of those tried:"
        f" {_rate(bare)} without and {_rate(ours)} with.{_with_mock(part)}"
    )


def _with_mock(part: Row) -> str:
    """What becomes of the rate that was asked for where LiteLLM calls no model."""
    asked = part["asked_rate"]
    rows = (each for each in part.get("mocked", {}).get("rows", ()) if each["rate"] == asked)
    at = {each["door"]: f"{each['per_s']:.0f}/s" for each in rows}
    if not {BARE, OURS} <= at.keys():
        return ""
    return (
        f" With its own mock in place of a model server it answers {at[BARE]} of {asked:g}/s without a guardrail and"
        f" {at[OURS]} with ours."
    )


def _rate(each: Row) -> str:
    return "none" if each["holds"] is None else f"{each['holds']:g}/s"


def most(each: Row, cores: int) -> float:
    """Requests a second that would take all the processor time there is."""
    return 1_000 * cores / float(each["cpu_ms_each"])


def _replicas(row: Row) -> list[Said]:
    return [
        (f"{what} in force at every replica within 1 s", f"at most {max(row[key]):.2f} s in {len(row[key])}", max(row[key]) <= 1, _BUSY)
        for what, key in (("a kill switch", "kill_s"), ("a fresh table", "table_s"))
    ]  # fmt: skip


def _intake(row: Row) -> list[Said]:
    return [
        ("intake, 20,000 spans/s on one core", f"{row['spans_per_s']:,} spans/s", row["spans_per_s"] >= 20_000,
         f"The receiver's core was busy throughout: {row['server_cpu_s'] / row['acknowledged'] * 1e6:.0f} µs of it for each span. What sent the"
         " spans, and other programs, ran beside it."),
        ("nothing acknowledged is lost", f"{row['missing']} missing", row["missing"] == 0, "This is a fault."),
    ]  # fmt: skip


_BUSY = "Not known beyond what other programs used meanwhile."
_ASKED = {"decide.json": _decide, "gate.json": _guardrail, "replicas.json": _replicas, "intake.json": _intake}
