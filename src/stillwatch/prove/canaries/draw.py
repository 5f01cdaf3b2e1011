"""Canaries: options prepared beforehand, one drawn at random and served, the draw committed before it is used.

Two kinds. A *style* canary is a harmless habit (a turn of phrase, an order of points). A *fictitious entity* has an
attribute that nothing in the world determines. Both are served to flagged accounts only: `serve` takes a
`FlaggedAccount`, and the only way to one leads through what a scan says of the account.

Examples
--------
>>> options = ("as noted above", "as said before", "to repeat a point")
>>> drawn = draw(StyleCanary("c-1", "recalls an earlier point with", options), secret=b"s" * 32, account="acct-1")
>>> check(drawn.commitment, drawn)
>>> drawn.served in options
True
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field

from stillwatch.errors import ConfigError, VerificationError
from stillwatch.records.request import Standing


@dataclass(frozen=True, slots=True)
class StyleCanary:
    """A harmless habit of writing in several equally good forms."""

    canary_id: str
    habit: str
    """What is varied, in words."""
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FictitiousEntity:
    """An entity that does not exist, with one attribute; never about a person, health, law or safety."""

    canary_id: str
    entity: str
    attribute: str
    options: tuple[str, ...]


Canary = StyleCanary | FictitiousEntity


@dataclass(frozen=True, slots=True)
class Draw:
    """One draw for one account. Secret until it is revealed."""

    canary_id: str
    account: str
    options: tuple[str, ...] = field(repr=False)
    index: int = field(repr=False)
    nonce: str = field(repr=False)
    commitment: str = ""
    """SHA-256 over everything above; goes into the log before first use."""

    @property
    def served(self) -> str:
        """The option that was drawn."""
        return self.options[self.index]


def draw(canary: Canary, secret: bytes, account: str) -> Draw:
    """Draw an option for an account, uniformly, from a secret; the same account always draws the same."""
    if len(secret) < 32:
        raise ConfigError("the canary secret is shorter than 32 bytes", hint="draw 32 random bytes")
    if len(set(canary.options)) < 2 or len(set(canary.options)) != len(canary.options):
        raise ConfigError(
            f"canary {canary.canary_id} needs two different options or more",
            hint="20 options give a single account a p-value of 0.05",
        )
    text = json.dumps([canary.canary_id, account, list(canary.options)]).encode()
    index = int.from_bytes(hmac.digest(secret, b"index\0" + text, hashlib.sha256), "big") % len(
        canary.options
    )
    nonce = hmac.digest(secret, b"nonce\0" + text, hashlib.sha256).hex()
    drawn = Draw(canary.canary_id, account, canary.options, index, nonce)
    return Draw(canary.canary_id, account, canary.options, index, nonce, _commitment(drawn))


def _commitment(drawn: Draw) -> str:
    text = json.dumps([drawn.canary_id, drawn.account, list(drawn.options), drawn.index, drawn.nonce])
    return hashlib.sha256(text.encode()).hexdigest()


def check(commitment: str, drawn: Draw) -> None:
    """Raise unless a revealed draw is the one that was committed to."""
    if not hmac.compare_digest(commitment, _commitment(drawn)):
        raise VerificationError(
            f"canary {drawn.canary_id} for {drawn.account} is not the one committed to",
            hint="options, index and nonce must be those of the draw; nothing may be counted from this one",
        )


_ISSUED = object()


@dataclass(frozen=True, slots=True)
class FlaggedAccount:
    """An account that a scan counts as a member of a group, at review or above.

    There is no other way to one than `flagged`: nobody unflagged is ever served a canary.
    """

    account: str
    campaign_id: str
    seal: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.seal is not _ISSUED:
            raise ConfigError(
                "an account is flagged by what a scan says of it, not by hand",
                hint="use stillwatch.prove.canaries.flagged",
            )


def flagged(account: str, standing: Standing) -> FlaggedAccount:
    """A flagged account, or a refusal with the reason."""
    if standing.tier != "member" or standing.hint not in ("review", "act") or not standing.campaign_id:
        raise ConfigError(
            f"{account} is not flagged: tier {standing.tier}, hint {standing.hint}",
            hint="canaries go to members of a campaign at review or act, and to nobody else",
        )
    return FlaggedAccount(account, standing.campaign_id, _ISSUED)


def serve(drawn: Draw, to: FlaggedAccount) -> str:
    """The text to serve, to the account that it was drawn for."""
    if drawn.account != to.account:
        raise ConfigError(
            f"canary {drawn.canary_id} was drawn for another account", hint="draw one for this account"
        )
    return drawn.served
