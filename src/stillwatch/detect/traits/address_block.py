"""Address block: the /24 (IPv4) or /48 (IPv6) that requests came from."""

from stillwatch.detect.trait import TokenTrait
from stillwatch.detect.traits._extract import column_tokens
from stillwatch.records import Family

TRAIT = TokenTrait(
    id="address_block",
    title="Address block",
    family=Family.INFRASTRUCTURE,
    needs=frozenset({"client_ip"}),
    what="The /24 of an IPv4 or /48 of an IPv6 client address, as a keyed digest.",
    null="Units draw blocks independently, each block at most kappa times as often as in the reference cohort "
    "or, if that is more, among the units outside the hub.",
    looks_alike=(
        "a company, campus or mobile carrier behind one address",
        "customers of one VPN or cloud region",
        "an app that calls the API from its own servers with its users' keys",
    ),
    source="SynchroTrap (CCS 2014) and EvilCohort (USENIX Security 2015) link accounts by address; "
    "here an address is one source of several and never enough.",
    extract=lambda traffic: column_tokens(traffic, "net"),
    group="egress",
    defines_hubs=True,
    bets=True,
    block=1,
)
