"""Held-out discipline: who opened which truth, for what, and whether a number may be reported on it.

A world belongs to a *family*: a scenario and its seeds. Truth is opened for one of two purposes, ``tune`` (look, and
change something) or ``report``. Every opening is written into a ledger first. A number is not reported on a family
that was opened for tuning, and a number on a family meant for development says so.

It keeps honest people honest. It is no protection against a determined cheat: the seal's key can be worked out by
anybody, and a ledger can be deleted together with everything that refers to it.
"""

from __future__ import annotations

from stillwatch.lab.discipline.family import DEVELOPMENT_SEEDS, SPLITS, Family, read_family, stamp
from stillwatch.lab.discipline.judging import score, score_folder
from stillwatch.lab.discipline.ledger import LEDGER, Ledger
from stillwatch.lab.discipline.opening import PURPOSES, Opened, copy_truth, open_truth
from stillwatch.lab.discipline.seal import close_world, read_sealed, seal_folder
from stillwatch.lab.discipline.standing import Standing, refuse_tuned, standing_of

__all__ = [
    "DEVELOPMENT_SEEDS",
    "LEDGER",
    "PURPOSES",
    "SPLITS",
    "Family",
    "Ledger",
    "Opened",
    "Standing",
    "close_world",
    "copy_truth",
    "open_truth",
    "read_family",
    "read_sealed",
    "refuse_tuned",
    "score",
    "score_folder",
    "seal_folder",
    "stamp",
    "standing_of",
]
