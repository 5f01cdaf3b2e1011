"""Canaries for flagged accounts: random draws, commitments, and an exact test of which option the suspect prefers."""

from stillwatch.prove.canaries.draw import (
    Draw,
    FictitiousEntity,
    FlaggedAccount,
    StyleCanary,
    check,
    draw,
    flagged,
    serve,
)
from stillwatch.prove.canaries.rank import Scored, canaries, log_e_value

__all__ = [
    "Draw",
    "FictitiousEntity",
    "FlaggedAccount",
    "Scored",
    "StyleCanary",
    "canaries",
    "check",
    "draw",
    "flagged",
    "log_e_value",
    "serve",
]
