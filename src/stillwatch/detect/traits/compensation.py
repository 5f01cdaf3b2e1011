"""Fail-over compensation (K3): the others of a hub are heard just after one of its accounts is refused."""

from stillwatch.detect.compensation import extract
from stillwatch.detect.relief import of_units
from stillwatch.detect.trait import QueueTrait
from stillwatch.records import Family

TRAIT = QueueTrait(
    id="compensation",
    title="Fail-over compensation",
    family=Family.TIMING,
    needs=frozenset({"status", "started_at"}),
    what="Refusals (401, 403, 429) after which another account of the hub is heard within 1, 5 or 20 s, but was not "
    "in as long a time before, against the opposite. No text is needed.",
    null="Independent accounts are as likely heard just before a refusal as just after it: a binomial bet on "
    "discordant refusals. Its null is the balance of answered requests of the same accounts, at least a half, with "
    "odds times 1.25. Own retries, refusals in an overload of everybody and windows that overlap are left out, and "
    "no pair of accounts gives more than a few votes.",
    looks_alike=(
        "a reseller's or gateway's own fail-over",
        "a person who turns to a second account",
        "an incident in which one region is refused before another",
        "a job that runs by the clock, if somebody gets himself refused just before it on purpose",
    ),
    source="Relays send a refused request to the next account at once. McNemar's test (1947) on self-controlled "
    "windows, as in case series.",
    extract=extract,
    units=of_units,
    shuffled=extract,
)
