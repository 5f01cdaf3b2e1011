"""An audit as one page: each contrast with its interval drawn on one scale, what it rests on and what looks alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stillwatch.prove.pages import environment

VERDICT = {"gap": "gap", "no_gap_seen": "no gap seen", "not_judged": "not judged"}


def page(found: Mapping[str, Any]) -> str:
    """HTML, one file; equal audits give equal bytes."""
    made = environment(__package__)
    made.filters["x"] = _x
    return made.get_template("audit.html.j2").render(found=found, verdict=VERDICT)


def _x(value: float | None, bound: float) -> str:
    """Place on a drawing 200 wide whose middle is zero."""
    return f"{100 + 96 * max(-1.0, min(1.0, (value or 0.0) / bound)):.1f}"
