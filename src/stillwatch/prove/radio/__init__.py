"""Radioactivity: was the *model* trained on marked text, and on which campaign's?"""

from stillwatch.prove.radio.closed import free_generation, prefix_probes
from stillwatch.prove.radio.counted import Counted
from stillwatch.prove.radio.family import Exposure, IssuedKey, Plan, Reading, try_keys
from stillwatch.prove.radio.likeliest import from_likeliest
from stillwatch.prove.radio.opened import (
    CANDIDATES,
    Distributions,
    Positions,
    hard,
    reading_positions,
    soft,
    top_candidates,
)
from stillwatch.prove.radio.weighted import Weighted, weighted

__all__ = [
    "CANDIDATES",
    "Counted",
    "Distributions",
    "Exposure",
    "IssuedKey",
    "Plan",
    "Positions",
    "Reading",
    "Weighted",
    "free_generation",
    "from_likeliest",
    "hard",
    "prefix_probes",
    "reading_positions",
    "soft",
    "top_candidates",
    "try_keys",
    "weighted",
]
