"""Load equalisation: accounts that carry the same load, as a load balancer would have it."""

import numpy as np

from stillwatch.detect.traffic import DAY, Traffic
from stillwatch.detect.trait import Tokens, TokenTrait
from stillwatch.records import Family


def extract(traffic: Traffic) -> Tokens:
    """Quarter-octave bin of exchanges per active day; units with fewer than eight exchanges say nothing."""
    t = traffic.table()
    days = t.select("unit", day=(t.ts - traffic.start) // DAY).distinct()
    got = traffic.fetch(days.group_by("unit").agg(days=days.count()))
    active = np.zeros(traffic.n_units, np.int64)
    active[got["unit"]] = got["days"]
    total = traffic.unit_counts()
    keep = np.flatnonzero(total >= 8)
    value = np.round(4 * np.log2(total[keep] / active[keep])).astype(np.int64) + 1
    return Tokens(keep.astype(np.int32), np.maximum(value, 1), total[keep])


def label(traffic: Traffic, value: int) -> str:
    """Exchanges per active day."""
    return f"about {2 ** ((value - 1) / 4):.0f} exchanges per active day"


TRAIT = TokenTrait(
    id="load_equalisation",
    title="Load equalisation",
    family=Family.TIMING,
    needs=frozenset({"started_at"}),
    what="Exchanges per active day, in steps of a quarter octave.",
    null="Honest loads spread over several powers of ten: the reference frequency of each step times kappa.",
    looks_alike=("a class doing one assignment", "seats of one product with a daily quota"),
    source="Relay software picks the least recently used account, which equalises load.",
    extract=extract,
    group="schedule",
    bets=True,
    block=2,
    public=True,
    label=label,
)
