"""What there is to look at and to read."""

from __future__ import annotations

from typing import Any

from stillwatch.detect.traits import builtin_traits
from stillwatch.ingest import FORMATS


def list_traits() -> list[dict[str, Any]]:
    """The built-in traits."""
    return [
        {"id": t.id, "family": t.family.value, "title": t.title, "needs": sorted(t.needs), 
         "page": f"docs/traits/{t.id}.md", "what": t.what, "null": t.null, "looks_alike": list(t.looks_alike)}
        for t in builtin_traits()
    ]  # fmt: skip


def list_formats() -> list[dict[str, Any]]:
    """The log formats that are recognised."""
    return [{"id": name, "title": f.title} for name, f in sorted(FORMATS.items())] + [
        {"id": "mapping", "title": "anything else, through a TOML mapping (--mapping FILE)"}
    ]
