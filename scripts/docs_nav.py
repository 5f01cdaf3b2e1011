"""A hook of the site builder: a navigation entry that ends in ``/*`` becomes every page of that folder.

A new trait or decision appears in the site without an edit to ``mkdocs.yml``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


def on_config(config: Any) -> Any:
    """Called once by the site builder, before it reads the navigation."""
    config.nav = expanded(config.nav, Path(config.docs_dir))
    return config


def expanded(nav: list[Any], docs: Path) -> list[Any]:
    """The navigation with every ``folder/*`` replaced by its pages; ``index.md`` is first."""
    entries: list[Any] = []
    for entry in nav:
        if isinstance(entry, str) and entry.endswith("/*"):
            folder = docs / entry.removesuffix("/*")
            pages = sorted(folder.glob("*.md"), key=lambda page: (page.name != "index.md", page.name))
            entries += [page.relative_to(docs).as_posix() for page in pages]
        elif isinstance(entry, dict):
            entries.append({k: expanded(v, docs) if isinstance(v, list) else v for k, v in entry.items()})
        else:
            entries.append(entry)
    return entries
