"""Conclusions as plain rows for JSON: everything a claim says; of the null, its statistics for the leading key only."""

from __future__ import annotations

import math
from dataclasses import asdict
from enum import Enum
from typing import Any

from stillwatch.prove.fuse import Conclusion
from stillwatch.records.claim import Claim


def conclusion_row(conclusion: Conclusion) -> dict[str, Any]:
    """A conclusion with its claims."""
    return {
        "suspect": conclusion.suspect,
        "evidence": conclusion.evidence.value if conclusion.evidence else None,
        "sentence": conclusion.sentence,
        "campaigns": list(conclusion.campaigns),
        "notes": list(conclusion.notes),
        "alternatives": list(conclusion.alternatives),
        "claims": [claim_row(claim) for claim in conclusion.claims],
    }


def claim_row(claim: Claim) -> dict[str, Any]:
    """A claim; a figure that is not finite becomes null.

    >>> from stillwatch.records.claim import ClaimVerdict, EvidenceClass
    >>> one = Claim("siblings", EvidenceClass.KEYED, "m", ClaimVerdict.INVALID, "ranks", math.inf, 9, -0.3, -0.3,
    ...             1e-6, 1, (), ())
    >>> claim_row(one)["value"], claim_row(one)["verdict"]
    (None, 'invalid')
    """
    row: dict[str, Any] = _plain(asdict(claim))
    for key in row["keys"]:
        if key["null"] is not None:
            key["null"].pop("standardised")
    return row


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
