"""Exit address: the exact client address."""

from stillwatch.detect.trait import TokenTrait
from stillwatch.detect.traits._extract import column_tokens
from stillwatch.records import Family

TRAIT = TokenTrait(
    id="exit_address",
    title="Exit address",
    family=Family.INFRASTRUCTURE,
    needs=frozenset({"client_ip"}),
    what="The exact client address, as a keyed digest: pools of proxies reuse exits between accounts.",
    null="As address_block; the two belong to one group and are never added.",
    looks_alike=("carrier-grade NAT", "an office or campus gateway", "a shared VPN exit"),
    source="Relay software gives each account a proxy and reuses proxies between accounts.",
    extract=lambda traffic: column_tokens(traffic, "ip"),
    group="egress",
    defines_hubs=True,
    bets=False,
)
