"""What tests said of several suspects, as one page. Its own content policy forbids any request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stillwatch.prove.fuse import Conclusion
from stillwatch.prove.pages import environment
from stillwatch.prove.school.page.draw import strip


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
    return environment(__package__).get_template("page.html.j2").render(
        title=page.title, intro=page.intro, facts=page.facts, subjects=page.subjects, strip=strip,
        truth=any(subject.expected is not None for subject in page.subjects),
    )  # fmt: skip
