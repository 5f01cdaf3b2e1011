"""Does the suspect say the same thing again and again, where a reference varies? Several replies to each prompt.

Distillation narrows: students repeat their teacher's likeliest manner. Each prompt's replies are cut to one common
length for both models (longer texts repeat more), and two figures taken: the share of word pairs that occur in one
reply only (distinct), and how much replies overlap with each other (self-overlap, Jaccard of word pairs).

*Looks alike*: a lower temperature, a narrower top-p, another system prompt; any tuning on preferences narrows too.

References
----------
Li et al., *A diversity-promoting objective function*, NAACL 2016 (distinct-n). Kirk et al., *Understanding the effects
of RLHF on LLM generalisation and diversity*, ICLR 2024.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise

import numpy as np

from stillwatch.errors import ConfigError
from stillwatch.prove.audit.compared import Compared, Words, paired, same_items
from stillwatch.prove.audit.resample import Floats, mean_part
from stillwatch.prove.audit.wording import words
from stillwatch.records.audit import AuditResult

LEAST_WORDS = 8
Replies = Sequence[Sequence[str]]
"""For each prompt, several replies."""
ASSUMPTIONS = (
    "Both models were sampled at the same temperature and top-p, with independent seeds.",
    "Each prompt has the same number of replies from both.",
)
LOOKS_ALIKE = (
    "Sampling settings or system prompt differ.",
    "Tuning on preferences narrows a model without any distillation.",
)


def diversity_loss(who: Compared, suspect: Replies, reference: Replies) -> list[AuditResult]:
    """Distinct pairs of words, and overlap of replies, prompt by prompt."""
    same_items(suspect, reference)
    rows, short = [], 0
    for ours, theirs in zip(suspect, reference, strict=True):
        if len(ours) != len(theirs) or len(ours) < 2:
            raise ConfigError(
                "prompts with one reply, or with different numbers", hint="draw the same number, two or more"
            )
        mine, other = [words(r) for r in ours], [words(r) for r in theirs]
        length = min(len(one) for one in (*mine, *other))
        if length < LEAST_WORDS:
            short += 1
            continue
        rows.append([*_figures(mine, length), *_figures(other, length)])
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    dropped = ((f"a reply below {LEAST_WORDS} words", short),)
    return [
        _told(
            who, "diversity-distinct", "distinct word pairs", table[:, [0, 2]], "negative = narrower", dropped
        ),
        _told(
            who, "diversity-overlap", "overlap of replies", table[:, [1, 3]], "positive = narrower", dropped
        ),
    ]


def _figures(replies: list[list[str]], length: int) -> tuple[float, float]:
    """Share of word pairs that are distinct, and mean overlap between replies, at one length."""
    pairs = [list(pairwise(r[:length])) for r in replies]
    distinct = len({pair for one in pairs for pair in one}) / sum(map(len, pairs))
    sets = [set(one) for one in pairs]
    overlap = [len(a & b) / len(a | b) for a, b in combinations(sets, 2)]
    return distinct, sum(overlap) / len(overlap)


def _told(
    who: Compared, test: str, what: str, figures: Floats, sign: str, dropped: tuple[tuple[str, int], ...]
) -> AuditResult:
    named = (f"{who.suspect}: {what}", f"{who.reference}: {what}")
    parts = [mean_part(name, figures[:, i]) for i, name in enumerate(named) if len(figures)]
    spoken = Words(test, f"{what}, suspect minus reference ({sign})", ASSUMPTIONS, LOOKS_ALIKE)
    return paired(who, spoken, figures[:, 0] - figures[:, 1], parts, dropped=dropped)
