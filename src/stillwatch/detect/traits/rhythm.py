"""Shared rhythm: active and silent in the same hours, beyond region and time of day."""

import numpy as np

from stillwatch.detect.traffic import HOUR, Traffic
from stillwatch.detect.trait import Tokens, TokenTrait
from stillwatch.records import Family

REGION_STEP = 1_000_000
"""Values carry the region of the unit, so that frequencies are taken within it."""


def extract(traffic: Traffic) -> Tokens:
    """Half-hour slots in which a unit was active; only units active in 2 to 24 slots say anything."""
    t = traffic.table()
    slots = t.group_by("unit", slot=(t.ts - traffic.start) // (HOUR // 2) + 1).agg(count=t.count())
    busy = slots.group_by("unit").agg(active=slots.count()).filter(lambda u: u.active.between(2, 24))
    got = traffic.fetch(slots.semi_join(busy, "unit").order_by("unit", "slot"))
    region = traffic.unit_region[got["unit"]].astype(np.int64)
    value = got["slot"] + REGION_STEP * (region + 1)
    return Tokens(got["unit"].astype(np.int32), value, got["count"].astype(np.int64))


def label(traffic: Traffic, value: int) -> str:
    """Start of the slot in UTC."""
    start = np.datetime64(traffic.start + (value % REGION_STEP - 1) * (HOUR // 2), "us").astype(
        "datetime64[m]"
    )
    return f"active in the half hour from {start} UTC"


TRAIT = TokenTrait(
    id="rhythm",
    title="Shared rhythm",
    family=Family.TIMING,
    needs=frozenset({"started_at"}),
    what="The half hours in which a sparsely active unit sent anything.",
    null="Units draw slots independently within their region; busy hours are common in the reference of the "
    "same region, so daylight explains itself.",
    looks_alike=("a class in its lesson", "people in one office", "an outage that everyone retries after"),
    source="SynchroTrap (CCS 2014): loosely synchronised actions.",
    extract=extract,
    group="schedule",
    bets=True,
    block=2,
    label=label,
    stratum=lambda value: value // REGION_STEP,
)
