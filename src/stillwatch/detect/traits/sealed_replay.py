"""Sealed-reasoning replay: an opaque reasoning block presented by an account it was not issued to."""

from stillwatch.detect.trait import EventTrait
from stillwatch.detect.traits._events import cross_unit
from stillwatch.records import Family

TRAIT = EventTrait(
    id="sealed_replay",
    title="Sealed-reasoning replay",
    family=Family.BEHAVIOUR,
    needs=frozenset({"sealed_in", "sealed_out"}),
    what="A digest of an encrypted reasoning or compaction block issued to one account and presented by another.",
    null="Poisson at 1e-6 per presented block or the rate outside the hub, times kappa. Of the "
    "pairs that touch a hub, more must stay inside, or more of all pairs fall into it, than chance gives.",
    looks_alike=(
        "key rotation inside an undeclared organisation",
        "a client that syncs history between accounts",
    ),
    source="arXiv 2608.09867: sealed blocks replayed into a weaker sibling print the trace.",
    extract=lambda traffic: cross_unit(traffic, "sealed_out", "sealed_in"),
    rate=1e-6,
)
