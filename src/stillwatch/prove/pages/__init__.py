"""What every page of this room shares: how texts from outside are shown, how figures are written, how it looks.

A page is one file without script or request, light and dark, on paper as well. Names and replies come from strangers:
each text is escaped and shown without characters that hide or reorder.
"""

from __future__ import annotations

from importlib.resources import files

import jinja2
from markupsafe import Markup

from stillwatch.prove.pages.words import figure, level, power, power_of_ten, share, shown

__all__ = ["environment", "power_of_ten"]


def environment(package: str) -> jinja2.Environment:
    """Templates of a package, with the filters and the style (``css``) of this room."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader(package, ""),
        autoescape=True,
        finalize=_seen,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    for word in (figure, level, power, power_of_ten, share):
        made.filters[word.__name__] = word
    css = files(__name__).joinpath("page.css").read_text("utf-8")
    made.globals["css"] = Markup(css)  # noqa: S704  # our own file
    return made


def _seen(value: object) -> object:
    if value is None:
        return ""
    return value if isinstance(value, Markup) or not isinstance(value, str) else shown(value)
