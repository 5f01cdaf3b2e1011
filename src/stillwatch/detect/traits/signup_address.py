"""Sign-up address block: where the account was opened from."""

from stillwatch.detect.trait import TokenTrait
from stillwatch.detect.traits._extract import account_tokens
from stillwatch.records import Family

TRAIT = TokenTrait(
    id="signup_address",
    title="Sign-up address block",
    family=Family.IDENTITY,
    needs=frozenset({"account.signup_ip"}),
    what="The /24 or /48 the account was opened from, as a keyed digest.",
    null="Units draw blocks independently at reference frequency times kappa.",
    looks_alike=("a company's new starters", "a course that signs up together"),
    source="Bulk registration from one network; it is the same source as the address block and never added to it.",
    extract=lambda traffic: account_tokens(traffic, traffic.accounts.signup_net),
    group="egress",
    defines_hubs=True,
    bets=True,
    block=1,
)
