"""What a person reads: the HTML report, the answer to "why this account?", and the files of a scan."""

from stillwatch.report.explain import explain_plain, explain_text
from stillwatch.report.files import load_result, write_result
from stillwatch.report.html import render_html

__all__ = ["explain_plain", "explain_text", "load_result", "render_html", "write_result"]
