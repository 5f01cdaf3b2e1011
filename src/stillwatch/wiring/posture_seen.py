"""What is seen of a deployment: settings, policy, gate, run, cases, log, shares. Reads; changes nothing.

Each part gives facts, or one line that says why it could not be seen. A part that is damaged is unseen, with the
reason, and the others go on.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stillwatch.errors import StillwatchError, where_it_failed
from stillwatch.practice.posture import Evidence, Seen, Value
from stillwatch.settings import DEFAULT_FILE, Settings, setting_rows
from stillwatch.wiring.gate_folder import LOG, POLICIES, all_lines, read_switches
from stillwatch.wiring.lead_view import BESIDE
from stillwatch.wiring.policy_files import read_policy
from stillwatch.wiring.posture_policy import asked
from stillwatch.wiring.progress import Progress
from stillwatch.wiring.runs import run_id_of

if TYPE_CHECKING:
    from stillwatch.wiring.desk import Desk


LAST_DAYS = 7
"""Days up to the newest decision over which decisions are counted: a long past hides no outage of today."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where to look; None where nothing was named."""

    settings_file: Path | None = None
    policy: Path | None = None
    gate: Path | None = None
    run: Path | None = None
    cases: bool = True
    """Whether to look into the store of cases."""
    shares: tuple[Path, ...] = ()


@dataclass(slots=True)
class Collected:
    """Facts as they come in."""

    facts: dict[str, Evidence] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def add(self, file: str, values: Mapping[str, Value], path: Path | None = None, known: str = "") -> None:
        """Facts of one file; with its time and digest when it is one, or the digest of what was read of it."""
        digest, at = _stamp(path) if path is not None else ("", "")
        digest = known or digest
        for key, value in values.items():
            self.facts[key] = Evidence(key, value, file, digest, at)

    def part(self, name: str, collect: Callable[[], None]) -> None:
        """One part of the deployment; what goes wrong in it is the reason that it is unseen."""
        try:
            collect()
        except StillwatchError as error:
            self._lost(name, str(error))
        except Exception as error:  # whatever is wrong with a file of others, the rest is looked at
            self._lost(name, f"cannot be read: {where_it_failed(error)}")

    def _lost(self, name: str, why: str) -> None:
        self.missing[name] = why
        for key in [k for k in self.facts if k.partition(".")[0] == name]:
            del self.facts[key]


def see(
    places: Places, settings: Settings, *, progress: Progress, env: Mapping[str, str] = os.environ
) -> Seen:
    """Everything that can be seen."""
    got = Collected()
    got.part("settings", lambda: _settings(got, places.settings_file, settings))
    got.part("gate", lambda: _gate(got, places.gate, progress))
    got.part("policy", lambda: _policy(got, places, settings))
    got.part("run", lambda: _run(got, places.run))
    got.part("cases", lambda: _cases(got, places, settings, env))
    got.part("log", lambda: _log(got, settings))
    got.part("shares", lambda: _shares(got, places.shares, settings))
    return Seen(got.facts, got.missing)


def _not_named(option: str) -> StillwatchError:
    return StillwatchError(f"not named: {option}")


def _stamp(path: Path) -> tuple[str, str]:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest(), datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")


def _settings(got: Collected, path: Path | None, settings: Settings) -> None:
    path = path or Path(DEFAULT_FILE)
    if not path.exists():
        raise StillwatchError("there is no settings file, and defaults are no evidence: --settings")
    values = {}
    for row in setting_rows():
        section, _, key = row.name.partition(".")
        value = getattr(getattr(settings, section), key)
        if isinstance(value, (str, int, float)):
            values[f"settings.{row.name}"] = value
    got.add(str(path), values, path)


def _gate(got: Collected, folder: Path | None, progress: Progress) -> None:
    if folder is None:
        raise _not_named("--gate")
    progress.step("decisions")
    by_day: dict[str, Counter[date]] = {
        name: Counter() for name in ("decisions", "undecided", "covert_decisions")
    }
    damaged, newest, digest = 0, datetime.min.replace(tzinfo=UTC), ""
    for line in all_lines(folder):
        try:
            decision = line["decision"]
            at = datetime.fromisoformat(decision["at"]).astimezone(UTC)
            failed = decision["reason"] in ("fail_open", "fail_closed")
        except (KeyError, TypeError, ValueError, OverflowError):
            damaged += 1
            continue
        by_day["decisions"][at.date()] += 1
        by_day["undecided"][at.date()] += failed
        by_day["covert_decisions"][at.date()] += bool(decision.get("covert"))
        if at >= newest:
            newest, digest = at, str(decision.get("policy_digest", ""))
    if not by_day["decisions"]:
        raise StillwatchError("the decision log holds no decision")
    first, path = newest.date() - timedelta(days=LAST_DAYS), folder / LOG
    values: dict[str, Value] = {
        f"gate.{name}": sum(n for day, n in days.items() if day > first) for name, days in by_day.items()
    }
    values |= {
        "gate.damaged_lines": damaged, "gate.newest_decision": newest.isoformat(), "gate.policy_digest": digest,
    }  # fmt: skip
    got.add(str(path), values, path if path.exists() else None)


def _policy(got: Collected, places: Places, settings: Settings) -> None:
    named = places.policy or (Path(settings.gateway.policy) if settings.gateway.policy else None)
    last = got.facts.get("gate.policy_digest")
    if named is None and places.gate is not None and last is not None and str(last.value).isalnum():
        named = places.gate / POLICIES / f"{last.value}.toml"
    if named is None:
        raise _not_named("--policy")
    off = read_switches(places.gate) if places.gate is not None else frozenset()
    policy = read_policy(named)
    got.add(str(named), asked(policy, off), named, policy.digest)


def _run(got: Collected, run: Path | None) -> None:
    if run is None:
        raise _not_named("--run")
    path = run / "summary.json"
    try:
        whole = path.read_bytes()
        summary: dict[str, Any] = json.loads(whole)
        counted = summary["counts"]
        null = summary.get("null_check") or {}
        values: dict[str, Value] = {
            "run.exchanges": int(counted["exchanges"]), "run.rejected": int(counted["rejected"]),
            "run.newest_exchange": datetime.fromisoformat(summary["time_range"]["end"]).astimezone(UTC).isoformat(),
            "run.incomplete": len(summary["incomplete"]), "run.stated_rate": float(summary["false_discovery_rate"]),
            "run.null_runs": int(null.get("runs", 0)), "run.null_found": int(null.get("runs_with_discovery", 0)),
        }  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise StillwatchError(f"{run} is not the output folder of a scan") from error
    got.add(str(path), values, path, hashlib.sha256(whole).hexdigest())
    accounts = run / "accounts.parquet"
    got.add(str(accounts), {"run.put_forward": len(_put_forward(accounts))}, accounts)
    _leads(got, run)


def _leads(got: Collected, run: Path) -> None:
    """What was looked for in this run; a file that is damaged, or of another run, says nothing of it."""
    path, found = run / BESIDE, {"leads": 0, "accounts_looked_at": 0}
    if not path.exists():
        got.add(str(run), {f"run.{name}": 0 for name in found})
        return
    whole = path.read_bytes()
    try:
        told = json.loads(whole)
        if told["run"] == run_id_of(run):
            found = {name: int(told[name]) for name in found}
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        pass  # nothing was looked for, as far as it says
    got.add(
        str(path), {f"run.{name}": n for name, n in found.items()}, path, hashlib.sha256(whole).hexdigest()
    )


def _put_forward(accounts: Path) -> set[str]:
    """Campaigns and pools with an account at review or above."""
    import pyarrow.parquet as pq

    rows = pq.read_table(accounts, columns=["campaign_id", "disposition_hint"]).to_pylist()
    return {r["campaign_id"] for r in rows if r["campaign_id"] and r["disposition_hint"] in ("review", "act")}


def _cases(got: Collected, places: Places, settings: Settings, env: Mapping[str, str]) -> None:
    address = settings.respond.store
    kind, _, name = address.partition(":///")
    if not places.cases:
        raise StillwatchError("left out: --no-cases")
    if kind == "sqlite" and not Path(name).exists():
        raise StillwatchError(f"there is no store of cases at {name}")
    from stillwatch.wiring.desk import Desk

    desk = Desk.open(address, password_env=settings.respond.store_password_env, env=env)
    try:
        _in_store(got, desk.ready(), places, address)
    finally:
        desk.engine.dispose()


def _in_store(got: Collected, desk: Desk, places: Places, address: str) -> None:
    from sqlalchemy import func, select

    from stillwatch.errors import VerificationError
    from stillwatch.records import AppealState
    from stillwatch.respond import PROGRAM, audit
    from stillwatch.respond import tables as t
    from stillwatch.store.sql import reading

    with desk.look(PROGRAM) as look:
        late = select(func.count()).select_from(t.appeals).where(
            t.appeals.c.state == AppealState.FILED.value, t.appeals.c.due_at < desk.now()
        )  # fmt: skip
        values: dict[str, Value] = {"cases.overdue_appeals": int(look.conn.execute(late).scalar_one())}
        if places.run is not None and "run.put_forward" in got.facts:
            seen = t.case_sightings.c
            known = select(seen.campaign_id).where(seen.run_id == run_id_of(places.run))
            filed = set(look.conn.execute(known).scalars())
            values["cases.without_case"] = len(_put_forward(places.run / "accounts.parquet") - filed)
    with reading(desk.engine) as conn:
        try:
            values |= {"cases.record_head": audit.verify(conn)[1], "cases.record_whole": True}
        except VerificationError:
            values["cases.record_whole"] = False
    got.add(address, values)


def _log(got: Collected, settings: Settings) -> None:
    from stillwatch.errors import VerificationError
    from stillwatch.wiring import evidence_log

    folder = Path(settings.evidence.log)
    if not Path(settings.evidence.keys).exists() or not folder.exists():
        raise StillwatchError(f"there is no evidence log at {folder}")
    try:
        found = evidence_log.check_log(settings, None)
        leaves = int(found["leaves"])
        values: dict[str, Value] = {
            "log.leaves": leaves, "log.whole": True, "log.root": found["root"],
            "log.signed_leaves": found["signed_leaves"], "log.unfinished": ", ".join(found["unfinished"]),
            "log.witnesses_of_all": _witnesses(folder / evidence_log.WITNESSED, settings, leaves),
        }  # fmt: skip
    except VerificationError:
        values = {"log.leaves": 0, "log.whole": False, "log.witnesses_of_all": 0}
    got.add(str(folder), values)


def _witnesses(file: Path, settings: Settings, leaves: int) -> int:
    """Witnesses of the settings who have signed a checkpoint over every leaf."""
    seen = json.loads(file.read_bytes()) if file.exists() else {}
    return sum(seen.get(entry.split(" ")[1]) == leaves > 0 for entry in settings.evidence.witnesses)


def _shares(got: Collected, drafts: tuple[Path, ...], settings: Settings) -> None:
    if not drafts:
        raise _not_named("--share")
    from stillwatch.errors import ConfigError
    from stillwatch.wiring.evidence_keys import needs_extra
    from stillwatch.wiring.sharing import check_share

    needs_extra()
    without = 0
    for draft in drafts:
        try:
            check_share(draft, settings=settings)
        except ConfigError:
            raise
        except StillwatchError:
            without += 1
    got.add(", ".join(map(str, drafts)), {"shares.drafts": len(drafts), "shares.not_released": without})


__all__ = ["Places", "see"]
