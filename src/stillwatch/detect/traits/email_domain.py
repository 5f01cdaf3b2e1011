"""E-mail domain, other than the domains anyone may use."""

import numpy as np

from stillwatch.detect.trait import TokenTrait
from stillwatch.detect.traits._extract import account_tokens
from stillwatch.records import Family

TRAIT = TokenTrait(
    id="email_domain",
    title="E-mail domain",
    family=Family.IDENTITY,
    needs=frozenset({"account.email_domain"}),
    what="Keyed digest of the sign-up e-mail domain; free mail providers are left out.",
    null="Units draw domains independently at reference frequency times kappa.",
    looks_alike=("employees of one company", "a university", "a privacy relay domain"),
    source="Bulk registration buys domains; so does every company.",
    extract=lambda traffic: account_tokens(
        traffic, np.where(traffic.accounts.free_mail, 0, traffic.accounts.email_domain)
    ),
    group="identity",
    defines_hubs=True,
    bets=True,
    block=2,
)
