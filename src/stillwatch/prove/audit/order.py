"""Has a model seen a data set in the order in which it was published?

If the items of a data set are exchangeable, a model that never saw the file finds its published order no likelier than
a shuffled one. The file is cut into shards; in each, the published order stands among shuffled ones by the model's
log-likelihood of the whole shard, and the ranks of all shards add up to an exact tail. Needs likelihoods.

*Looks alike*: an order that is natural (sorted, growing harder, grouped by topic), which any model prefers. So a
reference that cannot have seen the file is asked too; where it fires, the test judges nothing.

References
----------
Oren et al., *Proving test set contamination in black-box language models*, ICLR 2024 (there with a t-test over shards).
"""

from __future__ import annotations

import math

import numpy as np

from stillwatch.errors import ConfigError
from stillwatch.prove.audit.compared import Compared, Words, told
from stillwatch.prove.audit.resample import Floats, mean_part
from stillwatch.prove.siblings.rank import rank_sum, served_ranks
from stillwatch.records.audit import AuditResult, Interval

REFERENCE_ALPHA = 0.01
WORDS = Words(
    "canonical-order",
    "place of the published order among shuffled ones (1 = always likeliest, 0.5 = no preference; one-sided)",
    assumptions=(
        "Items are exchangeable: nothing but publication distinguishes their order.",
        "Shuffles were drawn uniformly, with a seed, in the same template and length.",
    ),
    looks_alike=(
        "The published order is natural: sorted, growing harder, or grouped by topic.",
        "The file stands in public training data: almost any model may have seen it.",
    ),
)


def canonical_order(who: Compared, suspect: Floats, reference: Floats) -> AuditResult:
    """Rank the published order among shuffles, shard by shard.

    Args:
        who: names, population, seed and level.
        suspect: log-likelihoods, float64[shards, 1 + shuffles]; the first column is the published order.
        reference: the same of a model that cannot have seen the file.
    """
    ours, theirs = _checked(suspect), _checked(reference)
    places, beside = _places(ours, who.seed), _places(theirs, who.seed)
    p_value, control = (math.exp(min(0.0, rank_sum(-one, who.seed).log_p)) for one in (ours, theirs))
    natural = control < REFERENCE_ALPHA
    notes = [f"{who.reference} prefers the published order too (p {control:.1e}): it is natural"]
    part = mean_part(f"{who.suspect}: place of the published order", places)
    return told(
        who,
        WORDS,
        places,
        p_value,
        Interval(part.interval.low, part.interval.high, part.interval.level, part.interval.method),
        (part, mean_part(f"{who.reference}: place of the published order", beside)),
        notes if natural else (),
        unfit=natural,
    )


def _places(log_p: Floats, seed: int) -> Floats:
    ranks, sizes = served_ranks(-log_p, 0, seed)
    return np.asarray(1.0 - ranks / (sizes - 1))


def _checked(log_p: Floats) -> Floats:
    out = np.asarray(log_p, dtype=np.float64)
    if out.ndim != 2 or out.shape[1] < 2 or not out.size or not np.isfinite(out).all():
        raise ConfigError(
            "no likelihoods of published and shuffled orders",
            hint="score each shard in its published order and in at least one shuffle",
        )
    return out
