"""One issued marking key: its name, its commitment, and how it is opened before a court.

The commitment is the SHA-256 of the key with a nonce and with all that the key was issued for. It goes into the log
before the key is used, and shows nothing; opened later, it shows that this key was this campaign's on that day.

Examples
--------
>>> Subject("2026-11", "campaign:C-1").key_id
'2026-11/campaign:C-1'
>>> Subject("2026-11", "campaign:C-1", "acct-7").campaign_id
'C-1'
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from stillwatch.errors import ConfigError, VerificationError
from stillwatch.protect.dye.master import Master
from stillwatch.protect.dye.schemes import scheme_of

CAMPAIGN = "campaign:"
_EPOCH = re.compile(r"[0-9A-Za-z][0-9A-Za-z.-]{0,31}")
_NAME = re.compile(r"[^\s/\x00-\x1f\x7f]{1,200}")


@dataclass(frozen=True, slots=True)
class Subject:
    """What a key is for."""

    epoch: str
    """Period of rotation, such as ``2026-11``."""
    name: str
    """As policy names it: ``campaign:C-1``, or a name of the operator's."""
    account_id: str | None = None
    """One account of the campaign alone; None = all of them."""

    def __post_init__(self) -> None:
        if not _EPOCH.fullmatch(self.epoch):
            raise ConfigError(
                "an epoch is a short word", hint="for example 2026-11: letters, digits, `.`, `-`"
            )
        for what, word in (("name", self.name), ("account", self.account_id)):
            if word is not None and not (_NAME.fullmatch(word) and word.isprintable()):
                raise ConfigError(
                    f"the {what} of a marking key has 1 to 200 characters, no space and no `/`",
                    hint="policy calls it campaign:ID, or by a name of yours",
                )

    @property
    def key_id(self) -> str:
        """The name under which the key is known everywhere."""
        return "/".join(part for part in (self.epoch, self.name, self.account_id) if part)

    @property
    def campaign_id(self) -> str | None:
        """The campaign, where the key is a campaign's."""
        return self.name.removeprefix(CAMPAIGN) if self.name.startswith(CAMPAIGN) else None


@dataclass(frozen=True, slots=True)
class Issue:
    """A key as the journal keeps it: everything but the key."""

    subject: Subject
    scheme: str
    width: int
    commitment: str
    """SHA-256 in hexadecimal; in the log before the key was used."""
    at: str
    """When it was issued, UTC."""
    logged: Mapping[str, Any] = field(default_factory=dict)
    """Where the commitment stands in the log, as the log says it."""

    def row(self) -> dict[str, Any]:
        """As a row of the journal."""
        return asdict(self)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Issue:
        """From a row of the journal; a row that is no issue is a damaged journal."""
        try:
            whom = row["subject"]
            subject = Subject(whom["epoch"], whom["name"], whom["account_id"])
            return cls(subject, row["scheme"], int(row["width"]), row["commitment"], row["at"], row["logged"])
        except (KeyError, TypeError, ValueError) as error:
            raise VerificationError(
                "a row of the dye desk's journal is damaged", hint="take the journal from a backup"
            ) from error


@dataclass(frozen=True, slots=True)
class Dye:
    """An issued key with the key itself, which is in no repr."""

    issue: Issue
    key: int = field(repr=False)
    """63 bits: fits every engine and every reader of JSON that knows 64-bit integers."""
    nonce: str = field(repr=False)

    @property
    def key_id(self) -> str:
        return self.issue.subject.key_id

    def server(self) -> dict[str, Any]:
        """The engine's configuration; it holds the key."""
        return scheme_of(self.issue.scheme).server(self.key, self.issue.width)

    def request(self) -> dict[str, Any]:
        """What a request carries; it holds the key. Empty where the engine's own key is the campaign's."""
        return scheme_of(self.issue.scheme).request(self.key, self.issue.width)

    def opening(self) -> dict[str, Any]:
        """What opens the commitment: for a court, once the key is retired."""
        return {
            "key": self.key,
            "nonce": self.nonce,
            **_about(self.issue.subject, self.issue.scheme, self.issue.width),
        }


def derived(master: Master, subject: Subject, scheme: str, width: int) -> tuple[int, str]:
    """Key and nonce of a subject under a scheme."""
    parts = (subject.epoch, subject.name, subject.account_id or "", scheme, str(width))
    key = int.from_bytes(master.derive(8, "key", *parts), "big") >> 1
    return key, master.derive(16, "nonce", *parts).hex()


def commitment(key: int, nonce: str, subject: Subject, scheme: str, width: int) -> str:
    """Digest of a key and of what it is for."""
    told = {"key": key, "nonce": nonce, **_about(subject, scheme, width)}
    return hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def check_opening(opening: Mapping[str, Any], digest: str) -> None:
    """Hold an opening against a commitment from the log. Raises `VerificationError` when it is not that key's."""
    told = json.dumps(dict(opening), sort_keys=True, separators=(",", ":")).encode()
    if not hmac.compare_digest(hashlib.sha256(told).hexdigest(), digest):
        raise VerificationError(
            "the opening is not of this commitment", hint="ask for the opening of this very key"
        )


def _about(subject: Subject, scheme: str, width: int) -> dict[str, Any]:
    return {**asdict(subject), "scheme": scheme, "width": width}
