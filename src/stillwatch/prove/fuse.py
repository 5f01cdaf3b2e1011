"""Many claims about one suspect: what may be said of them together, and in which words.

Claims are not added up. Several KEYED tests of one suspect are one family, corrected by Holm; comparative and
stylistic claims stand beside them and lend no strength. An invalid test is told and never counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stillwatch.errors import ConfigError
from stillwatch.prove.tails import LN10, holm
from stillwatch.records.claim import LEAST_CONTROLS, Claim, ClaimVerdict, EvidenceClass, KeyResult


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What an audit of one suspect comes to."""

    suspect: str
    evidence: EvidenceClass | None
    """The strongest class with evidence; None when no test fired."""
    sentence: str
    campaigns: tuple[str, ...]
    """Campaigns whose keys fired, after correction over all keyed claims."""
    claims: tuple[Claim, ...]
    alternatives: tuple[str, ...]
    notes: tuple[str, ...]


def conclude(claims: Sequence[Claim], alpha: float = 1e-6) -> Conclusion:
    """Correct over all KEYED claims, and find the strongest words that still stand."""
    if not all(isinstance(claim, Claim) for claim in claims):
        raise ConfigError(
            "a consistency finding is no claim about training", hint="report audit results apart, not in here"
        )
    if not claims or len({claim.suspect for claim in claims}) != 1:
        raise ConfigError("no claim, or claims about several suspects", hint="conclude one suspect at a time")
    notes = [f"{c.test} is invalid and was not counted" for c in claims if c.verdict is ClaimVerdict.INVALID]
    keyed = [c for c in claims if c.evidence is EvidenceClass.KEYED and c.verdict is not ClaimVerdict.INVALID]
    standing: list[Claim] = []
    if keyed:
        adjusted = holm(np.array([c.log10_p_adjusted * LN10 for c in keyed]))
        standing = [c for c, p in zip(keyed, adjusted, strict=True) if _holds(c, float(p), alpha, notes)]
    others = [
        c for c in claims if c.evidence is not EvidenceClass.KEYED and c.verdict is ClaimVerdict.EVIDENCE
    ]
    fired = standing or sorted(others, key=lambda c: list(EvidenceClass).index(c.evidence))
    told = tuple(dict.fromkeys(a for c in claims for a in c.alternatives))
    suspect = claims[0].suspect
    if not fired:
        silent = f"{suspect}: no evidence. This does not say that it is clean."
        return Conclusion(suspect, None, silent, (), tuple(claims), told, tuple(notes))
    campaigns = dict.fromkeys(
        k.campaign_id or k.key_id for c in standing for k in _named(c, alpha / len(keyed))
    )
    return Conclusion(
        suspect, fired[0].evidence, fired[0].sentence, tuple(campaigns), tuple(claims), told, tuple(notes)
    )


def _named(claim: Claim, level: float) -> list[KeyResult]:
    """Keys that may be named: the leading one, with which the claim stands, and those below ``level`` themselves.

    Holm ran over keys within the claim; the other keyed claims are paid for with ``level``.
    """
    lead = min(claim.keys, key=lambda k: k.log10_p_value, default=None)
    return [k for k in claim.keys if k.fired and (k is lead or k.log10_p_adjusted < math.log10(level))]


def _holds(claim: Claim, log_p: float, alpha: float, notes: list[str]) -> bool:
    """A keyed claim counts when it fired, stays below alpha after Holm, and was checked on enough controls."""
    if claim.verdict is not ClaimVerdict.EVIDENCE or log_p >= math.log(alpha):
        return False
    if not claim.controlled:
        notes.append(
            f"{claim.test} fired, with {len(claim.counting)} of {LEAST_CONTROLS} control models that scored at "
            f"least half of what the suspect did: not counted"
        )
        return False
    return True
