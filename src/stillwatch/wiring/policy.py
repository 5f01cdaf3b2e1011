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

from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from stillwatch.errors import ConfigError, StillwatchError, UpstreamError
from stillwatch.protect.decide import RANK, decide, fault
from stillwatch.protect.envelope import usable
from stillwatch.protect.ledger import entry
from stillwatch.protect.signals import PROMPT_SIGNALS, SIGNALS, View
from stillwatch.protect.signals.sealed_replay import issue
from stillwatch.protect.state import State
from stillwatch.records import Action, Answer, Decision, Facts, Request, SignalHit
from stillwatch.settings import Settings, protect_digest
from stillwatch.store.state import MemoryState
from stillwatch.store.valkey import ValkeyBoard, ValkeyState
from stillwatch.wiring.gate_folder import STATE, DecisionLog, LinesLost
from stillwatch.wiring.gate_keys import Keys
from stillwatch.wiring.gate_operator import Counts, Notice, Operator, words
from stillwatch.wiring.gate_store import store_server
from stillwatch.wiring.gate_watch import Mirror, Watch, stamps
from stillwatch.wiring.in_force import InForce

VERIFIED_S = 90 * 86400.0
"""How long an answered challenge is remembered; tell the gate the account's verification meanwhile."""


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
        self._keys, self._operator = Keys(secret), Operator(notice)
        self.counts = Counts()
        self._watch: Watch | None = None

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
            What is remembered; when None, the server of ``protect.store``, or a file in the folder.
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
        if settings.protect.envelopes:
            if secret is None:
                raise ConfigError(
                    "protect.envelopes needs the digest key", hint="set privacy.key_file or its variable"
                )
            usable()
        place = Path(folder)
        with ExitStack() as undo:
            log = _opened_log(place, settings)
            undo.callback(log.close)
            server = store_server(settings)
            mirror = Mirror(ValkeyBoard(server), place) if server is not None else None
            if mirror is not None:
                undo.callback(mirror.close)
                with suppress(UpstreamError):
                    mirror.look()
            seen = stamps(policy, place)
            loaded = InForce.load(policy, place, keyed=secret is not None)
            held = state if state is not None else _state(place, settings)
            if state is None:
                undo.callback(held.close)
            gate = cls(
                loaded, settings=settings, state=held, log=log, secret=secret, cues=cues, notice=notice
            )
            gate.swap(loaded, first=True)
            gate._watch = Watch(gate, policy, place, seen, every_s=settings.protect.poll_s, keyed=secret is not None,
                                mirror=mirror)  # fmt: skip
            gate._watch.start()
            undo.pop_all()
            return gate

    def decide(self, request: Request, now: datetime | None = None) -> Decision:
        """The decision on one request. Never raises; handed to the log before it is returned."""
        live, moment = self._now, now or datetime.now(UTC)
        facts = Facts(request)
        try:
            facts = self._facts(live, request, moment.timestamp())
            decision, facts = self._decided(live, facts, moment)
        except Exception as error:  # whatever it is, the customer's request goes on as settings say
            self._fault(error)
            if (usable := _request_or_none(request)) is not request:
                facts = Facts(usable)
            decision = self._fail(live, usable, moment)
        self._written(decision, facts, live.off)
        return decision

    def undecided(self, request: Request, why: str, now: datetime | None = None) -> Decision:
        """The decision where a gateway cannot say what is asked or by whom: ``fail_open`` or ``fail_closed``.

        ``why`` is told to the operator, once while it lasts; it must quote nothing. Never raises; logged.
        """
        live, moment = self._now, now or datetime.now(UTC)
        self._fault(StillwatchError(why))
        usable = _request_or_none(request)
        decision = self._fail(live, usable, moment)
        self._written(decision, Facts(usable), live.off)
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
        return self._keys.wrap(block, request, (now or datetime.now(UTC)).timestamp())

    def unwrap(self, blocks: list[str], request: Request) -> tuple[list[str | None], Request]:
        """Blocks as the model issued them, and the request with what their envelopes say. Never raises.

        A block that never was in an envelope comes back as it is. One that cannot be opened comes back as None: its
        seal does not hold, which the request then says, or it was made with another digest key.
        """
        return self._keys.unwrap(blocks, request)

    def answered(self, told: str, level: str | None = None, now: datetime | None = None) -> str:
        """Your verification flow hands a challenge back: the account has now the level asked for, or ``level``.

        Returns the account. Raises `VerificationError` for a challenge that is not ours or has expired.
        """
        at = (now or datetime.now(UTC)).timestamp()
        account, asked = self._keys.answered(told, at)
        self._state.remember(f"verified:{account}", level or asked, VERIFIED_S, at)
        return account

    @property
    def wraps(self) -> bool:
        """Whether gateways put issued blocks in envelopes, by settings."""
        return self._settings.protect.envelopes

    @property
    def in_force(self) -> InForce:
        """What decides now."""
        return self._now

    def swap(self, after: InForce, *, first: bool = False) -> None:
        """Put something else in force; says what a new policy's notices say."""
        if after.signals & PROMPT_SIGNALS and self._cues is None:
            from stillwatch.wiring.cues import lexicon_cues

            self._cues = lexicon_cues(self._settings.protect.prompt_chars)
        new_policy = first or after.policy.digest != self._now.policy.digest
        self._now = after
        self.counts.reloads += not first
        for text in after.policy.notices if new_policy else ():
            self._operator.tell(f"policy {after.policy.name} {after.policy.version}: {text}")

    def refuse(self, error: Exception) -> None:
        """Something that was published cannot be used."""
        self.counts.refused += 1
        self._operator.tell(f"{words(error)}; what was in force stays in force")

    def told(self, error: Exception) -> None:
        """Something that goes on is told once."""
        self._operator.tell_once(words(error))

    def flush(self) -> None:
        """Write down what is only in memory, and make the log durable, whatever becomes of the other. Never raises."""
        if self._log is not None:
            try:
                self._log.sync()
            except LinesLost as error:
                self._unlogged(error)
            except Exception as error:
                self._operator.tell_once(f"the decision log does not reach the disk: {words(error)}")
        try:
            self._state.flush()
        except Exception as error:
            self._operator.tell_once(f"memory cannot be written down: {words(error)}")

    def close(self) -> None:
        """Stop watching, write down what is in memory."""
        if self._watch is not None:
            self._watch.stop()
            self._watch = None
        if self._log is not None:
            try:
                self._log.close()
            except OSError as error:
                self._unlogged(error)
            self._log = None
        self._state.close()

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
                decision = self._keys.challenged(decision, at)
        if decision.action is Action.THROTTLE:
            terms = decision.terms
            wait = self._state.take(f"{decision.rule}:{_shared(decision, facts)}", (terms.rate_per_min or 1.0) / 60.0,
                                    terms.burst or 1, at)  # fmt: skip
            if wait > 0.0:
                decision = replace(decision, retry_after_s=wait)
        return decision, facts

    def _fail(self, live: InForce, request: Request, moment: datetime) -> Decision:
        return fault(request, moment, closed=self._settings.protect.fail == "closed", policy=live.policy,
                     settings_digest=self._digest, run_digest=live.table.run_digest)  # fmt: skip

    def _pure(self, live: InForce, facts: Facts, moment: datetime) -> Decision:
        return decide(live.policy, facts, moment, off=live.off, settings_digest=self._digest,
                      run_digest=live.table.run_digest)  # fmt: skip

    def _written(self, decision: Decision, facts: Facts, off: frozenset[str]) -> None:
        done = self.counts.decisions
        done[decision.action.value] = done.get(decision.action.value, 0) + 1
        if self._log is None:
            return
        try:
            self._log.write(entry(decision, facts, off))
        except Exception as error:
            self._unlogged(error)

    def _unlogged(self, error: Exception) -> None:
        lost = error if isinstance(error, LinesLost) else None
        self.counts.unlogged += lost.lines if lost else 1
        why = lost.strerror if lost else type(error).__name__
        self._operator.tell_once(f"decisions are not being logged: {why}")

    def _fault(self, error: Exception) -> None:
        self.counts.faults += 1
        self._operator.tell_once(
            f"a decision could not be made (fail_{self._settings.protect.fail}): {words(error)}"
        )


def _request_or_none(given: object) -> Request:
    """The request, or one of nobody where a gateway hands over something else by a slip of its own."""
    return given if isinstance(given, Request) else Request("", "", "")


def _shared(decision: Decision, facts: Facts) -> str:
    """Whose requests a throttle counts together; an account without campaign or organisation counts alone."""
    per = decision.terms.per
    name = {"campaign": facts.standing.campaign_id, "org": facts.request.org_id}.get(per)
    return f"{per}:{name}" if name else f"account:{decision.account_id}"


def _opened_log(folder: Path, settings: Settings) -> DecisionLog:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return DecisionLog(folder, settings.protect.log_bytes)
    except OSError as error:
        raise ConfigError(f"{folder.name}: {(error.strerror or 'cannot be used').lower()}",
                          hint="name a folder that this process can write to") from error  # fmt: skip


def _state(folder: Path, settings: Settings) -> State:
    server = store_server(settings)
    return ValkeyState(server) if server is not None else MemoryState(folder / STATE)
