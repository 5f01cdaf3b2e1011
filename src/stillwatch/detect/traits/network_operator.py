"""Network operator: the autonomous system of the client address."""

from stillwatch.detect.traffic import Traffic
from stillwatch.detect.trait import TokenTrait
from stillwatch.detect.traits._extract import column_tokens
from stillwatch.records import Family

HOSTING = frozenset({
    16509, 14618, 8075, 15169, 396982, 14061, 63949, 20473, 24940, 16276, 45102, 37963, 132203, 45090,
    31898, 13335, 51167, 9009, 60068, 62240, 36352, 53667, 55286, 8100, 12876, 40021, 212238, 136907,
})  # fmt: skip
"""Well-known hosting, cloud and proxy-exit operators by AS number (public registry facts)."""


def label(traffic: Traffic, value: int) -> str:
    """AS number in words."""
    return f"AS{value}" + (" (hosting)" if value in HOSTING else "")


TRAIT = TokenTrait(
    id="network_operator",
    title="Network operator",
    family=Family.INFRASTRUCTURE,
    needs=frozenset({"client_asn"}),
    what="The autonomous system of the client address, and whether it is a hosting operator.",
    null="As address_block, but far commoner: it only helps to attribute an account to a group already found.",
    looks_alike=("all customers of one cloud or carrier",),
    source="Public registries; hosting operators are a short list of AS numbers.",
    extract=lambda traffic: column_tokens(traffic, "asn", where=lambda t: t.asn > 0),
    group="network",
    label=label,
    public=True,
)
