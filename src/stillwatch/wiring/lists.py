"""What there is to look at and to read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

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


def list_groups(run_dir: Path) -> list[str]:
    """The ids of the pools and campaigns in an output folder."""
    ids: list[str] = pq.read_table(run_dir / "campaigns.parquet", columns=["campaign_id"])[
        "campaign_id"
    ].to_pylist()
    return ids
