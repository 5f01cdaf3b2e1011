"""What tests say of suspects, as a page for a person and as JSON for a program."""

from stillwatch.prove.dossier.page import Dossier, Subject, render
from stillwatch.prove.dossier.plain import conclusion_row
from stillwatch.prove.dossier.words import power_of_ten

__all__ = ["Dossier", "Subject", "conclusion_row", "power_of_ten", "render"]
