"""``stillwatch share psi``: compare two lists with one other party, without a hub, and show no more than is common."""

from __future__ import annotations

from pathlib import Path

import click

from stillwatch.cli.commands import SectionGroup, VerbCommand, debug_option, json_option, option
from stillwatch.cli.terminal import safe, tell

_FILE = click.Path(exists=True, dir_okay=False)
_OUT = click.Path(dir_okay=False)


@click.command(
    cls=VerbCommand,
    short_help="Put a list under a secret of your own.",
    examples=(
        ("stillwatch share psi offer values.txt --out north.offer", "names a session; tell the peer"),
        (
            "stillwatch share psi offer values.txt --session NAME --out south.offer",
            "the peer's, with that name",
        ),
    ),
)
@click.argument("values", metavar="FILE", type=_FILE)
@option(
    "--session", section="Session", metavar="NAME", help="What both agreed on, for once. Else one is drawn."
)
@option("--out", "-o", required=True, section="Writing", metavar="FILE", type=_OUT,
        help="The offer, for the peer. FILE.secret beside it stays with you.")  # fmt: skip
@json_option()
@debug_option()
def offer(values: str, session: str | None, out: str, as_json: bool) -> None:
    """Make an offer of a list: one value a line, its kind first (`address 203.0.113.0/24`).

    The peer sees how many there are, and by its answer which of its own are among them. Each point of an offer is a
    guess that the other answers: compare lists of what can be guessed only with a peer that you trust not to.
    """
    from stillwatch import wiring

    made = wiring.psi_offer(Path(values), Path(out), session=session)
    tell(
        made, as_json, f"{safe(made['offer'])}: {made['values']:,} values, session {safe(made['session'])}",
        f"send it to the peer; keep {safe(made['secret'])} to yourself",
    )  # fmt: skip


@click.command(
    cls=VerbCommand,
    short_help="Answer the peer's offer, once.",
    examples=(("stillwatch share psi answer north.offer south.offer --out north.answer", "then send it"),),
)
@click.argument("mine", metavar="MINE", type=_FILE)
@click.argument("theirs", metavar="THEIRS", type=_FILE)
@option("--most", type=click.IntRange(1), default=100_000, show_default=True, section="Limits", metavar="N",
        help="Points of the peer's that are answered at most: each may be a guess.")  # fmt: skip
@option("--out", "-o", required=True, section="Writing", metavar="FILE", type=_OUT, help="The answer.")
@json_option()
@debug_option()
def answer(mine: str, theirs: str, most: int, out: str, as_json: bool) -> None:
    """Put the peer's points under your secret too. One offer of yours answers one offer of theirs."""
    from stillwatch import wiring

    made = wiring.psi_answer(Path(mine), Path(theirs), Path(out), most=most)
    tell(made, as_json, f"{safe(made['answer'])}: {made['points']:,} points of the peer's answered; send it")


@click.command(
    cls=VerbCommand,
    short_help="Say what is common.",
    examples=(
        ("stillwatch share psi read north.offer south.offer south.answer", "values of yours that both have"),
    ),
)
@click.argument("mine", metavar="MINE", type=_FILE)
@click.argument("theirs", metavar="THEIRS", type=_FILE)
@click.argument("their_answer", metavar="ANSWER", type=_FILE)
@json_option()
@debug_option()
def read(mine: str, theirs: str, their_answer: str, as_json: bool) -> None:
    """Say which of your values the peer has as well. An answer that was not made with the peer's key is refused."""
    from stillwatch import wiring

    found = wiring.psi_read(Path(mine), Path(theirs), Path(their_answer))
    rows = (f"    {safe(row['kind'])} {safe(row['value'])}" for row in found["common"])
    tell(
        found,
        as_json,
        f"{len(found['common']):,} of your {found['values']:,} values are the peer's too",
        *rows,
    )


@click.group(
    "psi", cls=SectionGroup, short_help="Compare lists with one party, without a hub.",
    sections=(("In this order, at both parties", (offer, answer, read)),),
    examples=(
        ("stillwatch share psi offer values.txt --out north.offer", "put a list under a secret"),
        ("stillwatch share psi read north.offer south.offer south.answer", "what is common"),
    ),
)  # fmt: skip
def psi() -> None:
    """Private set intersection of two parties: each learns which of its values the other has, and how many it has.

    Files go both ways, by a channel of your own. It does not hold back a peer that guesses: with three or more
    parties, or values that can be guessed, join through key holders.
    """
