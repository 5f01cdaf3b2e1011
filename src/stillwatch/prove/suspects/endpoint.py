"""Ask a model behind an OpenAI-compatible endpoint, within a budget, as often a minute as was agreed.

Answers come from a suspect, so from a stranger: bounded, checked, never run, and no redirect is followed. The key for
the endpoint is sent nowhere else and stands in no error.
"""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Any

from stillwatch.errors import ConfigError, UpstreamError
from stillwatch.prove.suspects.echoed import asks, count, read_echo
from stillwatch.prove.suspects.pieces import Pieces
from stillwatch.prove.suspects.plan import AuditPlan, Model
from stillwatch.prove.suspects.transcript import Said

MOST_BYTES = 4 << 20
PIECE = 1 << 16
TRIES = 5
AGAIN = {408, 409, 425, 429, 500, 502, 503, 504, 529}
"""Answers after which asking again may help."""
ABOUT_THE_PROMPT = (400, 413, 422)
HINTS = {
    401: "is the key in the environment?",
    403: "has the key the right to this model?",
    404: "are url and model right? the url ends in /v1",
}
LONGEST_WAIT_S = 60.0
LISTED = {"hard": 5, "soft": 20}
"""Likeliest tokens of each place that are asked for: no server gives more unless it is told to."""
IN_VAIN = 8
"""Texts after which a model that echoed none is asked no more."""


NO_TEXT = "a text no longer than the window, or that our tokeniser does not give back"
Judge = Callable[[bytes], Said]
"""What an answer comes to."""


class Spent(Exception):
    """The budget of calls is used up."""


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: object, **kwargs: object) -> None:
        return None


class Calls:
    """The budget of an audit, shared by all its models."""

    def __init__(self, left: int, told: Callable[[], object] = lambda: None) -> None:
        self._left, self._told, self._lock = left, told, threading.Lock()

    def take(self) -> None:
        """One call, or `Spent`; ``told`` hears of it before it is made."""
        with self._lock:
            if self._left <= 0:
                raise Spent
            self._told()
            self._left -= 1


class Endpoint:
    """One model, asked under a plan."""

    def __init__(self, model: Model, plan: AuditPlan, key: str, calls: Calls) -> None:
        self._model, self._plan, self._key, self._calls = model, plan, key, calls
        self._lock, self._next = threading.Lock(), 0.0
        self._stopped = threading.Event()

    def ask_all(self, prompts: Iterable[tuple[int, str]], told: Callable[[int, Said], None]) -> None:
        """Ask every prompt, some at a time; ``told`` hears each answer, in this thread.

        Raises:
            Spent: the budget ran out; what was answered has been told.
            UpstreamError: the endpoint refuses us for good.
        """
        self._each(((number, self._body(prompt), self._said) for number, prompt in prompts), told)

    def read_all(
        self, texts: Iterable[tuple[int, list[int], str]], pieces: Pieces, told: Callable[[int, Said], None]
    ) -> None:
        """Read along every text, number, tokens of ours and a prompt that begins with them: a call each.

        Raises:
            As `ask_all` does, and when none of the first texts comes back as a reading: the others would cost as much.
        """
        top, width = LISTED[self._plan.test], self._plan.width
        answered: list[Said] = []

        def asked() -> Iterator[tuple[int, dict[str, Any], Judge]]:
            for number, tokens, whole in texts:
                text = pieces.text(tokens, whole) if len(tokens) > width else None
                if text is None:
                    told(number, Said(None, failed=NO_TEXT))
                    continue
                body = {"model": self._model.model, "prompt": text, "stream": False, **asks(top)}
                yield number, body, partial(read_echo, pieces=pieces, tokens=tokens, text=text, width=width)

        def heard(number: int, said: Said) -> None:
            told(number, said)
            answered.append(said)

        def check() -> None:
            if len(answered) == IN_VAIN and not any(one.answered for one in answered):
                raise UpstreamError(
                    f"{self._model.name}: {answered[-1].failed}, {IN_VAIN} times in a row",
                    hint="hard and soft need an endpoint that echoes log-probabilities, and our tokeniser; another "
                    "plan with probes or closed needs neither",
                )

        self._each(asked(), heard, check)

    def _each(
        self, asked: Iterable[tuple[int, dict[str, Any], Judge]], told: Callable[[int, Said], None],
        check: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        waiting = iter(asked)
        running: dict[Future[Said], int] = {}
        with ThreadPoolExecutor(self._plan.budget.connections) as pool:
            try:
                while True:
                    while len(running) < 2 * self._plan.budget.connections:
                        following = next(waiting, None)
                        if following is None:
                            break
                        number, body, judge = following
                        running[pool.submit(self._ask, json.dumps(body).encode(), judge)] = number
                    if not running:
                        return
                    for one in wait(running, return_when=FIRST_COMPLETED).done:
                        said = one.result()
                        told(running.pop(one), said)
                        check()
            finally:
                self._stopped.set()
                for one, number in running.items():
                    if not one.cancel() and one.exception() is None:
                        told(number, one.result())

    def _ask(self, body: bytes, judge: Judge) -> Said:
        problem = ""
        for attempt in range(TRIES):
            self._pace()
            if self._stopped.is_set():
                raise Spent
            self._calls.take()
            status, answer, again = self._post(body)
            if status == 200:
                return judge(answer)
            if status in ABOUT_THE_PROMPT:
                return Said(None, failed=f"HTTP {status}")
            if status and status not in AGAIN:
                hint = HINTS.get(status, "is this the right address?")
                raise UpstreamError(f"{self._model.name} answers with HTTP {status}", hint=hint)
            problem = f"HTTP {status}" if status else "no answer"
            if attempt < TRIES - 1:
                pause = 2**attempt * (1 + random.random()) if again is None else again  # noqa: S311
                self._stopped.wait(min(LONGEST_WAIT_S, pause))
        return Said(None, failed=f"{problem}, {TRIES} times")

    def _body(self, prompt: str) -> dict[str, Any]:
        plan, model = self._plan, self._model
        shared: dict[str, Any] = {
            "model": model.model, "max_tokens": plan.max_tokens, "temperature": plan.temperature, "stream": False,
        }  # fmt: skip
        if model.api == "completions":
            return {**shared, "prompt": prompt}
        system = [{"role": "system", "content": model.system}] if model.system else []
        if model.api == "prefill":
            said = [{"role": "user", "content": "Continue."}, {"role": "assistant", "content": prompt}]
            return {**shared, "messages": [*system, *said], "continue_final_message": True,
                    "add_generation_prompt": False}  # fmt: skip
        return {**shared, "messages": [*system, {"role": "user", "content": prompt}]}

    def _post(self, body: bytes) -> tuple[int, bytes, float | None]:
        path = "/completions" if self._model.api == "completions" else "/chat/completions"
        headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {self._key}"} if self._key else {}
        )
        url = self._model.url.rstrip("/") + path
        request = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310
        try:
            timeout_s = self._plan.budget.timeout_s
            with urllib.request.build_opener(_Stay).open(request, timeout=timeout_s) as answer:
                data = _whole(answer, time.monotonic() + timeout_s)
                return (0, b"", None) if data is None else (200, data, None)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, b"", _seconds(error.headers.get("retry-after"))
        except (OSError, http.client.HTTPException):
            return 0, b"", None

    def _said(self, answer: bytes) -> Said:
        try:
            found = json.loads(answer)
            choice = found["choices"][0]
            text = choice["text"] if self._model.api == "completions" else choice["message"]["content"]
            usage = found.get("usage") or {}
            asked, said = (count(usage.get(name)) for name in ("prompt_tokens", "completion_tokens"))
            if isinstance(text, str):
                text.encode()  # half a character is nothing that a tokeniser takes
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return Said(None, failed="an answer that is no completion")
        if not isinstance(text, str):
            return Said(None, asked, said, "an answer without text")
        return Said(text, asked, said)

    def _pace(self) -> None:
        with self._lock:
            now = time.monotonic()
            at = max(self._next, now)
            self._next = at + 60.0 / self._plan.budget.per_minute
        if at > now:
            self._stopped.wait(at - now)


def key_of(model: Model, env: dict[str, str]) -> str:
    """The endpoint's key from the environment.

    Raises:
        ConfigError: the plan names a variable that is not set, or that holds what no header takes.
    """
    if not model.key_env:
        return ""
    if model.key_env not in env:
        raise ConfigError(
            f"{model.key_env} is not set, which {model.name} needs", hint=f"export {model.key_env}=..."
        )
    key = env[model.key_env]
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ConfigError(
            f"{model.key_env} holds a character that no key has, as a space or the end of a line",
            hint=f"export {model.key_env}=... anew, without it",
        )
    return key


def _whole(answer: http.client.HTTPResponse, until: float) -> bytes | None:
    """The body; None when it is too long, or not there by ``until`` although each piece of it came in time."""
    data = b""
    while piece := answer.read1(PIECE):
        data += piece
        if len(data) > MOST_BYTES or time.monotonic() > until:
            return None
    return data


def _seconds(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:
        return None
