"""The table of how quickly the console answers, from docs/data/console.json; `make bench-respond` measures anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parent.parent / "docs" / "data"
NAMES = {
    "/": "overview", "/accounts": "accounts", "/cases": "cases", "/plans": "plans", "/policy": "policy",
    "/appeals": "appeals", "/audit": "audit log", "/campaigns/C-000": "largest campaign", "/cases/K-1": "its case",
    "/cases/K-1/plan": "form of a plan for all its members", "/accounts?q=77": "accounts, searched",
    "/accounts/acct-0000042": "one account", "/campaigns/C-000/members?q=0099": "its members, searched",
    "/campaigns/C-000/members?sort=exchange_count&down=1&offset=50000": "its members, sorted, page 1,001",
    "/plans/P-1": "a plan for all of them", "/plans/P-1?offset=50000": "its accounts, page 2,501",
}  # fmt: skip


def _data(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DATA / name).read_text("utf-8"))
    return found


def pages() -> str:
    """The console's pages."""
    told = _data("console.json")
    lines = [
        f"A run of {told['accounts']:,} accounts, with a campaign of {told['members']:,}, filed into SQLite; Python "
        f"{told['python']}, {told['cores']} cores. Milliseconds of {told['times']} requests each, asked in the "
        "process: no network, no browser; one run. *First*, just after the start, "
        "finds caches empty and is not "
        "in median and worst; *worked* is the median of what the processors did.", "",
        "| page | median | worst | first | worked |", "| --- | ---: | ---: | ---: | ---: |",
    ]  # fmt: skip
    for row in told["rows"]:
        figures = (row[k] for k in ("median_ms", "worst_ms", "first_ms", "worked_ms"))
        lines.append(
            f"| {NAMES.get(row['page'], row['page'])} | " + " | ".join(f"{ms:,.0f}" for ms in figures) + " |"
        )
    return "\n".join(lines)


__all__ = ["pages"]
