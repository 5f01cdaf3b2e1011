"""The gate: everything a gateway needs to decide on live requests, as one object.

```python
with Gate.open("policy.toml", "gate/", settings=settings, secret=key) as gate:
    decision = gate.decide(Request(request_id, account_id, model, logprobs=True, prompt=text))
    if decision.allowed:
        body, changed = hardened(body, decision.terms)  # when Action.HARDEN in decision.actions
        ...                                             # serve
        gate.record(request, Answer(output_tokens=812, sealed_out=digests))
    told = decision.for_customer()                      # None, or what the customer is told
```

``decide`` never raises: a fault becomes a decision that says ``fail_open`` or ``fail_closed``. What changes on
disk (policy, risk table, kill switches) takes effect within ``protect.poll_s``, without a restart; what cannot
be used is refused aloud and what was in force stays. Nothing here writes or prints a prompt.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from stillwatch.errors import ConfigError, StillwatchError, VerificationError
from stillwatch.protect import challenge, envelope
from stillwatch.protect.decide import RANK, decide, fault
from stillwatch.protect.grants import Grants, LiveGrant, grants_from
from stillwatch.protect.ledger import entry
from stillwatch.protect.policy import Policy
from stillwatch.protect.risk import RiskTable, empty_table
from stillwatch.protect.signals import PROMPT_SIGNALS, SIGNALS, View
from stillwatch.protect.signals.sealed_replay import issue
from stillwatch.protect.state import State
from stillwatch.records import Action, Answer, Decision, Facts, Request, SignalHit
from stillwatch.settings import Settings, protect_digest
from stillwatch.store.state import MemoryState
from stillwatch.wiring.gate_folder import (
    RISK,
    STATE,
    SWITCHES,
    DecisionLog,
    keep_policy,
    read_switches,
    stamp,
)
from stillwatch.wiring.policy_files import read_policy

Notice = Callable[[str], None]
VERIFIED_S = 90 * 86400.0
"""How long an answered challenge is remembered; tell the gate the account's verification meanwhile."""


@dataclass(frozen=True, slots=True)
class InForce:
    """What decides now: swapped as a whole."""

    policy: Policy
    table: RiskTable
    grants: Grants
    off: frozenset[str] = frozenset()
    signals: frozenset[str] = frozenset()
    """Live signals that the policy asks for."""


@dataclass(slots=True)
class Counts:
    """What a gate has done, for metrics."""

    decisions: dict[str, int] = field(default_factory=dict)
    """By action."""
    faults: int = 0
    unlogged: int = 0
    """Decisions that could not be written down."""
    reloads: int = 0
    refused: int = 0
    """Policies, tables and switches that could not be used."""


class Gate:
    """Decides on requests, remembers what it must, follows what is published. Open it with :meth:`open`."""

    def __init__(
        self, in_force: InForce, *, settings: Settings, state: State, log: DecisionLog | None = None,
        secret: bytes | None = None, cues: Callable[[str], Mapping[str, float]] | None = None,
        notice: Notice | None = None,
    ) -> None:  # fmt: skip
        self._now = in_force
        self._settings, self._digest = settings, protect_digest(settings)
        self._state, self._log, self._cues = state, log, cues
        self._challenge_key = challenge.derive_key(secret) if secret else None
        self._envelope_keys = {"k1": envelope.derive_key(secret)} if secret else {}
        self._notice = notice or _to_stderr
        self.counts = Counts()
        self._watch: _Watch | None = None
        self._faulty = ""

    @classmethod
    def open(
        cls, policy: str | Path | None, folder: str | Path, *, settings: Settings | None = None,
        secret: bytes | None = None, state: State | None = None,
        cues: Callable[[str], Mapping[str, float]] | None = None, notice: Notice | None = None,
    ) -> Gate:  # fmt: skip
        """Load everything, say what the policy's notices say, and begin to watch for changes.

        Parameters
        ----------
        policy
            The policy file; None for the one that ships, which does nothing but record.
        folder
            The gate's own folder, see :mod:`stillwatch.wiring.gate_folder`; made when it is missing.
        settings
            Section ``protect``; defaults when None.
        secret
            The digest key; needed by ``verify`` and by envelopes.
        state
            What is remembered; a file in the folder when None.
        cues
            Cue families of a prompt; the lexicon of the scan when None. Loaded only if the policy asks.
        notice
            Where a line for the operator goes; standard error when None.

        Raises
        ------
        StillwatchError
            The policy, the table, the switches or the folder cannot be used: refuse to start.
        """
        settings = settings or Settings()
        place = Path(folder)
        try:
            place.mkdir(parents=True, exist_ok=True)
            log = DecisionLog(place, settings.protect.log_bytes)
        except OSError as error:
            raise ConfigError(f"{place.name}: {(error.strerror or 'cannot be used').lower()}",
                              hint="name a folder that this process can write to") from error  # fmt: skip
        opened = False
        held: State | None = None
        try:
            seen = _stamps(policy, place)
            loaded = _load(policy, place, secret)
            held = state if state is not None else MemoryState(place / STATE)
            if cues is None and loaded.signals & PROMPT_SIGNALS:
                from stillwatch.wiring.cues import lexicon_cues

                cues = lexicon_cues(settings.protect.prompt_chars)
            gate = cls(
                loaded, settings=settings, state=held, log=log, secret=secret, cues=cues, notice=notice
            )
            gate._announce(loaded.policy)
            gate._watch = _Watch(gate, policy, place, settings.protect.poll_s, secret, seen)
            gate._watch.start()
            opened = True
            return gate
        finally:
            if not opened:
                log.close()
                if held is not None and state is None:
                    held.close()

    def decide(self, request: Request, now: datetime | None = None) -> Decision:
        """The decision on one request. Never raises; logged before it is returned."""
        live, moment = self._now, now or datetime.now(UTC)
        facts = Facts(request)
        try:
            facts = self._facts(live, request, moment.timestamp())
            decision, facts = self._decided(live, facts, moment)
        except Exception as error:  # whatever it is, the customer's request goes on as settings say
            self._fault(error)
            decision = fault(request, moment, closed=self._settings.protect.fail == "closed", policy=live.policy,
                             settings_digest=self._digest, run_digest=live.table.run_digest)  # fmt: skip
        self._written(decision, facts, live.off)
        return decision

    def record(self, request: Request, answer: Answer, now: datetime | None = None) -> None:
        """What was served: remembers issued blocks, counts against the grant. Never raises."""
        live, at = self._now, (now or datetime.now(UTC)).timestamp()
        try:
            if "sealed_replay" in live.signals:
                issue(self._state, request, answer, at)
            if (grant := live.grants.covering(request, self._state, at)) is not None:
                grant.spend(answer, self._state, at)
        except Exception as error:
            self._fault(error)

    def wrap(self, block: str, request: Request, now: datetime | None = None) -> str:
        """An issued block in an envelope bound to account, conversation and model; hand this to the customer.

        Raises `ConfigError` without a secret.
        """
        if not self._envelope_keys:
            raise ConfigError("envelopes need the digest key", hint="open the gate with a secret")
        at = (now or datetime.now(UTC)).timestamp()
        return envelope.wrap(block, request, self._envelope_keys, "k1", at)

    def unwrap(self, blocks: list[str], request: Request) -> tuple[list[str | None], Request]:
        """Blocks as the model issued them, and the request with what their envelopes say. Never raises.

        A block that never was in an envelope comes back as it is. One whose seal does not hold comes back as
        None: leave it out of what goes to the model.
        """
        out: list[str | None] = []
        differing = set(request.sealed_differing)
        for block in blocks:
            if not envelope.is_wrapped(block):
                out.append(block)
                continue
            try:
                opened = envelope.unwrap(block, request, self._envelope_keys)
            except (VerificationError, ValueError):
                out.append(None)
                differing.add("seal")
            else:
                out.append(opened.block)
                differing.update(opened.differing)
        return out, replace(request, sealed_differing=tuple(sorted(differing)))

    def answered(self, told: str, level: str | None = None, now: datetime | None = None) -> str:
        """Your verification flow hands a challenge back: the account has now the level asked for, or ``level``.

        Returns the account. Raises `VerificationError` for a challenge that is not ours or has expired.
        """
        if self._challenge_key is None:
            raise ConfigError("challenges need the digest key", hint="open the gate with a secret")
        at = (now or datetime.now(UTC)).timestamp()
        account, asked = challenge.check(told, self._challenge_key, at)
        self._state.remember(f"verified:{account}", level or asked, VERIFIED_S, at)
        return account

    @property
    def in_force(self) -> InForce:
        """What decides now."""
        return self._now

    def close(self) -> None:
        """Stop watching, write down what is in memory."""
        if self._watch is not None:
            self._watch.stop()
            self._watch = None
        self._state.close()
        if self._log is not None:
            self._log.close()
            self._log = None

    def __enter__(self) -> Gate:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _facts(self, live: InForce, request: Request, at: float) -> Facts:
        standing = live.table.standing(request.account_id)
        grant = live.grants.place(request, self._state, at)
        return Facts(
            request, standing, grant, self._signals(live, request, grant, at) if live.signals else ()
        )

    def _signals(self, live: InForce, request: Request, grant: str, at: float) -> tuple[SignalHit, ...]:
        cues = None
        if request.prompt and self._cues is not None and live.signals & PROMPT_SIGNALS:
            cues = self._cues(request.prompt)
        view = View(self._state, at, grant, cues)
        return tuple(hit for name, signal in SIGNALS.items()
                     if name in live.signals and (hit := signal.look(request, view)) is not None)  # fmt: skip

    def _decided(self, live: InForce, facts: Facts, moment: datetime) -> tuple[Decision, Facts]:
        """The pure decision, and what the store adds to it."""
        at = moment.timestamp()
        decision = self._pure(live, facts, moment)
        if decision.action is Action.VERIFY:
            level = self._state.recall(f"verified:{facts.request.account_id}", at)
            if RANK.get(level or "", 0) >= RANK[decision.terms.level or "none"]:
                facts = replace(facts, request=replace(facts.request, verification=level))
                decision = self._pure(live, facts, moment)
            if decision.action is Action.VERIFY:
                decision = self._challenged(decision, at)
        if decision.action is Action.THROTTLE:
            terms = decision.terms
            wait = self._state.take(f"{decision.rule}:{decision.account_id}", (terms.rate_per_min or 1.0) / 60.0,
                                    terms.burst or 1, at)  # fmt: skip
            if wait > 0.0:
                decision = replace(decision, retry_after_s=wait)
        return decision, facts

    def _pure(self, live: InForce, facts: Facts, moment: datetime) -> Decision:
        return decide(live.policy, facts, moment, off=live.off, settings_digest=self._digest,
                      run_digest=live.table.run_digest)  # fmt: skip

    def _challenged(self, decision: Decision, at: float) -> Decision:
        if self._challenge_key is None:
            raise ConfigError("verify needs the digest key", hint="open the gate with a secret")
        made = challenge.make(decision.account_id, decision.terms.level or "none", self._challenge_key, at)
        url = (decision.terms.url or "").replace("{challenge}", made)
        return replace(decision, challenge=made, terms=replace(decision.terms, url=url))

    def _written(self, decision: Decision, facts: Facts, off: frozenset[str]) -> None:
        done = self.counts.decisions
        done[decision.action.value] = done.get(decision.action.value, 0) + 1
        if self._log is None:
            return
        try:
            self._log.write(entry(decision, facts, off))
        except Exception as error:
            self.counts.unlogged += 1
            self._say_once(f"decisions are not being logged: {type(error).__name__}")

    def _fault(self, error: Exception) -> None:
        self.counts.faults += 1
        what = str(error) if isinstance(error, StillwatchError) else type(error).__name__
        self._say_once(f"a decision could not be made (fail_{self._settings.protect.fail}): {what}")

    def _say_once(self, text: str) -> None:
        """A fault that lasts is told once, not once a request."""
        if text != self._faulty:
            self._faulty = text
            with suppress(Exception):
                self._notice(text)

    def _announce(self, policy: Policy) -> None:
        for text in policy.notices:
            self._notice(f"policy {policy.name} {policy.version}: {text}")


def _to_stderr(text: str) -> None:
    sys.stderr.write(f"stillwatch: {text}\n")


def _load(path: str | Path | None, folder: Path, secret: bytes | None) -> InForce:
    """Everything that decides, from disk."""
    policy = _usable(read_policy(path), secret)
    keep_policy(folder, policy)
    table = _table(folder)
    return _together(policy, table, Grants(grants_of(table)), read_switches(folder))


def _usable(policy: Policy, secret: bytes | None) -> Policy:
    if secret is None and any(rule.action is Action.VERIFY for rule in policy.rules):
        raise ConfigError("the policy verifies, which needs the digest key",
                          hint="make one with `stillwatch key new` and name it in privacy.key_file")  # fmt: skip
    return policy


def _together(policy: Policy, table: RiskTable, grants: Grants, off: frozenset[str]) -> InForce:
    return InForce(policy, table, grants, off, policy.signals)


def _table(folder: Path) -> RiskTable:
    path = folder / RISK
    return RiskTable.open(path) if path.exists() else empty_table()


def grants_of(table: RiskTable) -> list[LiveGrant]:
    """Grants that a table carries."""
    times = ("valid_from", "valid_until")
    return grants_from({**g, **{t: datetime.fromisoformat(g[t]) for t in times}} for g in table.grants)


Stamps = dict[str, tuple[int, int, int] | None]


def _stamps(policy: str | Path | None, folder: Path) -> Stamps:
    """What tells whether something changed on disk."""
    files = {"table": folder / RISK, "off": folder / SWITCHES}
    if policy is not None:
        files["policy"] = Path(policy)
    return {name: stamp(path) for name, path in files.items()}


class _Watch(threading.Thread):
    """Looks for what changed, loads it beside what is in force, and swaps one reference.

    While it loads, threads take shorter turns: a request that is being decided waits a millisecond for the
    interpreter at most, not five.
    """

    def __init__(
        self, gate: Gate, policy: str | Path | None, folder: Path, every_s: float, secret: bytes | None, seen: Stamps
    ) -> None:  # fmt: skip
        super().__init__(name="stillwatch-gate", daemon=True)
        self._gate, self._policy, self._folder, self._every, self._secret = (
            gate,
            policy,
            folder,
            every_s,
            secret,
        )
        self._end = threading.Event()
        self._seen, self._last = dict(seen), dict(seen)
        self._flushed = time.monotonic()

    def run(self) -> None:
        while not self._end.wait(self._every):
            self.look()
            if time.monotonic() - self._flushed >= 1.0:
                self._flush()

    def look(self) -> None:
        """Load what changed since the last look."""
        now = _stamps(self._policy, self._folder)
        changed = [name for name in now if now[name] != self._seen[name]]
        if now.get("policy") != self._last.get("policy") and "policy" in changed:
            changed.remove("policy")  # somebody is writing: look again before believing it
        self._last = now
        if not changed:
            return
        turns = sys.getswitchinterval()
        sys.setswitchinterval(0.0005)
        try:
            for name in changed:
                self._reload(name)
                self._seen[name] = now[name]
        finally:
            sys.setswitchinterval(turns)

    def _reload(self, name: str) -> None:
        gate = self._gate
        now = gate._now
        try:
            if name == "policy":
                policy = _usable(read_policy(self._policy), self._secret)
                keep_policy(self._folder, policy)
                gate._now = _together(policy, now.table, now.grants, now.off)
                gate._announce(policy)
            elif name == "table":
                table = _table(self._folder)
                gate._now = _together(now.policy, table, Grants(grants_of(table)), now.off)
            else:
                gate._now = replace(now, off=read_switches(self._folder))
            gate.counts.reloads += 1
        except Exception as error:
            gate.counts.refused += 1
            what = str(error) if isinstance(error, StillwatchError) else type(error).__name__
            with suppress(Exception):
                gate._notice(f"{what}; what was in force stays in force")

    def _flush(self) -> None:
        self._flushed = time.monotonic()
        try:
            self._gate._state.flush()
            if self._gate._log is not None:
                self._gate._log.sync()
        except Exception as error:
            self._gate._fault(error)

    def stop(self) -> None:
        self._end.set()
        self.join(timeout=10.0)
