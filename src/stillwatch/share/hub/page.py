"""The page that everybody may read: how much is shared through a hub, taken back, objected to and decided."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

_ROWS = (
    ("submissions", "Submissions"), ("reported", "standing, reported by one organisation"),
    ("corroborated", "standing, corroborated by another"), ("established", "standing, established by three and a join"),
    ("withdrawn", "withdrawn"), ("disputes_decided", "Disputes decided"), ("disputes_upheld", "of these, upheld"),
    ("appeals_decided", "Appeals of customers decided"), ("appeals_upheld", "of these, upheld"),
)  # fmt: skip
_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 46rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid #8886; }
td { font-variant-numeric: tabular-nums; }
th[scope=row] { font-weight: 400; }
tr.of th { padding-left: 2rem; }
code { overflow-wrap: anywhere; }
"""


def rendered(told: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """The page as HTML that needs nothing else; every word of it is escaped."""
    years = "".join(f"<th scope='col'>{int(y['year'])}</th>" for y in told["years"])
    rows = "".join(
        f"<tr{'' if words[0].isupper() else ' class=of'}><th scope='row'>{escape(words)}</th>"
        + "".join(f"<td>{escape(str(year[name]))}</td>" for year in told["years"])
        + "</tr>"
        for name, words in _ROWS
    )
    name, contact = escape(str(about["name"])), escape(str(about.get("contact", "")))
    ask = f"<p>Questions and complaints: {contact}.</p>" if contact else ""
    seen = "".join(f", witnessed by <code>{escape(str(key))}</code>" for key in about["witnesses"])
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}: what is shared here</title><style>{_STYLE}</style></head><body>
<h1>{name}</h1>
<p>Members of this hub tell each other about networks of accounts that extract language models. What they share is a
lead: it bans nobody by itself. Counts below {int(told["fewest"])} are not told apart, and larger ones are ranges.</p>
<table><caption>By year, in UTC</caption><thead><tr><td></td>{years}</tr></thead><tbody>{rows}</tbody></table>
<p>Members: {int(told["members"])}. Waiting for a decision now: disputes {escape(told["open_disputes"])}, appeals
{escape(told["open_appeals"])}, of these past their day {escape(told["overdue_appeals"])}. Rounds of joining:
{int(told["rounds"])}; pairs of clusters joined: {escape(told["pairs"])}.</p>
<h2>If you were named</h2>
<p>Object to the service that restricted your account: it hands your objection on, without your name, to whoever named
you. Until a person there has decided, nothing that rests on it counts as corroborated.</p>{ask}
<h2>Everything is in a log</h2>
<p>Each act of a member is a leaf of an append-only log, as a commitment that shows nothing. Its
<a href="/log/checkpoint">checkpoint</a> is signed with <code>{escape(str(about["log"]))}</code>{seen}.</p>
</body></html>
"""


__all__ = ["rendered"]
