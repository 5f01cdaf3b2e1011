"""What tab completion offers where a plain word is typed: paths, and the names that the program knows.

Completion must never fail aloud: whatever cannot be listed is not offered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

Offer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def paths(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Files and folders, listed by the shell."""
    return [CompletionItem(incomplete, type="file")]


def _names(listed: Callable[[click.Context], Iterable[Any]]) -> Offer:
    def offer(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            names = sorted(str(name) for name in listed(ctx))
        except Exception:  # a shell is waiting, and it shows whatever is printed
            return []
        return [CompletionItem(n) for n in names if n.startswith(incomplete) and n.isprintable()]

    return offer


def _ids(rows: Iterable[dict[str, Any]]) -> list[Any]:
    return [row["id"] for row in rows]


def _formats(ctx: click.Context) -> list[Any]:
    from stillwatch import wiring

    return _ids(wiring.list_formats())


def _traits(ctx: click.Context) -> list[Any]:
    from stillwatch import wiring

    return _ids(wiring.list_traits())


def _scenarios(ctx: click.Context) -> list[Any]:
    from stillwatch import wiring

    return _ids(wiring.list_scenarios())


def _groups(ctx: click.Context) -> list[str]:
    from stillwatch import wiring

    return wiring.list_groups(Path(ctx.params["run_dir"]))


formats, traits, scenarios, groups = map(_names, (_formats, _traits, _scenarios, _groups))
