"""Who a package is for, and so what it leaves out or withholds.

A document that is left out is not in the package at all; a field that is withheld has a commitment in it and can be
opened later to somebody who needs it. Nothing is on a list because it might be useful: what an audience does not need
for what it may do with the package, it does not get.
"""

from __future__ import annotations

from dataclasses import dataclass

from stillwatch.errors import ConfigError

_ACCOUNTS = frozenset({"account_id", "subject_account"})
_VOLUMES = frozenset({"account_exchange_count", "account_first_seen", "account_last_seen"})
_VALUES = frozenset({"value", "reasons_with_values"})
_WORDS = frozenset({"words"})
"""What people wrote beside the steps of a case: it may name accounts."""
_PEOPLE = frozenset({"measures", "appeals", "timeline", "former"})


@dataclass(frozen=True, slots=True)
class Profile:
    """One audience."""

    name: str
    audience: str
    leaves_out: frozenset[str]
    """Documents and exhibits."""
    withholds: frozenset[str]
    """Fields, by name, in every document that is there."""
    inputs: bool
    """Whether preserved inputs go along, so that the detection can be run again."""


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("court", "a court and the experts of both sides", frozenset(), frozenset(), True),
        Profile("government", "an authority to which the owner reports", frozenset(), _ACCOUNTS | _WORDS, False),
        Profile(
            "cloud", "a provider that serves the same models, who has to act on accounts",
            frozenset({"exposure", "attribution", "work", "timeline"}), _VALUES, False,
        ),
        Profile(
            "lab", "another laboratory", frozenset({"exposure", "attribution", "work", "terms", "notices"}) | _PEOPLE,
            _ACCOUNTS | _VALUES | _VOLUMES, False,
        ),
        Profile(
            "public", "anybody", frozenset({"exposure", "attribution", "work", "terms", "notices", "circumvention",
                                            "members"}) | _PEOPLE,
            _ACCOUNTS | _VALUES, False,
        ),
    )
}  # fmt: skip
"""Prices, hours and what one customer sent reach no other laboratory: signals may be shared, business may not.
Attribution reaches only those who can test it."""


def profile(name: str) -> Profile:
    """The profile of a name.

    Raises:
        ConfigError: there is none.
    """
    if name not in PROFILES:
        raise ConfigError(f"no profile is called {name!r}", hint=f"choose one of {', '.join(PROFILES)}")
    return PROFILES[name]
