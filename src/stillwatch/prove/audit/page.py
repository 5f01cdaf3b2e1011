"""An audit as one page: each contrast with its interval drawn on one scale, what it rests on and what looks alike."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

VERDICT = {"gap": "gap", "no_gap_seen": "no gap seen", "not_judged": "not judged"}


def page(found: Mapping[str, Any]) -> str:
    """HTML, one file, no network. Every text from outside is escaped, and unseen characters are shown."""
    source = files("stillwatch.prove.audit").joinpath("audit.html.j2").read_text("utf-8")
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_seen,
    )
    environment.filters["x"] = _x
    environment.filters["figure"] = _figure
    return environment.from_string(source).render(found=found, verdict=VERDICT)


def _x(value: float | None, bound: float) -> str:
    """Place on a drawing 200 wide whose middle is zero."""
    return f"{100 + 96 * max(-1.0, min(1.0, (value or 0.0) / bound)):.1f}"


def _figure(value: float | None) -> str:
    """Three digits, or a dash for none."""
    return "\u2013" if value is None else f"{value:.3g}" if 0 < abs(value) < 0.0005 else f"{value:.3f}"


def _seen(value: object) -> object:
    """A text with its control and direction characters as code points."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return "".join(c if c.isprintable() or c == "\n" else f"U+{ord(c):04X}" for c in value)
