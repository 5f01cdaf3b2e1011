"""Hand-off (K1): a conversation that began under one account goes on under another."""

from stillwatch.detect.trait import EventTrait
from stillwatch.detect.traits._events import cross_unit
from stillwatch.records import Family

TRAIT = EventTrait(
    id="handoff",
    title="Conversation hand-off",
    family=Family.BEHAVIOUR,
    needs=frozenset({"messages", "completion"}),
    instead={
        "messages": frozenset({"prefix_digests"}),
        "completion": frozenset({"output_digests", "prefix_digests"}),
    },
    what="A request whose history contains an answer that was given to another account, in the same place of "
    "the same conversation (a chain of digests; system messages are left out because relays rewrite them).",
    null="Poisson, at most kappa times the larger of 1e-5 per presented history and the rate outside the hub; "
    "each pair of accounts counts once in each half of the time. Of the "
    "pairs that touch a hub, more must stay inside, or more of all pairs fall into it, than chance gives.",
    looks_alike=(
        "key rotation",
        "a merger of organisations",
        "a shared account migration",
        "pasted transcripts",
    ),
    source="claude-relay-service and sub2api move sessions to the next account on error.",
    extract=lambda traffic: cross_unit(traffic, "issued", "presented"),
    rate=1e-5,
)
