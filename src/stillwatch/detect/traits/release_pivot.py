"""Release pivot: traffic that moves to a new model within hours of its release."""

import numpy as np
import pyarrow as pa

from stillwatch.detect.traffic import HOUR, Traffic, value_digest
from stillwatch.detect.trait import Tokens, TokenTrait
from stillwatch.records import Family

_BIN = 0xFF
"""The low byte of a value: which two hours. The rest is the digest of the model's name."""


def extract(traffic: Traffic) -> Tokens:
    """(model, two-hour bin of first use after release) for units that used another model before."""
    known = [(c, at) for c, at in sorted(traffic.releases.items()) if traffic.start < at < traffic.end]
    if not known:
        return Tokens.empty()
    codes, times = zip(*known, strict=True)
    out = pa.table({"model": pa.array(codes, pa.int32()), "released": pa.array(times, pa.int64())})
    t = traffic.table()
    used = t.select("unit", "ts", "model").join(traffic.engine.local(out), "model")
    used = used.filter(used.ts >= used.released)
    got = traffic.fetch(used.group_by("model", "unit").agg(first=used.ts.min()).order_by("model", "unit"))
    units, values = [], []
    for code, released in known:
        mine = got["model"] == code
        unit, late = got["unit"][mine], (got["first"][mine] - released) // (2 * HOUR)
        took = (traffic.first_seen()[unit] < released) & (late < 36)
        units.append(unit[took])
        base = value_digest(traffic, "release_pivot", traffic.names.model.names[code]) & ~_BIN
        values.append(base | late[took])
    unit_out, value = np.concatenate(units).astype(np.int32), np.concatenate(values).astype(np.int64)
    return Tokens(unit_out, value, np.ones(len(unit_out), np.int64))


def label(traffic: Traffic, value: int) -> str:
    """Model and hours after release."""
    return f"first used within {2 * ((value & _BIN) + 1)} h of a model release"


TRAIT = TokenTrait(
    id="release_pivot",
    title="Release pivot",
    family=Family.TIMING,
    needs=frozenset({"release.released_at"}),
    what="The two-hour bin after a model's release in which a unit that was active before first used it.",
    null="Shared software can switch everyone at once, so it is never bet on; helps to attribute.",
    looks_alike=("enthusiasts on launch day", "an app that changes its default model", "benchmark runs"),
    source="Half of one campaign's traffic moved to a new model within 24 hours of its release.",
    extract=extract,
    group="pivot",
    label=label,
)
