"""What tests say of suspects, as a page for a person and as JSON for a program."""

from stillwatch.prove.school.page.page import Page, Subject, render
from stillwatch.prove.school.page.plain import conclusion_row

__all__ = ["Page", "Subject", "conclusion_row", "render"]
