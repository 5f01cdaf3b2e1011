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

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from stillwatch.errors import where_it_failed
from stillwatch.gateway.envoy.accounts import Headers, account_of, organisation_of
from stillwatch.gateway.envoy.answer import AnswerReader
from stillwatch.gateway.envoy.bodies import UnreadableError, read_body, write_body
from stillwatch.gateway.envoy.messages import BUFFERED, BUFFERED_PARTIAL, FULL_DUPLEX, STREAMED
from stillwatch.gateway.envoy.metrics import Metrics
from stillwatch.gateway.envoy.replies import (
    PREFIX,
    RETRY_S,
    for_customer,
    for_model,
    go_on,
    not_served,
    refusal,
    streamed,
)
from stillwatch.protect import hardened
from stillwatch.receive.budget import Budget
from stillwatch.records import Action, Answer, Decision, Reason, Request
from stillwatch.settings import EnvoySettings
from stillwatch.wiring.gate_request import request_of

_OPERATIONS = (
    ("/chat/completions", "chat"), ("/completions", "completion"), ("/responses", "responses"),
    ("/embeddings", "embedding"), ("/messages", "chat"), ("/audio/", "audio"), ("/images/", "image"),
)  # fmt: skip
_LONG = 65_536
_NO_ACCOUNT = "Envoy names no account for some requests: check envoy.account, and what sets its header"


class Judge(Protocol):
    """The part of `stillwatch.wiring.policy.Gate` that is needed here."""

    def decide(self, request: Request) -> Decision:
        """The decision. Never raises."""

    def record(self, request: Request, answer: Answer) -> None:
        """What was served. Never raises."""


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


class Call:
    """One HTTP call."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._modes = (BUFFERED, STREAMED)
        self._first = True
        self._headers = Headers(())
        self._pieces: list[bytes] = []
        self._held = 0
        self._request: Request | None = None
        self._decision: Decision | None = None
        self._reader: AnswerReader | None = None
        self._recorded = False
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
        return self._refuse(408, "too_slow", f"The request did not arrive whole within {seconds:g} s.")

    def end(self) -> None:
        """The call is over, however it ended: record what was served, let go of what is held."""
        self._free()
        self._record()

    def _request_headers(self, message: Any) -> list[Any]:
        self._headers = _headers(message.headers)
        drop = [name for name in self._headers.names() if name.startswith(PREFIX)]
        if message.end_of_stream:
            return [go_on("request_headers", drop=drop)]
        settings = self._desk.settings
        declared = self._headers.one("content-length")
        if declared.isdecimal() and int(declared[:20]) > settings.max_body_bytes:
            return [self._too_long()]
        if self._headers.all("content-encoding").strip().lower() not in ("", "identity"):
            words = "A compressed body is not read here: send it without Content-Encoding."
            return [self._refuse(415, "compressed", words)]
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
            return [self._refuse(503, "busy", "Too much is waiting here; please try again shortly.", RETRY_S)]
        self._pieces.append(message.body)
        self._held = size
        if self._modes[0] in (STREAMED, FULL_DUPLEX) and not message.end_of_stream:
            return [go_on("request_body", clear=True)] if self._modes[0] == STREAMED else []
        return self._decided(last=True)

    def _request_trailers(self, message: Any) -> list[Any]:
        if self.until is None or self._modes[0] not in (STREAMED, FULL_DUPLEX):
            return [go_on("request_trailers")]
        if self._modes[0] == STREAMED:
            return [
                self._refuse(400, "trailers", "Trailers are not read here: send the request without them.")
            ]
        replies = self._decided(last=False)
        return replies if self.over else [*replies, go_on("request_trailers")]

    def _decided(self, *, last: bool) -> list[Any]:
        """The whole body is here."""
        began = time.perf_counter()
        self.until = None
        body = b"".join(self._pieces)
        try:
            parsed = read_body(body, self._headers.one("content-type"))
            request = self._request = self._asked(parsed)
            decision = self._decision = self._desk.judge.decide(request)
            served = decision.allowed and not (self._desk.closed and not request.account_id)
            self._desk.metrics.decisions.labels(decision.action.value, "yes" if served else "no").inc()
            if not served:
                self.over = True
                return [not_served(decision) if not decision.allowed else self._nobody()]
            new = self._changed(parsed, decision)
        except UnreadableError as error:
            return [self._refuse(400, "unreadable", f"The request cannot be checked: {error}.")]
        finally:
            self._desk.metrics.deciding.observe(time.perf_counter() - began)
        replies = self._onward(body, new, decision, last=last)
        self._back = False
        self._free()
        return replies

    def _onward(self, body: bytes, new: bytes | None, decision: Decision, *, last: bool) -> list[Any]:
        mode = self._modes[0]
        drop = [name for name in self._headers.names() if name.startswith(PREFIX)]
        if mode == STREAMED:
            return [go_on("request_body", body=body if new is None else new)]
        if mode == FULL_DUPLEX:
            drop += ["accept-encoding", "content-length"]
            head = go_on("request_headers", put=for_model(decision), drop=drop)
            return [head, *streamed("request_body", body if new is None else new, last=last)]
        length = {} if new is None else {"content-length": str(len(new))}
        return [go_on("request_body", put=for_model(decision) | length, body=new)]

    def _asked(self, body: Mapping[str, Any]) -> Request:
        settings = self._desk.settings
        account = account_of(self._headers, settings)
        if not account:
            self._desk.metrics.unnamed.inc()
            self._desk.tell(_NO_ACCOUNT)
        return request_of(
            body, account_id=account, operation=_operation(self._headers.one(":path")), channel="api",
            org_id=organisation_of(self._headers, settings),
        )  # fmt: skip

    def _changed(self, body: Mapping[str, Any], decision: Decision) -> bytes | None:
        """The hardened body; None when it stays as it is."""
        if Action.HARDEN not in decision.actions:
            return None
        new, changed = hardened(body, decision.terms)
        return write_body(new) if changed else None

    def _response_headers(self, message: Any) -> list[Any]:
        headers = _headers(message.headers)
        decision = self._decision
        if decision is None:
            return [go_on("response_headers")]
        if headers.one(":status").startswith("2"):
            self._reader = AnswerReader(
                headers.one("content-type"), most=self._desk.settings.max_event_bytes,
                encoding=headers.all("content-encoding"),
            )  # fmt: skip
        if message.end_of_stream:
            self._record()
        return [go_on("response_headers", put=for_customer(decision))]

    def _response_body(self, message: Any) -> list[Any]:
        if self._reader is not None:
            self._reader.feed(message.body)
            if message.end_of_stream:
                self._record()
        return self._unchanged("response_body", message)

    def _response_trailers(self, message: Any) -> list[Any]:
        self._record()
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
            return [self._refuse(503, Reason.FAIL_CLOSED.value, Reason.FAIL_CLOSED.sentence, RETRY_S)]
        body, held = b"".join(self._pieces), bool(self._pieces)
        self._free()
        self._passing = True
        if not kind.startswith("request") or not back or self._modes[0] not in (STREAMED, FULL_DUPLEX):
            return self._unchanged(kind, message) if kind.endswith("body") else [go_on(kind)]
        last = kind == "request_body" and message.end_of_stream
        if kind == "request_body" and not held:
            body = message.body
        if self._modes[0] == STREAMED:
            return [go_on(kind, body=body)] if kind == "request_body" else [go_on(kind)]
        replies = [go_on("request_headers")]
        if kind != "request_headers":
            replies += streamed("request_body", body, last=last)
        return replies if kind != "request_trailers" else [*replies, go_on(kind)]

    def _nobody(self) -> Any:
        return refusal(
            503, "no_account", "This request cannot be checked: it names no account.", retry_s=RETRY_S
        )

    def _too_long(self) -> Any:
        most = self._desk.settings.max_body_bytes
        return self._refuse(413, "too_long", f"The body is longer than is taken here: {most} bytes at most.")

    def _refuse(self, status: int, code: str, message: str, retry_s: int = 0) -> Any:
        self.over, self.until = True, None
        self._desk.metrics.refused.labels(str(status)).inc()
        return refusal(status, code, message, retry_s=retry_s)

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
    return Headers(
        (each.key, each.raw_value.decode("utf-8", "replace") or each.value) for each in sent.headers
    )


def _operation(path: str) -> str:
    plain = path.partition("?")[0]
    return next((word for piece, word in _OPERATIONS if piece in plain), "other")
