"""Sentences that we write ourselves into what is shared. They are fixed, so that nothing of a case gets into them."""

from __future__ import annotations

OPERATOR = (
    "Whoever controls the accounts of this campaign. A working name for one behaviour, not a person or a company; "
    "not all accounts need belong to one actor."
)
CAMPAIGN = (
    "Accounts that act as if run by one controller, whose traffic has the shape of data set production. Judged as a "
    "group; no single account and no single request was judged."
)
OBJECTIVE = "Collect answers of a language model at a scale and in a shape that suits training another one."
INFRASTRUCTURE = "Accounts that are used as one pool, as a reseller or proxy of access would use them."
INDICATOR = (
    "A lead, never a verdict: look, and judge by your own evidence before anything is done to anybody."
)
SIGHTING = "Seen by the sender in its own traffic."
REPORT = "What one sender saw of one campaign, as far as this audience may know it."
ACTOR = "A person's judgement, kept apart from detection; the note has its likelihood and its alternatives."
AUTHORS = "an analyst of the sender"
OWN = frozenset({AUTHORS, OPERATOR, CAMPAIGN, OBJECTIVE, INFRASTRUCTURE, INDICATOR, SIGHTING, REPORT, ACTOR})
