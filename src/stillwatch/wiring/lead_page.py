"""Leads beside a run as a page of their own: the report beside which it lies says nothing of them.

It names groups and no accounts: whoever merely shares a network with somebody is on no list. Words of strangers are
spelled out, cut and escaped; the page loads nothing.
"""

from __future__ import annotations

from datetime import datetime
from importlib.resources import files

import jinja2
from markupsafe import Markup

from stillwatch.report import numbers
from stillwatch.report.safe import finalize, shown, well_formed
from stillwatch.wiring.lead_view import BESIDE, KINDS, Beside

MOST_ROWS = 500


def lead_page(found: Beside, now: datetime) -> str:
    """The page, self-contained.

    Args:
        now: against which ages are told.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("stillwatch.wiring", "templates"), autoescape=True, finalize=finalize,
        trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.filters.update(
        shown=shown, count=numbers.count, day=numbers.day, share=numbers.share, moment=numbers.moment
    )
    environment.globals.update(plural=numbers.plural, KINDS=KINDS)
    css = files("stillwatch.report").joinpath("templates", "report.css").read_text("utf-8")
    ordered = sorted(found.matches, key=lambda m: (not m.campaigns, -m.bits, m.object_id))
    return well_formed(
        environment.get_template("leads.html.j2").render(
            found=found,
            rows=ordered[:MOST_ROWS],
            more=max(0, len(ordered) - MOST_ROWS),
            now=now,
            file=BESIDE,
            css=Markup(css),  # noqa: S704  # our own style sheet
        )
    )


__all__ = ["MOST_ROWS", "lead_page"]
