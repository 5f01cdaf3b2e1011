"""Fail-over (K3): a request refused for one account is sent again at once by another."""

import numpy as np

from stillwatch.detect.traffic import Traffic
from stillwatch.detect.trait import Events, EventTrait
from stillwatch.records import Family

WITHIN_S = 900
MAX_UNITS = 8
"""A payload sent by more units than this is public (a benchmark, homework): its repeats say nothing."""


def extract(traffic: Traffic) -> Events:
    """Refused (429, 403, 401, 5xx) then the same payload elsewhere within fifteen minutes."""
    db = traffic.con.con
    rows = db.execute(
        f"""
        WITH rare AS (
            SELECT "full" AS payload FROM exchange WHERE "full" <> 0 AND words >= 6
            GROUP BY "full" HAVING count(DISTINCT unit) BETWEEN 2 AND {MAX_UNITS}
        ), refused AS (
            SELECT "full" AS payload, unit, ts FROM exchange
            WHERE (status IN (401, 403, 429) OR status >= 500) AND "full" IN (SELECT payload FROM rare)
        ), again AS (
            SELECT "full" AS payload, unit, ts FROM exchange
            WHERE status BETWEEN 100 AND 299 AND "full" IN (SELECT payload FROM rare)
        )
        SELECT refused.unit AS giver, again.unit AS taker, min(again.ts) AS ts
        FROM refused JOIN again USING (payload)
        WHERE refused.unit <> again.unit AND again.ts > refused.ts
          AND again.ts <= refused.ts + {WITHIN_S}::BIGINT * 1000000
        GROUP BY payload, giver, taker ORDER BY ts, giver, taker
        """  # noqa: S608  (constants of this module only)
    ).fetchnumpy()
    status, unit = traffic.column("status"), traffic.column("unit")
    failed = np.isin(status, (401, 403, 429)) | (status >= 500)
    exposure = np.bincount(unit[failed], minlength=traffic.n_units)
    return Events(rows["giver"].astype(np.int32), rows["taker"].astype(np.int32), rows["ts"], exposure)


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
