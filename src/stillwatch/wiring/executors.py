"""Who carries out the steps of a plan: nobody (a dry run), a webhook of the operator's, or LiteLLM's admin API.

An executor never raises into a plan: what cannot be reached is tried again, what is refused for good has failed, and
both say why in words of ours, never in those of the answer.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx

from stillwatch.errors import ConfigError
from stillwatch.records import Plan, Sent, StepKind, StepState
from stillwatch.respond import planning, signing
from stillwatch.settings import Settings

AGAIN = frozenset({408, 409, 425, 429})
"""Statuses below 500 after which a step is tried again: 409 is "being worked on" under the same key."""
MIN_SECRET = 32
MOST_PAGES, PAGE = 100, 100
"""Most keys of one owner that are asked for, by pages."""
_LOCAL = ("127.0.0.1", "localhost", "::1")


class Executor(Protocol):
    """Carries out one step."""

    def send(self, payload: Mapping[str, Any]) -> Sent:
        """Do it; say what became of it."""

    def close(self) -> None:
        """Let go of connections."""


class DryRun:
    """Does nothing, and says it is done."""

    def send(self, payload: Mapping[str, Any]) -> Sent:
        """Nothing."""
        return Sent(StepState.DONE)

    def close(self) -> None:
        """Nothing."""


class Webhook:
    """Posts each step, signed, with an idempotency key."""

    def __init__(self, url: str, secret: bytes, timeout_s: float) -> None:
        _safe(url, "respond.webhook_url")
        self._url, self._secret = url, secret
        self._client = httpx.Client(timeout=timeout_s, follow_redirects=False, trust_env=False)

    def send(self, payload: Mapping[str, Any]) -> Sent:
        """One POST."""
        body = json.dumps(payload, ensure_ascii=True, sort_keys=True).encode()
        headers = {
            "Content-Type": "application/json", "Idempotency-Key": str(payload["key"]),
            signing.HEADER: signing.sign(self._secret, body, time.time()),
        }  # fmt: skip
        return _post(self._client, self._url, content=body, headers=headers)

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()


class LiteLLM:
    """Blocks and unblocks teams and keys; notices go to the webhook, for LiteLLM knows none.

    It cannot block the owner of keys either. Of one, the keys that work are looked up and each is blocked in a step of
    its own: a key that somebody else has blocked stays out of it, and stays blocked when the plan is taken back.
    """

    def __init__(
        self, url: str, admin_key: str, account: str, timeout_s: float, notices: Executor | None = None
    ) -> None:
        _safe(url, "respond.litellm_url")
        self._url, self._account, self._notices = url.rstrip("/"), account, notices
        self._client = httpx.Client(timeout=timeout_s, follow_redirects=False, trust_env=False,
                                    headers={"Authorization": f"Bearer {admin_key}"})  # fmt: skip

    def send(self, payload: Mapping[str, Any]) -> Sent:
        """Block or unblock: doing it twice is doing it once."""
        if payload["kind"] == StepKind.NOTICE.value:
            if self._notices is None:
                return Sent(StepState.FAILED, "no webhook is set: LiteLLM sends no notices")
            return self._notices.send(payload)
        verb = "unblock" if payload["undo"] else "block"
        if payload["kind"] == StepKind.REVOKE.value:
            return self._to(f"key/{verb}", {"key": payload["credential"]})
        if self._account == "user":
            return Sent(StepState.DONE) if payload["undo"] else self._keys_of(payload["account_id"])
        name = "team_id" if self._account == "team" else "key"
        return self._to(f"{self._account}/{verb}", {name: payload["account_id"]})

    def _to(self, path: str, body: Mapping[str, Any]) -> Sent:
        return _post(self._client, f"{self._url}/{path}", json=body)

    def _keys_of(self, owner: str) -> Sent:
        """Keys that work and belong to no team: those of a team are the team's, in logs as here."""
        found: dict[str, None] = {}
        asked: dict[str, str | int] = {
            "user_id": owner, "status": "active", "return_full_object": "true", "size": PAGE,
            "sort_by": "created_at", "sort_order": "asc",
        }  # fmt: skip
        for page in range(1, MOST_PAGES + 1):
            sent, body = _asked(self._client, "GET", f"{self._url}/key/list", params=asked | {"page": page})
            if sent.state is not StepState.DONE:
                return sent
            try:
                answer = json.loads(body)
                found |= dict.fromkeys(_working(answer["keys"], owner))
                if page >= int(answer["total_pages"]):
                    break
            except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
                return Sent(StepState.WAITING, "answered what cannot be read")
        else:
            return Sent(StepState.FAILED, f"has more than {MOST_PAGES * PAGE:,} keys")
        if not found:
            return Sent(StepState.FAILED, "has no key that works and belongs to no team")
        return Sent(StepState.DONE, credentials=tuple(found))

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()
        if self._notices is not None:
            self._notices.close()


def _working(rows: Any, owner: str) -> list[str]:
    """Of the keys that a proxy lists, those that are the owner's own and not blocked, whatever else it has listed."""
    return [
        str(row["token"]) for row in rows
        if row["user_id"] == owner and row["team_id"] is None and not row["blocked"]
    ]  # fmt: skip


def _post(client: httpx.Client, url: str, **options: Any) -> Sent:
    return _asked(client, "POST", url, **options)[0]


def _asked(client: httpx.Client, method: str, url: str, **options: Any) -> tuple[Sent, bytes]:
    """What an answer leads to, and what it says; only of a GET that succeeded is the body read."""
    body = b""
    try:
        with client.stream(method, url, **options) as answer:
            status, after = answer.status_code, answer.headers.get("Retry-After", "")
            if method == "GET" and answer.is_success:
                body = answer.read()
    except httpx.TimeoutException:
        return Sent(StepState.WAITING, "no answer in time"), b""
    except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
        return Sent(StepState.WAITING, f"could not be reached ({type(error).__name__})"), b""
    return _judged(status, after), body


def _judged(status: int, after: str) -> Sent:
    if 200 <= status < 300:
        return Sent(StepState.DONE)
    if status in AGAIN or status >= 500:
        seconds = float(after) if after.isascii() and after.isdigit() and len(after) < 6 else 0.0
        return Sent(StepState.WAITING, f"answered {status}", seconds)
    return Sent(StepState.FAILED, f"answered {status}")


def _safe(url: str, name: str) -> None:
    """Keys and account ids travel encrypted, or stay on this machine."""
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in _LOCAL:
        raise ConfigError(f"{name} is not encrypted", hint="https, or http on this machine")


def executor_for(plan: Plan, settings: Settings, env: Mapping[str, str] = os.environ) -> Executor:
    """The executor that a plan names.

    Raises
    ------
    ConfigError
        Its address or its secret is not set.
    """
    if plan.executor == planning.DRY_RUN:
        return DryRun()
    if plan.executor == "webhook":
        return _webhook(settings, env)
    r = settings.respond
    if r.litellm_url is None:
        raise ConfigError("respond.litellm_url is not set", hint="the address of the proxy")
    key = env.get(r.litellm_key_env, "")
    if not key or not key.isascii() or not key.isprintable():
        raise ConfigError(f"{r.litellm_key_env} is not set", hint="the proxy's admin key, in the environment")
    return LiteLLM(
        r.litellm_url, key, r.litellm_account, r.timeout_s, _webhook(settings, env) if r.webhook_url else None
    )


def _webhook(settings: Settings, env: Mapping[str, str]) -> Webhook:
    r = settings.respond
    if r.webhook_url is None:
        raise ConfigError("respond.webhook_url is not set", hint="where steps and notices are posted")
    secret = env.get(r.webhook_secret_env, "").encode()
    if len(secret) < MIN_SECRET:
        raise ConfigError(f"{r.webhook_secret_env} holds fewer than {MIN_SECRET} bytes",
                          hint="`stillwatch key new` prints a secret; both sides need it")  # fmt: skip
    return Webhook(r.webhook_url, secret, r.timeout_s)


def may_notify(executor: str, settings: Settings) -> None:
    """Raise when a plan with notices could not send them: no action is covert by mistake."""
    if executor == planning.DRY_RUN:
        return
    r = settings.respond
    if r.webhook_url is None or r.appeal_url is None:
        missing = "respond.webhook_url" if r.webhook_url is None else "respond.appeal_url"
        raise ConfigError(f"customers could not be told: {missing} is not set",
                          hint="set it, or say --without-notices and tell them in another way")  # fmt: skip
