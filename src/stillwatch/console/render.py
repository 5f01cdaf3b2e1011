"""Pages from templates: escaped, and outside text made visible before it is escaped.

Every string goes through :func:`stillwatch.report.safe.shown`, as in the report: control, bidi and invisible
characters are spelled out, and what is too long is cut. Templates hold neither script nor style.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse

from stillwatch import __version__
from stillwatch.console import words
from stillwatch.console.drawings import bars, span
from stillwatch.report import numbers
from stillwatch.report.safe import finalize, script_json, shown
from stillwatch.report.words import (
    CONFIDENCE_WORDS,
    FAMILY_WORDS,
    TECHNIQUE_NAMES,
    TIER_WORDS,
    label,
    technique_link,
)

VENDOR = ("htmx.min.js", "graphology.min.js", "sigma.min.js", "uplot.min.js", "uplot.min.css")


@cache
def environment() -> jinja2.Environment:
    """The one environment of all templates."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("stillwatch.console", "templates"), autoescape=True, finalize=finalize,
        trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    made.filters.update(
        amount=numbers.amount, bits=numbers.bits, count=numbers.count, day=numbers.day, decades=numbers.decades,
        moment=numbers.moment, p_value=numbers.p_value, share=numbers.share, short=numbers.short, shown=shown,
        label=label, technique_link=technique_link, ago=words.ago, usd=words.usd, hours=words.hours,
        because=words.because, jsoned=script_json,
    )  # fmt: skip
    made.globals.update(
        plural=numbers.plural, FAMILY=FAMILY_WORDS, TIER=TIER_WORDS, CONFIDENCE=CONFIDENCE_WORDS,
        TECHNIQUE=TECHNIQUE_NAMES, BPD=numbers.BITS_PER_DECADE, asset=asset, vendored=vendored, W=words,
        bars=bars, span=span, VERSION=__version__,
    )  # fmt: skip
    return made


def page(request: Request, name: str, status: int = 200, /, **values: Any) -> HTMLResponse:
    """One page as an answer. ``seen`` (who is signed in) is taken from the request; None for strangers."""
    seen = getattr(request.state, "seen", None)
    values.setdefault("seen", seen)
    values.setdefault("notice", words.DONE.get(request.query_params.get("done", "")))
    html = environment().get_template(name).render(request=request, path=request.url.path, **values)
    return HTMLResponse(html, status_code=status)


@cache
def asset(name: str) -> str:
    """Address of one of our files; it changes when the file does, so that it may be kept for long."""
    file = files("stillwatch.console").joinpath("static", *name.split("/"))
    return f"/static/{name}?v={hashlib.sha256(file.read_bytes()).hexdigest()[:12]}"


@cache
def vendored() -> bool:
    """Whether the fetched browser files are there; without them pages work, and say what is missing."""
    folder = files("stillwatch.console").joinpath("static", "vendor")
    return all(folder.joinpath(name).is_file() for name in VENDOR)
