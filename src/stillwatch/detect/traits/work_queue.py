"""Work queue (K2): a set of questions dealt out, each exactly R times, to different accounts."""

from stillwatch.detect.queue import extract
from stillwatch.detect.trait import QueueTrait
from stillwatch.records import Family

TRAIT = QueueTrait(
    id="work_queue",
    title="Work-queue partition",
    family=Family.BEHAVIOUR,
    needs=frozenset({"prompt"}),
    what="How many different accounts sent each payload of a template family. A dispatcher that samples every "
    "question R times leaves a count of exactly R; people and honest crowds leave a spread.",
    null="Accounts choose payloads independently: counts are zero-truncated binomial with any mixture of "
    "popularities. The e-value divides by the largest probability any popularity could give (universal "
    "inference), so popular and rare questions explain themselves. One pass without repeats cannot be tested "
    "this way and gives no evidence.",
    looks_alike=(
        "a benchmark that every member runs once",
        "homework",
        "double annotation in a labelling firm",
    ),
    source="OpenR1 sends each problem four times; Wasserman, Ramdas and Balakrishnan, Universal inference (PNAS 2020).",
    extract=extract,
)
