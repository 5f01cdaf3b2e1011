"""Ban succession (K3): new accounts take up a hub right after some of its accounts were banned."""

from stillwatch.detect.queue import succession
from stillwatch.detect.trait import QueueTrait
from stillwatch.records import Family

TRAIT = QueueTrait(
    id="succession",
    title="Ban succession",
    family=Family.TIMING,
    needs=frozenset({"account.status", "account.status_changed_at"}),
    what="First appearances of a hub's units in the day after one of its accounts was banned, against the day "
    "before.",
    null="A unit's first appearance is as likely just before a ban as just after it, up to kappa: a binomial "
    "bet. Appearances count once an hour and at most six on one side of one ban, so a class that joins together is "
    "not thirty events; only days that lie wholly inside the window count.",
    looks_alike=(
        "a customer who opens a new account after a mistaken ban",
        "a launch that happens to follow a ban",
    ),
    source="Replacement of banned accounts was reported by the labs; ban evasion, WWW 2022.",
    extract=succession,
)
