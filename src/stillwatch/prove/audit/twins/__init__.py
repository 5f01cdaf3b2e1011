"""Held-out twins of published items: the same form, content that nobody has published."""

from stillwatch.prove.audit.twins.forms import FORMS, answer_of, form_of, twins
from stillwatch.prove.audit.twins.functions import function_twins
from stillwatch.prove.audit.twins.item import Item

__all__ = ["FORMS", "Item", "answer_of", "form_of", "function_twins", "twins"]
