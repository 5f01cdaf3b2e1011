"""The section of docs/prove.md on models behind a real server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

PAGE = Path("docs/prove.md")
BEGIN, END = "<!-- begin: scripts.served_audit -->", "<!-- end: scripts.served_audit -->"


def write(found: Mapping[str, Any], guilty: str) -> None:
    """Rewrite it."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{render(found, guilty)}\n{END}{after}", encoding="utf-8")


def render(found: Mapping[str, Any], guilty: str) -> str:
    """The section of the page."""
    same, places = found["agrees"]["same"], found["agrees"]["places"]
    rows = [
        f"| {test} | {one['calls']:,} | {one['scored']:,} | {one['log10_p_adjusted']:.1f} | {', '.join(one['campaigns']) or 'nobody'}"
        f" | {one['seconds']} |"
        for test, one in found["audits"].items()
    ]
    return "\n".join([
        f"A Llama taught from scratch on 3,072 answers under the key of {guilty} (world 301 of the tables below), three innocent"
        f" students and our own model stand as GGUF files behind one server, {found['server']}; `stillwatch prove suspect` asks"
        f" it and nobody else, for one of twelve issued keys, along {found['texts']} answers that were never served.", "",
        "| test | answers | scored | log10 p after Holm | named | seconds |", "|---|---|---|---|---|---|", *rows, "",
        f"Its lists stand a place late for these models, and are read where they belong: at {same:,} of {places:,} places they"
        f" then name the token that transformers holds likeliest ({found['agrees']['as_told']:,} as they were told). One world,"
        " one run. Command: `make audit-served`.",
    ])  # fmt: skip
