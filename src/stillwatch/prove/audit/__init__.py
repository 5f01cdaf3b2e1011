"""Is the suspect what it claims to be? Contrasts beside a reference: consistency, never evidence of theft."""

from stillwatch.prove.audit.compared import Compared, corrected
from stillwatch.prove.audit.diversity import diversity_loss
from stillwatch.prove.audit.evenhanded import even_handedness, of_replies
from stillwatch.prove.audit.gap import benchmark_gap
from stillwatch.prove.audit.order import canonical_order
from stillwatch.prove.audit.refusal import Agreement, agreement, refusal_gap
from stillwatch.prove.audit.truth import sycophancy, truthfulness
from stillwatch.prove.audit.twins import Item, answer_of, form_of, twins
from stillwatch.prove.audit.wording import hedging, refuses, words

__all__ = [
    "Agreement",
    "Compared",
    "Item",
    "agreement",
    "answer_of",
    "benchmark_gap",
    "canonical_order",
    "corrected",
    "diversity_loss",
    "even_handedness",
    "form_of",
    "hedging",
    "of_replies",
    "refusal_gap",
    "refuses",
    "sycophancy",
    "truthfulness",
    "twins",
    "words",
]
