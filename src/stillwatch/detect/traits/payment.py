"""Payment instrument: one card or bank account behind several accounts."""

from stillwatch.detect.trait import TokenTrait
from stillwatch.detect.traits._extract import account_tokens
from stillwatch.records import Family

TRAIT = TokenTrait(
    id="payment",
    title="Payment instrument",
    family=Family.IDENTITY,
    needs=frozenset({"account.payment_digest"}),
    what="Keyed digest of the payment instrument of each account.",
    null="Units draw instruments independently at reference frequency times kappa.",
    looks_alike=("a company card for many seats", "an agency that pays for its clients", "a family"),
    source="Shared payment methods are the link the labs name first.",
    extract=lambda traffic: account_tokens(traffic, traffic.accounts.payment),
    group="payment",
    defines_hubs=True,
    bets=True,
    block=1,
)
