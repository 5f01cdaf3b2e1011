"""Speaks as Envoy does: makes its messages, reads the replies, without a socket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stillwatch.gateway.envoy.call import Call, Desk
from stillwatch.gateway.envoy.messages import BUFFERED, STREAMED, ProcessingRequest
from stillwatch.gateway.envoy.metrics import Metrics
from stillwatch.protect.risk import empty_table
from stillwatch.receive.budget import Budget
from stillwatch.records import Answer, Decision, Request
from stillwatch.settings import EnvoySettings, ProtectSettings, Settings
from stillwatch.store.state import MemoryState
from stillwatch.wiring.in_force import InForce
from stillwatch.wiring.policy import Gate
from tests.protect.making import policy

HEADERS = {
    ":method": "POST",
    ":path": "/v1/chat/completions",
    "content-type": "application/json",
    "x-account-id": "m0",
}


Extra = Mapping[str, str] | Sequence[tuple[str, str]]


class Clerk:
    """A gate on some rules that remembers what it was asked and told."""

    def __init__(self, *rules: str, broken: bool = False, envelopes: bool = False) -> None:
        settings = Settings(protect=ProtectSettings(envelopes=envelopes))
        self.gate = Gate(
            InForce.of(policy(*rules), empty_table()),
            settings=settings,
            state=MemoryState(),
            secret=b"s" * 32,
        )
        self.wraps, self.wrap, self.unwrap = envelopes, self.gate.wrap, self.gate.unwrap
        self.rules = rules
        self.asked: list[Request] = []
        self.recorded: list[Answer] = []
        self.broken = broken

    def decide(self, request: Request) -> Decision:
        """As the gate does."""
        if self.broken:
            raise RuntimeError("zebra-quartz-41")
        self.asked.append(request)
        return self.gate.decide(request)

    def undecided(self, request: Request, why: str) -> Decision:
        """As a closed gate does."""
        self.asked.append(request)
        closed = Settings(protect=ProtectSettings(fail="closed"))
        live = InForce.of(policy(*self.rules), empty_table())
        return Gate(live, settings=closed, state=MemoryState(), notice=lambda text: None).undecided(
            request, why
        )

    def record(self, request: Request, answer: Answer) -> None:
        """Keep it."""
        self.recorded.append(answer)


class Line:
    """One call on a line to a clerk."""

    def __init__(self, clerk: Clerk, *, mode: int = BUFFERED, answers: int = STREAMED, closed: bool = False,
                 **settings: Any) -> None:  # fmt: skip
        self.told: list[str] = []
        chosen = EnvoySettings(**settings)
        self.budget = Budget(chosen.max_waiting_bytes)
        self.metrics = Metrics()
        self.call = Call(Desk(clerk, chosen, self.metrics, self.budget, False, closed, self.told.append))
        self._modes: tuple[int, int] | None = (mode, answers)

    def send(self, kind: str, **fields: Any) -> list[Any]:
        """One message; the replies."""
        message = ProcessingRequest()
        if self._modes is not None:
            message.protocol_config.request_body_mode, message.protocol_config.response_body_mode = (
                self._modes
            )
            self._modes = None
        step = getattr(message, kind)
        step.SetInParent()
        for name, value in fields.items():
            if name == "headers":
                for key, each in value:
                    step.headers.headers.add(key=key, raw_value=each.encode())
            else:
                setattr(step, name, value)
        return self.call.take(ProcessingRequest.FromString(message.SerializeToString()))

    def head(self, extra: Extra = (), *, end: bool = False, **base: str) -> list[Any]:
        """Request headers."""
        more = list(extra.items()) if isinstance(extra, Mapping) else list(extra)
        pairs = [(k, v) for k, v in {**HEADERS, **base}.items() if k not in dict(more)] + more
        return self.send("request_headers", headers=pairs, end_of_stream=end)

    def ask(self, body: bytes, extra: Extra = ()) -> list[Any]:
        """Headers and a whole body; the replies to the body, or to the headers if they end it."""
        first = self.head(extra)
        return first if self.call.over else self.send("request_body", body=body, end_of_stream=True)


def put(mutation: Any) -> dict[str, str]:
    """Headers that a mutation puts."""
    return {each.header.key: each.header.raw_value.decode() for each in mutation.set_headers}
