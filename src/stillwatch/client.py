"""A small client of the console's API, with types and without dependencies.

    from stillwatch.client import Client

    with_token = Client("https://stillwatch.example.com", token)
    for campaign in with_token.campaigns():
        print(campaign["campaign_id"], campaign["account_count"])

Answers are the JSON of the API (``/api/openapi.json``) as dictionaries with declared keys. An answer that is not 2xx is
raised, with what the console said to do next.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TypedDict
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from stillwatch.errors import ConfigError, StillwatchError, UpstreamError

_PAGE = 1_000
_MOST_BYTES = 256 * 2**20


class Refused(StillwatchError):
    """The console did not do it. ``status`` is the HTTP status; 409 = somebody was quicker."""

    def __init__(self, status: int, message: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status


class CampaignLine(TypedDict):
    """One campaign or pool."""

    campaign_id: str
    kind: str
    confidence: str
    granted: bool
    first_seen: str
    last_seen: str
    account_count: int
    exchange_count: int
    output_tokens: int
    extraction_share: float
    case: str | None


class Member(TypedDict):
    """One account of a campaign."""

    campaign_id: str
    account_id: str
    tier: str
    membership_bits: float
    extraction_share: float
    exchange_count: int
    first_seen: str
    last_seen: str
    reasons: list[str]


class Case(TypedDict):
    """One case."""

    id: str
    title: str
    kind: str
    state: str
    verdict: str | None
    assignee: int | None
    opened_at: str
    changed_at: str
    closed_at: str | None
    run_id: str | None
    campaign_id: str | None
    account_count: int
    exchange_count: int
    output_tokens: int
    confidence: str
    hours: float
    version: int


class AuditLine(TypedDict):
    """One line of the audit record."""

    seq: int
    at: str
    person_id: int | None
    person_name: str
    what: str
    subject: str
    details: str
    previous: str
    digest: str


class Client:
    """Talks to one console as whoever made the token.

    Args:
        address: as people reach the console. token: made on your own page there. timeout_s: for one answer.
    """

    def __init__(self, address: str, token: str, *, timeout_s: float = 60.0) -> None:
        parts = urlsplit(address)
        local = parts.hostname in {"127.0.0.1", "localhost", "::1"}
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise ConfigError(
                "the console's address is not HTTPS", hint="a token is sent in the clear otherwise"
            )
        self._base, self._token, self._timeout_s = address.rstrip("/") + "/api/v1", token, timeout_s
        self._opener = build_opener(_Still)

    def run(self) -> dict[str, Any]:
        """What the console shows now."""
        return dict(self.ask("GET", "/run"))

    def campaigns(self) -> list[CampaignLine]:
        """Campaigns and pools, surest first."""
        return list(self.ask("GET", "/campaigns"))

    def campaign(self, campaign_id: str) -> dict[str, Any]:
        """Everything that the run says of one campaign."""
        return dict(self.ask("GET", f"/campaigns/{_part(campaign_id)}"))

    def members(self, campaign_id: str, *, search: str = "", tier: str = "") -> Iterator[Member]:
        """Every member, page after page."""
        yield from self._pages(f"/campaigns/{_part(campaign_id)}/members", search=search, tier=tier)

    def account(self, account_id: str) -> dict[str, Any]:
        """What the run says of an account, and what was done to it."""
        return dict(self.ask("GET", f"/accounts/{_part(account_id)}"))

    def cases(self, *, search: str = "") -> Iterator[Case]:
        """Every case, newest change first."""
        yield from self._pages("/cases", search=search)

    def case(self, name: str) -> Case:
        """One case, as K-12."""
        found: Case = self.ask("GET", f"/cases/{_part(name)}")
        return found

    def open_case(self, title: str, accounts: list[str] | None = None) -> Case:
        """Open a case without a scan."""
        made: Case = self.ask("POST", "/cases", {"title": title, "accounts": accounts or []})
        return made

    def note(self, name: str, text: str, *, hours: float = 0.0) -> dict[str, Any]:
        """Add a note to a case."""
        return dict(self.ask("POST", f"/cases/{_part(name)}/notes", {"text": text, "hours": hours}))

    def assign(self, case: Case, to: str | None) -> Case:
        """Give a case to somebody, from the version at hand."""
        done: Case = self.ask(
            "POST", f"/cases/{_part(case['id'])}/assign", {"to": to, "version": case["version"]}
        )
        return done

    def close(self, case: Case, verdict: str, reason: str) -> Case:
        """Close a case, from the version at hand."""
        told = {"verdict": verdict, "reason": reason, "version": case["version"]}
        done: Case = self.ask("POST", f"/cases/{_part(case['id'])}/close", told)
        return done

    def audit(self, *, what: str = "") -> Iterator[AuditLine]:
        """The audit record, newest first."""
        yield from self._pages("/audit", what=what)

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """Any call of the API, by its path below ``/api/v1``.

        Raises:
            Refused: the console said no, and why.
            UpstreamError: it cannot be reached, or did not answer as a console does.
        """
        told = {k: v for k, v in query.items() if v not in ("", None)}
        address = self._base + path + (f"?{urlencode(told)}" if told else "")
        headers = {"authorization": f"Bearer {self._token}", "accept": "application/json"}
        data = None
        if body is not None:
            data, headers["content-type"] = json.dumps(body).encode(), "application/json"
        request = Request(address, data=data, headers=headers, method=method)  # noqa: S310  checked at the beginning
        try:
            with self._opener.open(request, timeout=self._timeout_s) as answer:
                return json.loads(answer.read(_MOST_BYTES))
        except HTTPError as error:
            raise _refused(error) from None
        except (URLError, OSError, ValueError) as error:
            raise UpstreamError(
                "the console cannot be reached", hint="see that it runs and that the address is right"
            ) from error

    def _pages(self, path: str, **query: Any) -> Iterator[Any]:
        offset = 0
        while True:
            page = self.ask("GET", path, offset=offset, limit=_PAGE, **query)
            yield from page["rows"]
            offset += _PAGE
            if offset >= page["total"] or not page["rows"]:
                return


class _Still(HTTPRedirectHandler):
    """Follows nobody: a token is for the console alone."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _refused(error: HTTPError) -> Refused:
    with error:
        try:
            said = json.loads(error.read(65_536))["error"]
            return Refused(error.code, str(said["message"]), str(said["hint"]))
        except (ValueError, KeyError, TypeError):
            return Refused(error.code, f"the console answered {error.code}")


def _part(text: str) -> str:
    return quote(text, safe="")
