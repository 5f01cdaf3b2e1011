"""Programme: start-up, education or research credits."""

from stillwatch.detect.trait import TokenTrait
from stillwatch.detect.traits._extract import account_tokens
from stillwatch.records import Family

TRAIT = TokenTrait(
    id="programme",
    title="Programme",
    family=Family.IDENTITY,
    needs=frozenset({"account.programme"}),
    what="The credit programme an account belongs to.",
    null="Common: helps to attribute an account to a group already found, nothing more.",
    looks_alike=("every honest member of the programme",),
    source="Education, security-research and start-up programmes were named as weak entry points.",
    extract=lambda traffic: account_tokens(traffic, traffic.accounts.programme),
    group="programme",
)
