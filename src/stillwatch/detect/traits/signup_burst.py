"""Sign-up burst: accounts opened in the same six hours."""

import numpy as np

from stillwatch.detect.traffic import DAY, UNKNOWN_TIME, Traffic
from stillwatch.detect.trait import Tokens, TokenTrait
from stillwatch.detect.traits._extract import account_tokens
from stillwatch.records import Family


def extract(traffic: Traffic) -> Tokens:
    """Quarter of a day of sign-up, counted from the epoch."""
    created = traffic.accounts.created
    return account_tokens(traffic, np.where(created == UNKNOWN_TIME, 0, created // (DAY // 4) + 1))


def label(traffic: Traffic, value: int) -> str:
    """The quarter day in UTC."""
    return f"{np.datetime64((value - 1) * (DAY // 4), 'us').astype('datetime64[h]')} UTC, six hours"


TRAIT = TokenTrait(
    id="signup_burst",
    title="Sign-up burst",
    family=Family.IDENTITY,
    needs=frozenset({"account.created_at"}),
    what="The six hours in which the account was opened.",
    null="Units draw sign-up times independently, each at most kappa times as often as units outside the hub "
    "(promotions and launches are in that frequency).",
    looks_alike=("a course or hackathon", "a launch day or promotion", "a company roll-out"),
    source="Cohorts of accounts bought or opened together.",
    extract=extract,
    group="identity",
    defines_hubs=True,
    bets=True,
    block=2,
    label=label,
)
