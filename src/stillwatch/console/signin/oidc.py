"""Signing in through an OpenID Connect provider: authorization code with PKCE, and an identity token that is checked.

What must come back unchanged (state, nonce, verifier) travels sealed in a short-lived cookie, so the console keeps
nothing for a sign-in that is never finished. Groups become roles by the table of the settings; who is in no listed
group does not come in.

References: OpenID Connect Core 1.0; RFC 7636; RFC 9700 (best current practice).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
import secrets
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from stillwatch.console.signin.seals import Seals
from stillwatch.console.signin.throttle import Bounds, Throttle
from stillwatch.errors import StillwatchError, UpstreamError, VerificationError
from stillwatch.records import Role

ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
_TIMEOUT_S, _FRESH_S, _LEEWAY_S, _HALF_WAY_S = 10.0, 3600.0, 60, 600.0
_WAIT_S, _REST_S, _NEW_KEYS_S = 1.0, 30.0, 60.0
"""How long to wait for somebody else who asks the provider; how long a failure holds; how often new keys are sought."""
_AGAIN, _LATER = "sign in once more", "try again in a minute; local accounts still work"


class _UnknownKey(VerificationError):
    """Signed with a key that is not among those of the provider, as far as they are known."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody, as the provider names them."""

    issuer: str
    subject: str
    name: str
    full_name: str
    email: str
    roles: frozenset[Role]


class Provider:
    """One provider.

    Args:
        issuer: its address. client_id, secret: as registered there; a public client has no secret. back: where it sends
        people back to. claim: lists a person's groups. roles: group to role. seals: the console's key.
    """

    def __init__(
        self,
        issuer: str,
        client_id: str,
        secret: str,
        back: str,
        claim: str,
        roles: Mapping[str, str],
        seals: Seals,
    ) -> None:
        self._issuer, self._client_id, self._secret, self._back = issuer, client_id, secret, back
        self._claim, self._roles, self._seals = claim, {g: Role(r) for g, r in roles.items()}, seals
        self._lock = threading.Lock()
        self._known: tuple[float, dict[str, Any], KeySet] | None = None
        self._failed_at = -math.inf
        self.throttle = Throttle(Bounds(pair=30, name=30, place=30))
        """How often a place may come back with a sign-in that does not hold."""

    def begin(self, to: str, now: datetime) -> tuple[str, str]:
        """Where to send the browser, and what to seal into its cookie."""
        about, _ = self._about(now)
        verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
        state, challenge = secrets.token_urlsafe(24), hashlib.sha256(verifier.encode()).digest()
        asked = {
            "response_type": "code", "client_id": self._client_id, "redirect_uri": self._back,
            "scope": "openid profile email", "state": state, "nonce": nonce, "code_challenge_method": "S256",
            "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
        }  # fmt: skip
        address = httpx.URL(about["authorization_endpoint"]).copy_merge_params(asked)
        kept = {"state": state, "nonce": nonce, "verifier": verifier, "to": to, "at": now.timestamp()}
        return str(address), self._seals.sealed(json.dumps(kept))

    def finish(self, sealed: str, state: str, code: str, now: datetime) -> tuple[Identity, str]:
        """Who came back, and where they wanted to go.

        Raises:
            VerificationError: not the sign-in that was begun here, or a token that does not hold.
            UpstreamError: the provider cannot be asked.
            StillwatchError: nobody who may come in.
        """
        kept = json.loads(self._seals.opened(sealed)) if sealed else {}
        same = hmac.compare_digest(str(kept.get("state", "")).encode(), state.encode("utf-8", "replace"))
        if not kept or not same or now.timestamp() - kept["at"] > _HALF_WAY_S:
            raise VerificationError("this sign-in was not begun here, or too long ago", hint=_AGAIN)
        about, keys = self._about(now)
        token = self._token(about["token_endpoint"], code, kept["verifier"])
        try:
            claims = self._claims(token, keys, kept["nonce"], now)
        except _UnknownKey:  # the provider signs with another key by now
            _, keys = self._about(now, fresh_s=_NEW_KEYS_S)
            claims = self._claims(token, keys, kept["nonce"], now)
        return self._identity(claims), str(kept["to"])

    def _claims(self, token: str, keys: KeySet, nonce: str, now: datetime) -> dict[str, Any]:
        wanted = jwt.JWTClaimsRegistry(
            now=lambda: int(now.timestamp()), leeway=_LEEWAY_S,
            iss={"essential": True, "value": self._issuer}, aud={"essential": True, "value": self._client_id},
            exp={"essential": True}, iat={"essential": True}, sub={"essential": True},
            nonce={"essential": True, "value": nonce},
        )  # fmt: skip
        try:
            claims = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
            wanted.validate(claims)
        except (JoseError, ValueError) as error:
            kind = _UnknownKey if isinstance(error, InvalidKeyIdError) else VerificationError
            raise kind("the provider's identity token does not hold", hint=_AGAIN) from error
        audience = claims["aud"]
        if isinstance(audience, list) and len(audience) > 1 and claims.get("azp") != self._client_id:
            raise VerificationError("the provider's identity token is for somebody else", hint=_AGAIN)
        return dict(claims)

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        held = claims.get(self._claim)
        groups: Iterable[Any] = held if isinstance(held, list) else [held]
        roles = frozenset(self._roles[g] for g in groups if isinstance(g, str) and g in self._roles)
        if not roles:
            raise StillwatchError(
                "you are known, and in no group that may come in",
                hint="ask an admin of the console for a group",
            )
        name = str(claims.get("preferred_username") or claims.get("email") or claims["sub"])
        return Identity(
            self._issuer, str(claims["sub"]), _plain(name), str(claims.get("name", ""))[:200],
            str(claims.get("email", ""))[:200], roles,
        )  # fmt: skip

    def _token(self, endpoint: str, code: str, verifier: str) -> str:
        """The identity token for a code."""
        told = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._back,
            "code_verifier": verifier,
        }
        known = (self._client_id, self._secret) if self._secret else None
        if known is None:
            told["client_id"] = self._client_id
        try:
            with httpx.Client(timeout=_TIMEOUT_S, trust_env=False) as client:
                answer = client.post(
                    endpoint, data=told, auth=known or httpx.USE_CLIENT_DEFAULT
                ).raise_for_status()
                return str(answer.json()["id_token"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise UpstreamError("the provider did not confirm this sign-in", hint=_AGAIN) from error

    def _about(self, now: datetime, *, fresh_s: float = _FRESH_S) -> tuple[dict[str, Any], KeySet]:
        """What the provider says of itself, and its keys; asked again after an hour.

        One asks at a time, and the others do not wait long for it: a provider that is slow to answer holds nobody up.
        """
        if not self._lock.acquire(timeout=_WAIT_S):
            raise UpstreamError("the provider is slow to answer", hint=_LATER)
        try:
            stamp = now.timestamp()
            if self._known and stamp - self._known[0] < fresh_s:
                return self._known[1], self._known[2]
            if 0 <= stamp - self._failed_at < _REST_S:
                raise UpstreamError("the provider could not be asked just now", hint=_LATER)
            try:
                self._known = (stamp, *self._ask())
            except StillwatchError:
                self._failed_at = stamp
                raise
            return self._known[1], self._known[2]
        finally:
            self._lock.release()

    def _ask(self) -> tuple[dict[str, Any], KeySet]:
        try:
            with httpx.Client(timeout=_TIMEOUT_S, trust_env=False) as client:
                where = self._issuer.rstrip("/") + "/.well-known/openid-configuration"
                about = client.get(where).raise_for_status().json()
                if about["issuer"] != self._issuer:
                    raise VerificationError(
                        "the provider calls itself by another name",
                        hint="set console.oidc_issuer to that name",
                    )
                return about, KeySet.import_key_set(client.get(about["jwks_uri"]).raise_for_status().json())
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise UpstreamError("the provider cannot be asked", hint=_LATER) from error


def _plain(name: str) -> str:
    """A provider's name for a person as one of ours: lower-case letters, digits and ``. _ @ + -``.

    Example:
        >>> _plain("Ann O'Neill"), _plain("<script>"), _plain("")
        ('ann-o-neill', 'script', 'somebody')
    """
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "._@+-") else "-" for c in name.lower())
    return "-".join(part for part in kept.split("-") if part).lstrip("._@+-")[:64] or "somebody"
