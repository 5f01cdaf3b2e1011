"""Fail-over (K3): a request refused for one account is sent again at once by another."""

from typing import Any

import ibis
import numpy as np

from stillwatch.detect.traffic import Traffic
from stillwatch.detect.trait import Events, EventTrait
from stillwatch.records import Family

WITHIN_S = 900
MAX_UNITS = 8
"""A payload sent by more units than this is public (a benchmark, homework): its repeats say nothing."""


def extract(traffic: Traffic) -> Events:
    """Refused (429, 403, 401, 5xx) then the same payload elsewhere within fifteen minutes.

    Only payloads that were ever refused are looked at.
    """
    t = traffic.table()
    failed = t.status.isin((401, 403, 429)) | (t.status >= 500)
    served = t.status.between(100, 299)
    turned = t.filter(failed, t["full"] != 0).select("full")
    known = t.filter(t["full"] != 0, t.words >= 6).select("unit", "full").semi_join(turned, "full")
    several = known.group_by("full").agg(low=known.unit.min(), high=known.unit.max())
    known = known.semi_join(several.filter(several.low != several.high), "full")
    rare = known.group_by("full").agg(units=known.unit.nunique())
    rare = rare.filter(rare.units.between(2, MAX_UNITS)).select("full")
    sent = t.filter(failed | served).select("unit", "ts", "full", failed=failed).semi_join(rare, "full")
    found = handed_over(sent.select("unit", "ts", "failed", payload="full"), WITHIN_S * 1_000_000)
    rows = traffic.fetch(found.order_by("ts", "giver", "taker"))
    tried = t.filter(failed)
    refused = traffic.fetch(tried.group_by("unit").agg(n=tried.count()))
    exposure = np.zeros(traffic.n_units, np.int64)
    exposure[refused["unit"]] = refused["n"]
    return Events(rows["giver"].astype(np.int32), rows["taker"].astype(np.int32), rows["ts"], exposure)


def handed_over(sent: Any, within: int) -> Any:
    """First time that each payload refused to one unit was served to another so soon after: giver, taker, ts.

    A request is laid beside each unit that was refused its payload, at most `MAX_UNITS` of them, and looks back to
    that unit's newest refusal. Refusals are never paired with requests: one account that is refused the same question
    a million times would make that a million times a million.

    Args:
        sent: an expression with columns unit, ts, payload and failed (refused, or else served).
        within: microseconds.
    """
    refused = sent.filter(sent.failed)
    givers = refused.select("payload", giver="unit").distinct()
    again = sent.filter(~sent.failed).join(givers, "payload")
    again = again.filter(again.unit != again.giver).select(
        "payload", "giver", "ts", taker=again.unit.cast("int64"), since=ibis.null("int64")
    )
    turned = refused.select("payload", "ts", giver="unit", taker=ibis.literal(-1, "int64"), since="ts")
    both = again.union(turned.select(*again.columns))
    before = ibis.window(group_by=["payload", "giver"], order_by=["ts", ibis.desc("taker")], rows=(None, 0))
    both = both.mutate(last=both.since.max().over(before))
    soon = both.filter(both.taker >= 0, both["last"].notnull(), both.ts - both["last"] <= within)
    return soon.group_by("payload", "giver", "taker").agg(ts=soon.ts.min()).select("giver", "taker", "ts")


TRAIT = EventTrait(
    id="failover",
    title="Fail-over after a refusal",
    family=Family.TIMING,
    needs=frozenset({"status", "prompt"}),
    what="A prompt refused with 401, 403, 429 or 5xx under one account that succeeds under another within 15 min.",
    null="Poisson at 1e-4 per refusal or the rate outside the hub, times kappa; payloads known to more than "
    "eight units are left out. Of the "
    "pairs that touch a hub, more must stay inside, or more of all pairs fall into it, than chance gives.",
    looks_alike=(
        "a reseller's own fail-over",
        "a user with two accounts",
        "a class that repeats one question",
    ),
    source="Relays rest an account for 60 to 1,800 s after an error and send the request to the next one.",
    extract=extract,
    rate=1e-4,
)
