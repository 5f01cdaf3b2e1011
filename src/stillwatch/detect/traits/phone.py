"""Phone number digest shared by accounts."""

from stillwatch.detect.trait import TokenTrait
from stillwatch.detect.traits._extract import account_tokens
from stillwatch.records import Family

TRAIT = TokenTrait(
    id="phone",
    title="Phone number",
    family=Family.IDENTITY,
    needs=frozenset({"account.phone_digest"}),
    what="Keyed digest of the verified phone number.",
    null="Units draw numbers independently at reference frequency times kappa.",
    looks_alike=("one administrator who verified several company accounts",),
    source="Verification by text message costs 0.08 to 4.93 dollars a number, so numbers are reused.",
    extract=lambda traffic: account_tokens(traffic, traffic.accounts.phone),
    group="identity",
    defines_hubs=True,
    bets=True,
    block=2,
)
