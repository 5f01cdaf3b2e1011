"""Try before you enforce: recorded exchanges replayed through the gate's own decision."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stillwatch.errors import SourceError
from stillwatch.ingest import Reader
from stillwatch.protect.policy import Policy
from stillwatch.protect.risk import RiskTable
from stillwatch.protect.signals import PROMPT_SIGNALS
from stillwatch.protect.tally import Tally, size_of, summary
from stillwatch.records import Answer, Mode, Request, Standing
from stillwatch.settings import Settings
from stillwatch.store.state import MemoryState
from stillwatch.wiring.in_force import InForce
from stillwatch.wiring.policy import Gate
from stillwatch.wiring.policy_files import read_policy
from stillwatch.wiring.progress import Progress
from stillwatch.wiring.runs import compile_run

ALWAYS = datetime(2026, 1, 1, tzinfo=UTC)
_COLUMNS = ("exchange_id", "account_id", "started_at", "model", "operation", "channel", "org_id", "conversation_id",
            "logprobs", "n", "sealed_in", "sealed_out", "output_tokens")  # fmt: skip


def enforced(policy: Policy) -> Policy:
    """The same policy with every rule in force for everybody."""
    return replace(policy, rules=tuple(replace(r, mode=Mode.ENFORCE) for r in policy.rules))


def simulate_policy(
    policy: str | Path | None, run: Path, *, exchanges: Sequence[str] = (), accounts: Sequence[str] = (),
    grants: str | None = None, in_force: str | Path | None = None, as_written: bool = False,
    format: str | None = None, settings: Settings, progress: Progress,
) -> dict[str, Any]:  # fmt: skip
    """Replay exchanges through two policies and say whom each touches.

    Parameters
    ----------
    policy
        The candidate; every rule is taken as enforced unless ``as_written``.
    run
        Output folder of a scan; what its groups say of each account.
    exchanges
        The logs. Without them every account of the run sends one plain request.
    in_force
        The policy to hold it against, in the modes that it is written in; the shipped one when None.
    """
    candidate, current = read_policy(policy), read_policy(in_force)
    if not as_written:
        candidate = enforced(candidate)
    progress.step("risk table")
    compiled, refused = compile_run(run, accounts, grants)
    table = RiskTable(compiled)
    notes = [f"{len(refused)} rows of the account table or the grants could not be used"] if refused else []
    cues = None
    if exchanges and (candidate.signals | current.signals) & PROMPT_SIGNALS:
        from stillwatch.wiring.cues import lexicon_cues

        cues = _once(lexicon_cues(settings.protect.prompt_chars))
    sides = [_Side(p, table, settings, cues) for p in (candidate, current)]
    seen = _Seen(table)
    reader = Reader(exchanges, format=format) if exchanges else None
    progress.step("replaying")
    for request, answer, at in _recorded(reader, progress) if reader is not None else _plain(run):
        seen.add(request)
        for side in sides:
            side.play(request, answer, at)
    if not sides[0].tally.requests:
        raise SourceError(", ".join(exchanges) or str(run), "no exchange could be replayed",
                          hint="name the logs that the run was made from")  # fmt: skip
    segments, groups = seen.segments(), table.counts["groups"]
    if reader is None:
        notes.append("no exchanges were given: every account sent one plain request, so that rules on models, "
                     "operations, channels, signals and rates were not tried, nor was customer size")  # fmt: skip
    else:
        notes += [f"{reader.total.rejected} exchanges could not be read"] if reader.total.rejected else []
    if "logit_harvest" in candidate.signals | current.signals:
        notes.append("logs hold no logit_bias: logit_harvest cannot speak in a simulation")
    return {
        "run_digest": table.run_digest,
        "candidate": _head(candidate, "as written" if as_written else "as if enforced")
        | summary(sides[0].tally, seen.standings, segments, groups),
        "in_force": _head(current, "as written") | summary(sides[1].tally, seen.standings, segments, groups),
        "newly_touched": len(sides[0].tally.touched - sides[1].tally.touched),
        "no_longer_touched": len(sides[1].tally.touched - sides[0].tally.touched),
        "notes": notes,
    }  # fmt: skip


def _once(read: Callable[[str], Mapping[str, float]]) -> Callable[[str], Mapping[str, float]]:
    """The same reader, which reads a prompt once for both policies."""
    last: tuple[str, Mapping[str, float]] = ("", {})

    def remembered(text: str) -> Mapping[str, float]:
        nonlocal last
        if last[0] is not text:
            last = (text, read(text))
        return last[1]

    return remembered


def _head(policy: Policy, modes: str) -> dict[str, Any]:
    return {
        "policy": policy.name, "version": policy.version, "digest": policy.digest, "modes": modes,
        "notices": list(policy.notices),
    }  # fmt: skip


class _Side:
    """One policy at work on recorded traffic, with a memory of its own."""

    def __init__(
        self,
        policy: Policy,
        table: RiskTable,
        settings: Settings,
        cues: Callable[[str], Mapping[str, float]] | None,
    ) -> None:
        self.gate = Gate(InForce.of(policy, table), settings=settings, state=MemoryState(), cues=cues)
        self.tally = Tally()

    def play(self, request: Request, answer: Answer, at: datetime) -> None:
        """Decide as the gateway would have, and note what was served."""
        decision = self.gate.decide(request, at)
        self.tally.add(decision)
        if decision.allowed:
            self.gate.record(request, answer, at)


class _Seen:
    """Accounts of the replay, with their standing and segments."""

    def __init__(self, table: RiskTable) -> None:
        self._table = table
        self.standings: dict[str, Standing] = {}
        self._count: dict[str, int] = {}
        self._channel: dict[str, str] = {}

    def add(self, request: Request) -> None:
        name = request.account_id
        if name not in self.standings:
            self.standings[name] = self._table.standing(name)
            self._channel[name] = request.channel or ""
        self._count[name] = self._count.get(name, 0) + 1

    def segments(self) -> dict[str, dict[str, str]]:
        return {
            name: {
                "programme": s.programme or "", "plan": s.plan or "", "verification": s.verification or "",
                "channel": self._channel[name], "size": size_of(self._count[name]),
            }
            for name, s in self.standings.items()
        }  # fmt: skip


def _recorded(reader: Reader, progress: Progress) -> Iterator[tuple[Request, Answer, datetime]]:
    for batch in reader.batches():
        progress.advance(0.0)
        for row in batch.select([*_COLUMNS, "prompt"]).to_pylist():
            yield (
                Request(
                    row["exchange_id"], row["account_id"], row["model"], row["operation"] or "chat", row["channel"],
                    row["org_id"], conversation_id=row["conversation_id"], logprobs=bool(row["logprobs"]),
                    n=row["n"] or 1, sealed_in=tuple(row["sealed_in"] or ()), prompt=row["prompt"],
                ),
                Answer(row["output_tokens"] or 0, tuple(row["sealed_out"] or ())),
                row["started_at"],
            )  # fmt: skip


def _plain(run: Path) -> Iterator[tuple[Request, Answer, datetime]]:
    import pyarrow.parquet as pq

    for name in pq.read_table(run / "accounts.parquet", columns=["account_id"])["account_id"].to_pylist():
        yield Request(f"plain-{name}", name, ""), Answer(), ALWAYS
