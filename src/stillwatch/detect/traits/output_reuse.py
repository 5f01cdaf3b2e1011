"""Output reuse (K1): what one account was answered comes back inside the prompt of another."""

from stillwatch.detect.trait import EventTrait
from stillwatch.detect.traits._events import cross_unit
from stillwatch.records import Family

TRAIT = EventTrait(
    id="output_reuse",
    title="Output reuse",
    family=Family.BEHAVIOUR,
    needs=frozenset({"completion", "prompt"}),
    what="A passage of 48 words or more (about 64 tokens) that was answered to one account and stands in a later "
    "prompt of another, as when one account generates and the next one grades or rewrites.",
    null="Poisson, at most kappa times the larger of 1e-5 per long prompt and the rate among trusted units; each "
    "pair of accounts counts once in each half of the time, passages known to more than eight units are public "
    "text. Of the pairs that touch a hub, more must stay inside, or more of all pairs fall into it, than chance gives.",
    looks_alike=(
        "colleagues who pass answers on without having declared an organisation",
        "published model output that others paste",
        "a grader who works for one customer under two accounts",
    ),
    source="Teacher and grader chains in published recipes; detection of regenerated text by winnowing "
    "(Schleimer, Wilkerson and Aiken, SIGMOD 2003).",
    extract=lambda traffic: cross_unit(traffic, "chunk_out", "chunk_in"),
    rate=1e-5,
)
