"""What tests said, as a page: one file, no script, no request, light and dark, on paper as well.

Names of suspects and campaigns come from elsewhere: every text is shown without characters that hide or reorder, and
escaped. The page's own content policy forbids any request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import jinja2
from markupsafe import Markup

from stillwatch.prove.fuse import Conclusion
from stillwatch.prove.school.page.draw import strip
from stillwatch.prove.school.page.words import level, power_of_ten, shown


@dataclass(frozen=True, slots=True)
class Subject:
    """One suspect and what is known of it beside the tests."""

    conclusion: Conclusion
    about: str = ""
    """What it is: in a demo, who taught it."""
    expected: tuple[str, ...] | None = None
    """Campaigns that have to be named, where the truth is known; None = it is not."""

    @property
    def as_expected(self) -> bool | None:
        """Whether the tests said what is true; None where the truth is not known."""
        return None if self.expected is None else tuple(self.conclusion.campaigns) == self.expected


@dataclass(frozen=True, slots=True)
class Page:
    """What a page says."""

    title: str
    intro: Sequence[str]
    """Paragraphs."""
    facts: Sequence[tuple[str, str]]
    """Name and value: plan, inputs, seeds."""
    subjects: Sequence[Subject]


def render(page: Page) -> str:
    """The page; equal pages give equal bytes."""
    css = files("stillwatch.prove.school.page").joinpath("page.css").read_text("utf-8")
    return _environment().get_template("page.html.j2").render(
        title=page.title, intro=page.intro, facts=page.facts, subjects=page.subjects, strip=strip,
        css=Markup(css),  # noqa: S704
        truth=any(subject.expected is not None for subject in page.subjects),
    )  # fmt: skip


def _finalize(value: object) -> object:
    if value is None:
        return ""
    return value if isinstance(value, Markup) or not isinstance(value, str) else shown(value)


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("stillwatch.prove.school.page", ""),
        autoescape=True,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["power_of_ten"] = power_of_ten
    environment.filters["level"] = level
    return environment
