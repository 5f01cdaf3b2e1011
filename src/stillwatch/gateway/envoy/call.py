"""One HTTP call as Envoy tells it, message by message, and what it is answered. No sockets, no gRPC.

```
request headers  who asks, how long it will be         go on, or refuse
request body     decide                                go on, changed or not, or answer in the model's place
response headers whose answer it is                    tell the decision
response body    read along                            go on, unchanged
the end          record what was served
```

Nothing is judged before the whole body is here. `BUFFERED` leaves that to Envoy. In `STREAMED` mode pieces are held
back here and passed on with the last one; the headers have gone ahead by then, so that the model server sees no
decision in them. In `FULL_DUPLEX_STREAMED` mode headers and body are held back.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from stillwatch.errors import where_it_failed
from stillwatch.gateway.answered import AnswerReader
from stillwatch.gateway.body import Refused, dumped, understood
from stillwatch.gateway.desk import NAMELESS
from stillwatch.gateway.enveloped import BARE, enveloped, opened
from stillwatch.gateway.envoy.messages import BUFFERED, BUFFERED_PARTIAL, FULL_DUPLEX, NONE, STREAMED
from stillwatch.gateway.envoy.metrics import Metrics
from stillwatch.gateway.envoy.replies import go_on, instead, streamed
from stillwatch.gateway.identity import Headers, behind_envoy, every, only
from stillwatch.gateway.paths import CALLS, WRITES, model_of, operation_of
from stillwatch.gateway.rewriting import MISSED, Change, Rewriter
from stillwatch.gateway.told import PREFIX, RETRY_S, for_customer, for_model, refusal
from stillwatch.protect import hardened
from stillwatch.protect.withhold import Withheld
from stillwatch.receive.budget import Budget
from stillwatch.records import Action, Answer, Decision, Reason, Request
from stillwatch.settings import EnvoySettings
from stillwatch.wiring.gate_dye import Dyer
from stillwatch.wiring.gate_request import request_of

_LONG = 65_536
_MOST_PATH = 8_192
_NO_ACCOUNT = "Envoy names no account for some requests: check envoy.account, and what sets its header"
_NOT_HARDENED = "this request cannot be served as it was sent: send a JSON object"


class Judge(Protocol):
    """The part of `stillwatch.wiring.policy.Gate` that is needed here."""

    def decide(self, request: Request) -> Decision:
        """The decision. Never raises."""

    def undecided(self, request: Request, why: str) -> Decision:
        """The decision where nobody is named. Never raises."""

    def record(self, request: Request, answer: Answer) -> None:
        """What was served. Never raises."""

    @property
    def wraps(self) -> bool:
        """Whether settings ask for envelopes."""

    def wrap(self, block: str, request: Request) -> str:
        """An issued block in its envelope."""

    def unwrap(self, blocks: list[str], request: Request) -> tuple[list[str | None], Request]:
        """Blocks as they were issued, and the request with what their envelopes say. Never raises."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What all calls share."""

    judge: Judge
    settings: EnvoySettings
    metrics: Metrics
    budget: Budget
    remote: bool
    """Whether the judge may have to ask a server."""
    closed: bool
    """What a fault in here means: the request is not served."""
    tell: Callable[[str], None]
    """Where the operator is told something, once while it lasts."""
    dyer: Dyer | None = None
    """Hands marking keys to the engine, where settings say so."""


class Call:
    """One HTTP call."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._modes = (BUFFERED, STREAMED)
        self._first = True
        self._headers: Headers = ()
        self._pieces: list[bytes] = []
        self._held = 0
        self._request: Request | None = None
        self._decision: Decision | None = None
        self._reader: AnswerReader | None = None
        self._rewriter: Rewriter | None = None
        self._missed = False
        self._left: int | None = None
        """Bytes of the answer that are still to come, where it says how long it is."""
        self._withholds = self._recorded = False
        self._back = False
        """The request is held back here."""
        self._passing = False
        """After a fault of ours: nothing is looked at any more."""
        self.until: float | None = None
        """Moment on the monotonic clock at which the body must be here; None when none is awaited."""
        self.over = False
        """The customer was answered in the model's place: nothing more comes."""

    def keeps_others_waiting(self, message: Any) -> bool:
        """Whether this message may take a while: it ends a long body, or its decision may wait for a server."""
        if self.until is None or message.WhichOneof("request") not in ("request_body", "request_trailers"):
            return False
        return self._desk.remote or self._held + len(message.request_body.body) > _LONG

    def take(self, message: Any) -> list[Any]:
        """The replies to one message. Never raises."""
        kind = message.WhichOneof("request")
        if kind is None or self.over:
            return []
        if self._first:
            self._first = False
            if message.HasField("protocol_config"):
                told = message.protocol_config
                self._modes = (told.request_body_mode, told.response_body_mode)
        try:
            return self._steps[kind](self, getattr(message, kind))
        except Exception as error:
            self._desk.metrics.failures.inc()
            self._desk.tell(f"a call failed in here: {where_it_failed(error)}")
            return self._failed(kind, getattr(message, kind))

    def late(self) -> Any:
        """The answer to a body that does not come."""
        seconds = self._desk.settings.body_timeout_s
        return self._refuse(Refused(408, f"the request did not arrive whole within {seconds:g} s"))

    def end(self) -> None:
        """The call is over, however it ended: record what was served, let go of what is held."""
        self._free()
        self._record()

    def _request_headers(self, message: Any) -> list[Any]:
        self._headers = _headers(message.headers)
        drop = self._ours()
        if message.end_of_stream:
            return [go_on("request_headers", drop=drop)]
        settings = self._desk.settings
        declared = only(self._headers, b"content-length")
        if declared.isdecimal() and int(declared[:20]) > settings.max_body_bytes:
            return [self._too_long()]
        if every(self._headers, b"content-encoding").strip().lower() not in ("", "identity"):
            words = "a compressed body is not read here: send it without Content-Encoding"
            return [self._refuse(Refused(415, words, code="compressed"))]
        self.until, self._back = time.monotonic() + settings.body_timeout_s, True
        if self._modes[0] == FULL_DUPLEX:
            return []
        drop += ["accept-encoding"] + (["content-length"] if self._modes[0] == STREAMED else [])
        return [go_on("request_headers", drop=drop)]

    def _request_body(self, message: Any) -> list[Any]:
        if self._passing:
            return self._unchanged("request_body", message)
        size = self._held + len(message.body)
        cut = self._modes[0] == BUFFERED_PARTIAL and not message.end_of_stream
        if size > self._desk.settings.max_body_bytes or cut:
            return [self._too_long()]
        if not self._desk.budget.take(len(message.body)):
            words = "too much is waiting here: send it again later"
            return [self._refuse(Refused(503, words, retry_after_s=RETRY_S))]
        self._pieces.append(message.body)
        self._held = size
        if self._modes[0] in (STREAMED, FULL_DUPLEX) and not message.end_of_stream:
            return [go_on("request_body", clear=True)] if self._modes[0] == STREAMED else []
        return self._decided(last=True)

    def _request_trailers(self, message: Any) -> list[Any]:
        if self.until is None or self._modes[0] not in (STREAMED, FULL_DUPLEX):
            return [go_on("request_trailers")]
        if self._modes[0] == STREAMED:
            words = "trailers are not read here: send the request without them"
            return [self._refuse(Refused(400, words, code="trailers"))]
        replies = self._decided(last=False)
        return replies if self.over else [*replies, go_on("request_trailers")]

    def _decided(self, *, last: bool) -> list[Any]:
        """The whole body is here."""
        began = time.perf_counter()
        self.until = None
        body = b"".join(self._pieces)
        try:
            operation = operation_of(only(self._headers, b":path", _MOST_PATH))
            media = only(self._headers, b"content-type")
            parsed = understood(body, media, call=operation in CALLS)
            unwrapped, request = opened(parsed, self._asked(parsed, operation), self._desk.judge)
            self._request = request
            decision = self._decision = self._judged(request)
            served = "yes" if decision.allowed else "no"
            self._desk.metrics.decisions.labels(decision.action.value, served).inc()
            if not decision.allowed:
                self.over = True
                return [instead(refusal(decision))]
            new = self._changed(parsed, decision, unwrapped, writes=operation in WRITES)
        except Refused as refused:
            return [self._refuse(refused)]
        finally:
            self._desk.metrics.deciding.observe(time.perf_counter() - began)
        replies = self._onward(body, new, decision, last=last)
        self._back = False
        self._free()
        return replies

    def _onward(self, body: bytes, new: bytes | None, decision: Decision, *, last: bool) -> list[Any]:
        mode = self._modes[0]
        drop = self._ours()
        if mode == STREAMED:
            return [go_on("request_body", body=body if new is None else new)]
        if mode == FULL_DUPLEX:
            drop += ["accept-encoding", "content-length"]
            head = go_on("request_headers", put=for_model(decision), drop=drop)
            return [head, *streamed("request_body", body if new is None else new, last=last)]
        length = {} if new is None else {"content-length": str(len(new))}
        return [go_on("request_body", put=for_model(decision) | length, body=new)]

    def _asked(self, body: Mapping[str, Any] | None, operation: str) -> Request:
        whose = behind_envoy(self._headers, self._desk.settings)
        if not whose.account_id:
            self._desk.metrics.unnamed.inc()
            self._desk.tell(_NO_ACCOUNT)
        named = model_of(only(self._headers, b":path", _MOST_PATH))
        if body is None:
            return Request(
                secrets.token_hex(12), whose.account_id, named, operation, org_id=whose.org_id, channel="api"
            )
        if named and not body.get("model"):
            body = {**body, "model": named}
        return request_of(
            body, account_id=whose.account_id, operation=operation, channel="api", org_id=whose.org_id
        )

    def _judged(self, request: Request) -> Decision:
        """The decision. One of nobody is decided by the rules for everyone, or refused as settings say."""
        if self._desk.closed and not request.account_id:
            return self._desk.judge.undecided(request, NAMELESS)
        return self._desk.judge.decide(request)

    def _changed(
        self, body: Mapping[str, Any] | None, decision: Decision, changed: bool, *, writes: bool
    ) -> bytes | None:
        """The hardened and dyed body; None when it stays as it is. One that was not read cannot be hardened."""
        if Action.HARDEN in decision.actions:
            if body is None:
                raise Refused(415, _NOT_HARDENED)
            body, stripped = hardened(body, decision.terms)
            changed = changed or bool(stripped)
        if body is not None and self._desk.dyer is not None:
            dyed = self._desk.dyer.dyed(body, decision, writes=writes)
            if dyed is not None:
                return dumped(dyed)
        return dumped(body) if changed and body is not None else None

    def _ours(self) -> list[str]:
        """Headers under our names that came from outside."""
        return sorted({name.decode() for name, _ in self._headers if name.startswith(PREFIX.encode())})

    def _response_headers(self, message: Any) -> list[Any]:
        headers = _headers(message.headers)
        decision = self._decision
        if decision is None:
            return [go_on("response_headers")]
        drop: list[str] = []
        if only(headers, b":status").startswith("2"):
            media, encoding = only(headers, b"content-type"), every(headers, b"content-encoding")
            most = self._desk.settings.max_event_bytes
            self._reader = AnswerReader(media, encoding=encoding, most=most)
            if changes := self._changes(decision):
                withholds = self._withholds
                self._rewriter = Rewriter(
                    media, changes, encoding=encoding, most=most, closed=withholds and self._desk.closed,
                    text=withholds and self._request is not None and self._request.operation in WRITES,
                )  # fmt: skip
                length = only(headers, b"content-length")
                self._left = int(length) if length.isdecimal() else None
                if self._rewriter.missed or (self._modes[1] == NONE and self._rewriter.active):
                    self._miss()
                if self._modes[1] not in (NONE, BUFFERED) and self._rewriter.active:
                    drop = ["content-length"]
        if message.end_of_stream:
            self._record()
        return [go_on("response_headers", put=for_customer(decision), drop=drop)]

    def _response_body(self, message: Any) -> list[Any]:
        if self._reader is not None:
            self._reader.feed(message.body)
            if message.end_of_stream:
                self._record()
        if self._rewriter is None or not self._rewriter.active:
            return self._unchanged("response_body", message)
        return self._rewritten(message, self._rewriter)

    def _changes(self, decision: Decision) -> list[Change]:
        """What has to be changed in the answer."""
        self._withholds = Action.SUMMARISE in decision.actions
        sealed = enveloped(self._desk.judge, self._request) if self._request is not None else []
        return [*([Withheld()] if self._withholds else []), *sealed]

    def _rewritten(self, message: Any, rewriter: Rewriter) -> list[Any]:
        """A piece of an answer, changed. A whole answer is held back here until its end."""
        last = message.end_of_stream
        if self._left is not None:
            self._left -= len(message.body)
        here = last or self._left == 0 or self._modes[1] == BUFFERED
        body = rewriter.feed(message.body) + (rewriter.end() if here else b"")
        if here and rewriter.missed:
            self._miss()
        if self._modes[1] == FULL_DUPLEX:
            return streamed("response_body", body, last=last)
        if self._modes[1] == BUFFERED:
            if (failed := rewriter.failed) is not None:
                return [instead(failed)]
            length = {"content-length": str(len(body))}
            return [go_on("response_body", put=length, body=body)]
        return [go_on("response_body", body=body or None, clear=not body)]

    def _miss(self) -> None:
        """Something was to be changed in what cannot be read: counted once, and told."""
        if self._missed:
            return
        self._missed = True
        if self._withholds:
            self._desk.metrics.unapplied.labels(Action.SUMMARISE.value).inc()
        self._desk.tell(MISSED if self._withholds else BARE)

    def _response_trailers(self, message: Any) -> list[Any]:
        self._record()
        if self._rewriter is not None and self._modes[1] == FULL_DUPLEX and (rest := self._rewriter.end()):
            return [*streamed("response_body", rest, last=False), go_on("response_trailers")]
        return [go_on("response_trailers")]

    def _unchanged(self, kind: str, message: Any) -> list[Any]:
        if self._modes[kind == "response_body"] == FULL_DUPLEX:
            return streamed(kind, message.body, last=message.end_of_stream)
        return [go_on(kind)]

    def _record(self) -> None:
        if self._reader is None or self._request is None or self._recorded:
            return
        self._recorded = True
        answer = self._reader.answer()
        self._desk.metrics.answers.labels("no" if self._reader.unread else "yes").inc()
        self._desk.judge.record(self._request, answer)

    def _failed(self, kind: str, message: Any) -> list[Any]:
        """A fault of ours: the call goes on as it is, or not at all, as settings say."""
        self.until, back, self._back = None, self._back, False
        if self._desk.closed and kind.startswith("request"):
            words, code = Reason.FAIL_CLOSED.sentence, Reason.FAIL_CLOSED.value
            return [self._refuse(Refused(503, words, retry_after_s=RETRY_S, code=code))]
        body, held = b"".join(self._pieces), bool(self._pieces)
        self._free()
        self._passing = True
        if (
            self._desk.closed
            and kind == "response_body"
            and self._withholds
            and self._rewriter is not None
            and self._rewriter.active
        ):
            return [go_on(kind, clear=True)]
        if not kind.startswith("request") or not back or self._modes[0] not in (STREAMED, FULL_DUPLEX):
            if kind.endswith("body"):
                return self._unchanged(kind, message)
            return [go_on(kind, drop=self._ours() if kind == "request_headers" else ())]
        last = kind == "request_body" and message.end_of_stream
        if kind == "request_body" and not held:
            body = message.body
        if self._modes[0] == STREAMED:
            return [go_on(kind, body=body)] if kind == "request_body" else [go_on(kind)]
        replies = [go_on("request_headers", drop=self._ours())]
        if kind != "request_headers":
            replies += streamed("request_body", body, last=last)
        return replies if kind != "request_trailers" else [*replies, go_on(kind)]

    def _too_long(self) -> Any:
        most = self._desk.settings.max_body_bytes
        return self._refuse(Refused(413, f"the body is longer than {most} bytes: send less at once"))

    def _refuse(self, refused: Refused) -> Any:
        self.over, self.until = True, None
        self._desk.metrics.refused.labels(str(refused.status)).inc()
        return instead(refused.told())

    def _free(self) -> None:
        self._desk.budget.give(self._held)
        self._pieces, self._held = [], 0

    _steps: ClassVar[Mapping[str, Callable[[Call, Any], list[Any]]]] = {
        "request_headers": _request_headers,
        "request_body": _request_body,
        "request_trailers": _request_trailers,
        "response_headers": _response_headers,
        "response_body": _response_body,
        "response_trailers": _response_trailers,
    }


def _headers(sent: Any) -> Headers:
    return [(each.key.lower().encode(), each.raw_value or each.value.encode()) for each in sent.headers]
