"""Write the generated parts of the documentation: settings, verbs, what a policy may say, trait pages.

Run it through ``make docs-generate``. ``tests/test_docs.py`` fails when what is committed differs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click

from scripts import console_table, policy_page, trait_pages
from stillwatch.cli import main
from stillwatch.settings import settings_table

DOCS = Path(__file__).resolve().parent.parent / "docs"
BEGIN, END = "<!-- generated: begin -->", "<!-- generated: end -->"


def between_marks(text: str, content: str) -> str:
    """The page with what stands between its marks replaced."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{content.strip()}\n\n{END}{after}"


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every verb and sub-verb with its full name, as the help lists them."""
    assert isinstance(main, click.Group)  # noqa: S101
    yield from _within("stillwatch", main)


def _within(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from _within(f"{path} {name}", inner)


def cli_help() -> str:
    """The help of every verb, as it is printed in a terminal of 80 columns."""
    blocks: list[str] = []
    for path, command in commands():
        context = click.Context(command, info_name=path, terminal_width=80, max_content_width=80)
        context.help_option_names = ["-h", "--help"]
        level = "##" if path.count(" ") < 2 else "###"
        blocks.append(f"{level} {path}\n\n```text\n{command.get_help(context).rstrip()}\n```\n")
    return "\n".join(blocks)


PAGES = {
    "configuration.md": settings_table, "cli.md": cli_help, "policy.md": policy_page.reference,
    "console.md": console_table.pages,
}  # fmt: skip


def generated(name: str) -> str:
    """One page as it should be."""
    return between_marks((DOCS / name).read_text(encoding="utf-8"), PAGES[name]())


def write() -> None:
    """Write every page that has changed."""
    for name in PAGES:
        page, text = DOCS / name, generated(name)
        if page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")
            print(f"wrote docs/{name}")
    trait_pages.write()


if __name__ == "__main__":
    os.environ["NO_COLOR"] = "1"
    write()
