"""Day flatness: works around the clock."""

from stillwatch.detect.trait import ShapeTrait
from stillwatch.records import Family

TRAIT = ShapeTrait(
    id="day_flatness",
    title="Day flatness",
    family=Family.TIMING,
    needs=frozenset({"started_at"}),
    what="How evenly the stream covers the hours of the day.",
    null="Rank among honest linked groups of the baseline (conformal); on its own it convicts nobody.",
    looks_alike=("global products", "scheduled jobs", "batch queues"),
    source="Queues do not sleep; neither do many honest tenants, so this weighs little.",
    column="flatness",
    meaning="works around the clock",
)
