"""A government report as Markdown, HTML and PDF; the three say the same."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stillwatch.errors import ConfigError
from stillwatch.evidence.report import clean

_TEMPLATES = Path(__file__).parent / "templates"
_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+|!~&-])")
MARK = "OWNER-CONFIDENTIAL"


def markdown(document: Mapping[str, Any]) -> str:
    """As Markdown; text from outside is escaped, so that it stays text.

    >>> escaped("a <b> [x](y)")
    'a \\\\<b\\\\> \\\\[x\\\\]\\\\(y\\\\)'
    """
    m = model(document)
    out = [f"# {escaped(m['title'])}", ""]
    out += [f"- {name}: {escaped(value)}" for name, value in m["facts"]]
    if m["letter"]:
        out += ["", f"{escaped(m['letter'])}"]
    for section in m["sections"]:
        out += ["", f"## {escaped(section['title'])}", ""]
        if section["unknown"]:
            out.append(section["unknown"])
        for line in section["lines"]:
            mark = f"**{MARK}** " if line["confidential"] else ""
            out.append(f"- `{line['id']}` {mark}{escaped(line['text'])} (stated by {escaped(line['by'])})")
            out += [f"    - source: {escaped(source)}" for source in line["sources"]]
    out += ["", "## Read with this", "", *(f"- {escaped(said)}" for said in m["caution"]), ""]
    return "\n".join(out)


def html(document: Mapping[str, Any]) -> str:
    """As one HTML file that loads nothing."""
    env = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)
    return env.get_template("government.html.jinja").render(m=model(document), mark=MARK)


def pdf(document: Mapping[str, Any]) -> bytes:
    """As PDF.

    Raises:
        ConfigError: the typesetter is not installed.
    """
    try:
        import typst
    except ImportError as error:
        raise ConfigError(
            "the report needs the package typst", hint="pip install 'stillwatch[evidence]'"
        ) from error
    written = typst.compile(
        input=(_TEMPLATES / "government.typ").read_bytes(), sys_inputs={"model": json.dumps(model(document))},
        ignore_system_fonts=True, format="pdf", pdf_standards="a-2b", timestamp=document["as_of"],
    )  # fmt: skip
    return written if isinstance(written, bytes) else written[0]


def model(document: Mapping[str, Any]) -> dict[str, Any]:
    """What is laid out, as text."""
    sections = [
        {
            **section,
            "lines": [
                {**line, "sources": [_source(source) for source in line["sources"]]} for line in section["lines"]
            ],
        }
        for section in document["sections"]
    ]  # fmt: skip
    verdict = document["verdict"]
    facts = [
        ("From", document["owner"]), ("To", document["recipient"]), ("Case", document["case_id"]),
        ("As of", f"{document['as_of']:%Y-%m-%d %H:%M} UTC"),
        ("Verdict", f"{verdict}, by {document['verdict_by']}" if verdict else "open: no person has closed this case"),
        ("Answered for by", document["signed_by"]),
    ]  # fmt: skip
    if document["left_out"]:
        facts.append(("Left out", f"{document['left_out']} lines that the owner holds confidential"))
    opening = (
        "We report what follows of our own accord. Each statement has its source, and nothing is stated that no source "
        "carries."
    )
    made: dict[str, Any] = clean(
        {
            "title": document["title"], "facts": [list(f) for f in facts], "sections": sections,
            "letter": opening if document["form"] == "letter" else "", "caution": document["caution"],
            "numbered": document["form"] == "entity-list",
        }
    )  # fmt: skip
    return made


def escaped(text: str) -> str:
    """Text in Markdown that is nothing but text."""
    return _MARKUP.sub(r"\\\1", text.replace("\n", " "))


def _source(source: Mapping[str, str]) -> str:
    digest = f", sha256 {source['sha256']}" if source["sha256"] else ""
    return f"{source['what']}{digest}; {source['query']}"


__all__ = ["MARK", "escaped", "html", "markdown", "model", "pdf"]
