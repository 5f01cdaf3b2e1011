"""Jobs around a policy: check it, explain it, publish a run to gates, switch a rule, replay a decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError, SourceError, StillwatchError
from stillwatch.protect.conditions import LEVELS
from stillwatch.protect.decide import decide, fault
from stillwatch.protect.grants import Grants
from stillwatch.protect.ledger import as_logged, facts_of, moment_of
from stillwatch.protect.modes import in_canary
from stillwatch.protect.policy import Policy, parse_policy
from stillwatch.protect.risk import RiskTable
from stillwatch.protect.risk_build import table_bytes, write_table
from stillwatch.records import Facts, Reason, Request
from stillwatch.settings import Settings, protect_digest
from stillwatch.store.state import MemoryState
from stillwatch.store.valkey import ValkeyBoard
from stillwatch.wiring.evidence_run import log_published
from stillwatch.wiring.gate_folder import (
    POLICIES,
    RISK,
    SWITCHES,
    find_decision,
    read_switches,
    switches,
    switches_bytes,
    write_switches,
)
from stillwatch.wiring.gate_store import store_server
from stillwatch.wiring.in_force import grants_of
from stillwatch.wiring.policy_files import read_policy, shipped_text
from stillwatch.wiring.runs import compile_run

FROM_STATE = ("retry_after_s", "challenge")
"""Parts of a decision that the store gave, which a replay takes over."""


def show_policy() -> str:
    """The policy that ships, to start from."""
    return shipped_text()


def check_policy(path: str | Path | None) -> dict[str, Any]:
    """What a policy says, when it loads."""
    policy = read_policy(path)
    return {
        "policy": policy.name, "version": policy.version, "digest": policy.digest, "mode": policy.mode.value,
        "rules": [_row(rule) for rule in policy.rules], "signals": sorted(policy.signals),
        "notices": list(policy.notices),
    }  # fmt: skip


def _row(rule: Any) -> dict[str, Any]:
    return {
        "id": rule.id, "line": rule.line, "action": rule.action.value, "also": [a.value for a in rule.also],
        "mode": rule.mode.value, "canary_share": rule.canary_share, "reason": rule.reason.value, "covert": rule.covert,
        "when": {name: list(v) if isinstance(v, tuple) else v for name, v in rule.when},
    }  # fmt: skip


def publish_risk(
    run: Path, *, into: Path | None = None, to_store: bool = False, accounts: Sequence[str] = (),
    grants: str | None = None, settings: Settings,
) -> dict[str, Any]:  # fmt: skip
    """Compile a run into a risk table and put it where gates take it from: a folder, the store, or both."""
    board = _board(settings, into, to_store)
    table, refused = compile_run(run, accounts, grants)
    made, whole = RiskTable(table), table_bytes(table)
    where = []
    if into is not None:
        try:
            into.mkdir(parents=True, exist_ok=True)
            write_table(table, into / RISK)
        except OSError as error:
            raise ConfigError(f"{into.name}: {(error.strerror or 'cannot be written').lower()}",
                              hint="name a folder that you can write to") from error  # fmt: skip
        where.append(str(into / RISK))
    if board is not None:
        board.put(RISK, whole)
        board.close()
        where.append("the store")
    return {"where": where, "run_digest": made.run_digest, **made.counts, "grants": len(made.grants),
            "bytes": made.nbytes, "refused": len(refused),
            "not_logged": log_published(settings, table=whole)}  # fmt: skip


def _board(settings: Settings, into: Path | None, to_store: bool) -> ValkeyBoard | None:
    """The store's board when it is asked for."""
    if into is None and not to_store:
        raise ConfigError("nowhere to publish to", hint="--into FOLDER, or --to-store with protect.store set")
    server = store_server(settings) if to_store else None
    if to_store and server is None:
        raise ConfigError("no store is named", hint="set protect.store in the settings")
    return ValkeyBoard(server) if server is not None else None


def switch_rule(
    rule: str, *, into: Path | None = None, to_store: bool = False, off: bool, policy: str | Path | None = None,
    settings: Settings,
) -> dict[str, Any]:  # fmt: skip
    """Take a rule out of force at every gate on a folder or on the store, or put it back."""
    board = _board(settings, into, to_store)
    if into is not None and not into.is_dir():
        raise ConfigError(
            f"{into.name} is not a folder", hint="name the folder that the gate was opened with"
        )
    if policy is not None and rule not in (ids := [r.id for r in read_policy(policy).rules]):
        raise ConfigError(f"the policy has no rule {rule}", hint=f"its rules: {', '.join(ids)}")
    after: frozenset[str] = frozenset()
    if into is not None:
        after = _switched(read_switches(into), rule, off)
        write_switches(into, after)
    if board is not None:
        after = _switched(
            switches(b"".join(board.pieces(SWITCHES)) or switches_bytes(frozenset())), rule, off
        )
        board.put(SWITCHES, switches_bytes(after))
        board.close()
    return {"off": sorted(after), "not_logged": log_published(settings, switch={"rule": rule, "off": off})}


def _switched(now: frozenset[str], rule: str, off: bool) -> frozenset[str]:
    if not off and rule not in now:
        raise ConfigError(
            f"rule {rule} is not switched off", hint=f"switched off: {', '.join(sorted(now)) or 'none'}"
        )
    return now | {rule} if off else now - {rule}


def explain_policy(
    path: str | Path | None, account_id: str, *, run: Path | None = None, folder: Path | None = None,
    accounts: Sequence[str] = (), grants: str | None = None, model: str = "", operation: str = "chat",
    verification: str | None = None, settings: Settings,
) -> dict[str, Any]:  # fmt: skip
    """What a policy would answer to one plain request of an account now, and why each rule fits or does not."""
    if (run is None) == (folder is None):
        raise ConfigError("name either a run or a gate's folder", hint="--on RUN, or --gate FOLDER")
    if verification is not None and verification not in LEVELS:
        raise ConfigError(f"no such verification: {verification}", hint=f"one of {', '.join(LEVELS)}")
    policy = read_policy(path)
    off: frozenset[str] = frozenset()
    if run is not None:
        table = RiskTable(compile_run(run, accounts, grants)[0])
    else:
        assert folder is not None  # noqa: S101  one of the two, as checked above
        table, off = RiskTable.open(folder / RISK), read_switches(folder)
    now = datetime.now(UTC)
    request = Request("explain", account_id, model, operation, verification=verification)
    place = Grants(grants_of(table)).place(request, MemoryState(), now.timestamp())
    facts = Facts(request, table.standing(account_id), place)
    decision = decide(
        policy, facts, now, off=off, settings_digest=protect_digest(settings), run_digest=table.run_digest
    )
    rules = [
        {
            "id": m.rule.id, "line": m.rule.line, "action": m.rule.action.value, "mode": m.rule.mode.value,
            "off": m.rule.id in off, "missing": m.missing(facts),
            "in_canary": in_canary(account_id, policy.name, m.rule.canary_share),
        }
        for m in policy.index.matchers
    ]  # fmt: skip
    return {
        "account_id": account_id, "known": table.standing(account_id).tier != "none",
        "standing": asdict(facts.standing), "grant": place, "rules": rules, "decision": as_logged(decision),
        "customer": decision.for_customer(), "allowed": decision.allowed,
    }  # fmt: skip


def replay_decision(decision_id: str, folder: Path, *, settings: Settings) -> dict[str, Any]:
    """Make a logged decision again from what the log and the kept policies hold, and say whether it is the same."""
    line = find_decision(folder, decision_id)
    logged = line["decision"]
    facts, at = facts_of(line), moment_of(line)
    policy = _kept(folder, logged["policy_digest"])
    closed = logged["reason"] == Reason.FAIL_CLOSED.value
    stamps = {"settings_digest": logged["settings_digest"], "run_digest": logged["run_digest"]}
    if closed or logged["reason"] == Reason.FAIL_OPEN.value:
        again = fault(facts.request, at, closed=closed, policy=policy, **stamps)
    else:
        again = decide(policy, facts, at, off=frozenset(line["off"]), **stamps)
    again = replace(again, **{name: logged[name] for name in FROM_STATE})
    if again.challenge is not None:
        again = replace(again, terms=replace(again.terms, url=logged["terms"]["url"]))
    made = as_logged(again)
    return {
        "decision": logged, "same": made == logged,
        "differs": sorted(name for name in made if made[name] != logged.get(name)),
        "settings_now": "same" if logged["settings_digest"] == protect_digest(settings) else "changed since",
        "facts": {name: line[name] for name in ("request", "standing", "grant", "signals", "off")},
    }  # fmt: skip


def _kept(folder: Path, digest: str) -> Policy:
    """The policy of a digest, as the gate kept it; a text that does not match its digest is refused."""
    path = folder / POLICIES / f"{digest}.toml"
    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StillwatchError(f"the policy {digest[:12]} is not kept here",
                              hint="name the folder of the gate that decided") from error  # fmt: skip
    policy = parse_policy(text, where=path.name)
    if policy.digest != digest:
        raise SourceError(path.name, "is not the policy of its name", hint="restore it from a backup")
    return policy
