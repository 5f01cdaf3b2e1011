"""Is the suspect what it claims to be? Contrasts beside a reference: consistency, never evidence of theft."""

from stillwatch.prove.audit.gap import Compared, benchmark_gap, corrected
from stillwatch.prove.audit.twins import Item, answer_of, form_of, twins

__all__ = ["Compared", "Item", "answer_of", "benchmark_gap", "corrected", "form_of", "twins"]
