"""``stillwatch hub``: compare notes with other laboratories without showing who saw what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from stillwatch.cli import hub_admin, hub_round
from stillwatch.cli.commands import (
    MOMENT,
    SectionGroup,
    VerbCommand,
    debug_option,
    json_option,
    option,
    settings_option,
)
from stillwatch.cli.edge import read_settings
from stillwatch.cli.hub_round import as_option, ca_option
from stillwatch.cli.terminal import print_json, progress, safe, show, tell

_FOLDER = click.Path(exists=True, file_okay=False)
_FILE = click.Path(exists=True, dir_okay=False)
_CHOOSE = "Choosing"
_WITHDRAWN = ("error", "expired", "legal", "authorised", "innocent")
_OBJECTED = ("error", "innocent", "shared_address", "authorised")
_OBJECT = "ID is any object of the submission, as it came over TAXII."


def _asks(name: str, short: str, example: str, meaning: str, *more: Any) -> Callable[[Any], Any]:
    """A verb that asks the hub for something in the name of the member whose file is given."""

    def made(command: Any) -> Any:
        for added in (debug_option(), json_option(), as_option(), *more):
            command = added(command)
        return click.command(name, cls=VerbCommand, short_help=short, examples=((example, meaning),))(command)

    return made


def _ask(file: str, what: str, given: Mapping[str, Any], as_json: bool, words: str) -> dict[str, Any]:
    from stillwatch import wiring

    told = wiring.ask_hub(Path(file), what, given)
    _tell(told, as_json, words)
    return told


def _tell(told: Mapping[str, Any], as_json: bool, words: str) -> None:
    if as_json:
        print_json(told)
        return
    show("nothing new: this was done before" if told.get("already") else words)
    for receipt in told.get("done", ()):
        show(f"receipt checked: leaf {receipt['proof']['index']} of the hub's log")


@click.command(
    cls=VerbCommand,
    short_help="Make a person's key.",
    examples=(
        (
            "stillwatch hub key --out rossi.pem",
            "its line goes to whoever runs the hub, and to both key holders",
        ),
    ),
)
@option("--out", "-o", required=True, section="Writing", metavar="FILE", type=click.Path(dir_okay=False),
        help="File to write, readable by you alone; never overwritten.")  # fmt: skip
@json_option()
@debug_option()
def key(out: str, as_json: bool) -> None:
    """Make the key with which a person of a member signs requests. Only the line that is printed goes anywhere."""
    from stillwatch import wiring

    made = wiring.new_member_key(Path(out))
    tell(
        made, as_json, f"wrote {safe(out)}; keep it to yourself",
        f"tell whoever runs the hub, and both key holders: {made['public']}",
    )  # fmt: skip


@click.command(
    cls=VerbCommand,
    short_help="Write the file with which a member asks a hub.",
    examples=(
        (
            "stillwatch hub join https://hub.example --member north --key rossi.pem --log LINE "
            "--keyholder https://one.example --keyholder https://two.example",
            "addresses and the log's key are told by whoever runs the hub",
        ),
    ),
)
@click.argument("url", metavar="URL")
@option("--member", required=True, section=_CHOOSE, metavar="NAME", help="Name of the member at the hub.")
@option("--key", "key_file", required=True, section=_CHOOSE, metavar="FILE", type=_FILE, help="Your key.")
@option(
    "--log",
    section=_CHOOSE,
    metavar="LINE",
    help="Key of the hub's log, as you were told; else what it says now.",
)
@option("--keyholder", "keyholders", section=_CHOOSE, multiple=True, metavar="URL",
        help="Address of a key holder; twice, in the order of the hub.")  # fmt: skip
@option("--witness", "witnesses", section=_CHOOSE, multiple=True, metavar="KEY",
        help="Key of a witness that you trust, as its keeper told you; give it once for each.")  # fmt: skip
@option("--witnesses-needed", "needed", section=_CHOOSE, type=click.IntRange(0), metavar="N",
        help="How many of them must have signed the hub's log, each time; else all.")  # fmt: skip
@ca_option()
@option("--out", "-o", section="Writing", metavar="FILE", type=click.Path(dir_okay=False), default="member.toml",
        show_default=True, help="File to write.")  # fmt: skip
@json_option()
@debug_option()
def join(
    url: str, member: str, key_file: str, log: str | None, keyholders: tuple[str, ...], witnesses: tuple[str, ...],
    needed: int | None, ca: str | None, out: str, as_json: bool,
) -> None:  # fmt: skip
    """Write a member's file, and see that the hub knows the key. The key of the hub's log is pinned from here on."""
    from stillwatch import wiring

    made = wiring.join_hub(
        url, Path(out), member=member, key=Path(key_file), log=log, ca=Path(ca) if ca else None,
        keyholders=keyholders, witnesses=witnesses, witnesses_needed=needed,
    )  # fmt: skip
    if as_json:
        print_json(made)
        return
    show(f"{safe(made['name'])} knows {safe(member)}; wrote {safe(out)}")
    if not made["pinned_as_told"]:
        show(f"compare the key of its log with what you were told: {safe(made['log'])}")
    if made["witnesses_needed"]:
        show(
            f"{made['witnesses_needed']} of your witnesses have signed its log, and will each time that you ask"
        )
    elif made["witnesses"]:
        show(
            "it names witnesses of its log, of which you demand none; --witness KEY, as their keepers told you:"
        )
        for witness in made["witnesses"]:
            show(f"    {safe(witness)}")


@click.command(
    cls=VerbCommand,
    short_help="Show what waits for you, and how far things are corroborated.",
    examples=(
        ("stillwatch hub status", "of this member"),
        ("stillwatch hub status report--8f1c...", "of one object"),
    ),
)
@click.argument("object_id", metavar="[ID]", required=False)
@as_option()
@json_option()
@debug_option()
def status(object_id: str | None, file: str, as_json: bool) -> None:
    """Show your submissions, what waits for you, pairs and cases; or how far one object is corroborated.

    The hub's log is held against what you saw of it last: one that was rewritten or shortened is said.
    """
    from stillwatch import wiring

    told = wiring.see_hub(Path(file), f"objects/{_plain(object_id)}" if object_id else "inbox")
    if as_json:
        print_json(told)
    elif object_id:
        _standing(told)
    else:
        _inbox(told)


def _inbox(told: Mapping[str, Any]) -> None:
    show(f"{safe(told['member'])}, {safe(told['person'])}; shown to it up to TLP:{safe(told['tlp']).upper()}")
    for row in told["submissions"]:
        _standing(row)
    waiting = ("to_confirm", "to_answer", "to_acknowledge", "to_decide")
    if not any(told[name] for name in waiting):
        show("nothing waits for you")
    for name, words in (
        ("to_confirm", "to be confirmed by a second person"), ("to_answer", "appeal to answer"),
        ("to_acknowledge", "withdrawn, to be acknowledged"), ("to_decide", "dispute to decide"),
    ):  # fmt: skip
        for row in told[name]:
            show(f"{words}: {safe(_line(row))}")
    for row in told["raised"]:
        state = "open" if row["open"] else "upheld" if row["upheld"] else "rejected"
        show(f"raised by you, {state}: {safe(_line(row))}")
    for row in told["pairs"]:
        again = "; re-opened: something that it rests on was withdrawn" if row["reopened"] else ""
        show(f"pair {safe(row['pair'])} of {safe(row['epoch'])}: cluster {safe(row['cluster'])} and another "
             f"member's {safe(row['other'])}, {safe(row['common'])} of the evidence in common{again}")  # fmt: skip
    for row in told["cases"]:
        show(f"case {safe(row['case'])} on {safe(row['about'])}"
             f"{'; its basis was withdrawn' if row['basis_withdrawn'] else ''}")  # fmt: skip
        for step in row["steps"]:
            show(f"    {safe(step['party'])}: {safe(step['kind'])} at {_minute(step['at'])}")
        for way in row["in_the_way"]:
            show(f"    in the way of {_minute(way['yours'])}: {safe(way['kind'])} at {_minute(way['at'])}")


def _standing(row: Mapping[str, Any]) -> None:
    state = f"withdrawn ({row['withdrawn']})" if row["withdrawn"] else row["corroboration"]
    contest = (
        "" if row["contest"] == "none" else f", {row['contest']}: it counts for nothing until that is decided"
    )
    acks = f", acknowledged by {row['acknowledged_by']}" if "acknowledged_by" in row else ""
    show(
        f"{safe(row['submission'])}, TLP:{safe(row['tlp']).upper()}: {safe(state)}{safe(contest)}{safe(acks)}"
    )


def _line(row: Any) -> str:
    if not isinstance(row, Mapping):
        return str(row)
    return ", ".join(f"{name} {value}" for name, value in row.items() if isinstance(value, str))


def _minute(text: Any) -> str:
    return f"{safe(text)[:16].replace('T', ' ')} UTC"


@click.command(
    cls=VerbCommand,
    short_help="Submit a released draft.",
    examples=(
        ("stillwatch hub submit draft --preview", "what others would be given, and nothing is sent on"),
        ("stillwatch hub submit draft", "after `share release`"),
        (
            "stillwatch hub submit draft --cluster 9f2c... --epoch 2026-W48",
            "pairs of that cluster corroborate it",
        ),
    ),
)
@click.argument("draft", metavar="DRAFT", type=_FOLDER)
@option("--preview", section=_CHOOSE, is_flag=True, help="Show what the hub would hand on, in its own name.")
@option(
    "--cluster",
    section=_CHOOSE,
    metavar="NAME",
    default="",
    help="Your cluster of a round that this is about.",
)
@option("--epoch", section=_CHOOSE, metavar="WEEK", default="", help="The round's week.")
@as_option()
@json_option()
@settings_option()
@debug_option()
def submit(
    draft: str, preview: bool, cluster: str, epoch: str, file: str, as_json: bool, settings_path: str | None
) -> None:
    """Submit a released draft. The hub hands it on in its own name; above TLP:AMBER once a second person confirms.

    What is not released is not sent; what names you is refused.
    """
    from stillwatch import wiring

    told = wiring.submit_to_hub(
        Path(file),
        Path(draft),
        settings=read_settings(settings_path),
        epoch=epoch,
        cluster=cluster,
        preview=preview,
    )
    if preview:
        print_json(told["objects"])
        return
    done = told["done"]
    name = done[0]["entry"]["data"]["id"] if done else ""
    wait = "" if not done or done[0]["entry"]["data"]["confirmed"] else "; a second person has to confirm it"
    _tell(told, as_json, f"submitted as {safe(name)}{wait}")


@_asks("confirm", "Confirm a submission as a second person.", "stillwatch hub confirm report--8f1c...",
       "with another person's key", click.argument("object_id", metavar="ID"))  # fmt: skip
def confirm(object_id: str, file: str, as_json: bool) -> None:
    """Release, as a second person, what is held above TLP:AMBER or attributes."""
    _ask(file, "confirmations", {"submission": object_id}, as_json, "confirmed; it is handed on now")


@_asks("say", "Say what you think of another member's submission.", "stillwatch hub say indicator--8f1c... seen",
       "it was seen here too", click.argument("verb", metavar="WORD",
       type=click.Choice(("seen", "false_positive", "outdated", "disagree_attribution"))),
       click.argument("object_id", metavar="ID"))  # fmt: skip
def say(object_id: str, verb: str, file: str, as_json: bool) -> None:
    """Say `seen`, `false_positive`, `outdated` or `disagree_attribution`; your last word counts.

    Nobody is told that it was you.
    """
    _ask(file, "feedback", {"object": object_id, "verb": verb}, as_json, f"said: {verb}")


@_asks("withdraw", "Take back what you submitted.", "stillwatch hub withdraw report--8f1c... --ground error",
       "everybody who could read it is asked to acknowledge",
       option("--ground", required=True, section=_CHOOSE, type=click.Choice(_WITHDRAWN), help="Why."),
       click.argument("object_id", metavar="ID"))  # fmt: skip
def withdraw(object_id: str, ground: str, file: str, as_json: bool) -> None:
    """Take back what you submitted: every object gets a last version, and pairs that rest on it are re-opened."""
    _ask(file, "withdrawals", {"object": object_id, "ground": ground}, as_json, "withdrawn")


@_asks("acknowledge", "Acknowledge a withdrawal.", "stillwatch hub acknowledge report--8f1c...",
       "after taking out what rested on it", click.argument("object_id", metavar="ID"))  # fmt: skip
def acknowledge(object_id: str, file: str, as_json: bool) -> None:
    """Say that you took out what rested on something that was withdrawn."""
    _ask(file, "acknowledgements", {"object": object_id}, as_json, "acknowledged")


@_asks("dispute", "Say that a submission is wrong.",
       "stillwatch hub dispute report--8f1c... --ground shared_address", "a steward decides",
       option("--ground", required=True, section=_CHOOSE, type=click.Choice(_OBJECTED), help="Why."),
       click.argument("object_id", metavar="ID"))  # fmt: skip
def dispute(object_id: str, ground: str, file: str, as_json: bool) -> None:
    """Say that a submission is wrong. A steward decides who is neither of its organisation nor of yours."""
    _ask(file, "disputes", {"object": object_id, "ground": ground}, as_json, "disputed; a steward decides")


@_asks("decide", "Decide a dispute between others, as a steward.", "stillwatch hub decide 9f2c... --upheld",
       "what was submitted is withdrawn at once",
       option("--upheld/--rejected", required=True, default=None, section=_CHOOSE, help="Is the dispute right?"),
       click.argument("number", metavar="DISPUTE"))  # fmt: skip
def decide(number: str, upheld: bool, file: str, as_json: bool) -> None:
    """Decide a dispute between other organisations."""
    _ask(file, "decisions", {"dispute": number, "upheld": upheld}, as_json, "decided")


@_asks("appeal", "Hand on the objection of a customer.", "stillwatch hub appeal indicator--8f1c... --ground innocent",
       "it goes to whoever named them, without their name",
       option("--ground", required=True, section=_CHOOSE, type=click.Choice(_OBJECTED), help="What the customer says."),
       click.argument("object_id", metavar="ID"))  # fmt: skip
def appeal(object_id: str, ground: str, file: str, as_json: bool) -> None:
    """Hand on the objection of a customer who is affected by a submission, without saying who it is.

    It reaches the member that submitted it, and nothing is corroborated until a person there has answered.
    """
    _ask(
        file,
        "appeals",
        {"object": object_id, "ground": ground},
        as_json,
        "handed on; `hub status` shows the answer",
    )


@_asks("answer", "Answer an appeal against what you submitted.", "stillwatch hub answer 9f2c... --upheld",
       "the customer was right: it is withdrawn at once",
       option("--upheld/--rejected", required=True, default=None, section=_CHOOSE, help="Is the customer right?"),
       click.argument("number", metavar="APPEAL"))  # fmt: skip
def answer(number: str, upheld: bool, file: str, as_json: bool) -> None:
    """Answer an appeal, after a person has looked at it."""
    _ask(file, "answers", {"appeal": number, "upheld": upheld}, as_json, "answered")


@_asks("case", "Open a case on a submission or a pair.", "stillwatch hub case report--8f1c... --admit",
       "also for those who say that they saw it",
       option("--admit", is_flag=True, section=_CHOOSE, help="Let in those who say that they saw it; submitter only."),
       click.argument("about", metavar="ID|PAIR"))  # fmt: skip
def case(about: str, admit: bool, file: str, as_json: bool) -> None:
    """Open a case, in which those who are concerned tell each other when they act. Names are not told."""
    told = _ask(file, "cases", {"about": about, "admit": admit}, as_json, "opened")
    if told.get("done") and not as_json:
        show(f"case {safe(told['done'][0]['entry']['data']['id'])}")


@_asks("announce", "Tell those concerned when you act.", "stillwatch hub announce 9f2c... act --at 2026-12-01T14:00:00",
       "about to act at 14:00 UTC",
       option("--at", required=True, section=_CHOOSE, type=MOMENT, metavar="TIME", help="When, in UTC."),
       click.argument("kind", metavar="WORD", type=click.Choice(("working", "hold", "act", "done"))),
       click.argument("number", metavar="CASE"))  # fmt: skip
def announce(number: str, kind: str, at: datetime, file: str, as_json: bool) -> None:
    """Tell those concerned with a case: `working` since, please `hold` until, about to `act` at, `done` at.

    Shows what others have announced that is in the way.
    """
    from stillwatch import wiring

    given = {"case": number, "kind": kind, "at_us": wiring.moment_us(at.replace(tzinfo=UTC))}
    _ask(file, "steps", given, as_json, f"told those concerned: {kind} at {at:%Y-%m-%d %H:%M} UTC")
    if not as_json:
        for way in wiring.see_hub(Path(file), f"cases/{_plain(number)}")["in_the_way"]:
            show(f"in the way: {safe(way['party'])}, {safe(way['kind'])} at {_minute(way['at'])}")


@click.command(
    cls=VerbCommand,
    short_help="Show what everybody may know of a hub.",
    examples=(("stillwatch hub transparency https://hub.example", "counts, as its public page has them"),),
)
@click.argument("url", metavar="URL")
@ca_option()
@json_option()
@debug_option()
def transparency(url: str, ca: str | None, as_json: bool) -> None:
    """Show how much was shared through a hub, taken back, objected to and decided. Needs no membership."""
    from stillwatch import wiring

    told = wiring.hub_transparency(url, Path(ca) if ca else None)
    if as_json:
        print_json(told)
        return
    for year in told["years"]:
        show(
            f"{year['year']}: "
            + ", ".join(f"{k.replace('_', ' ')} {safe(v)}" for k, v in year.items() if k != "year")
        )
    show(f"waiting: disputes {safe(told['open_disputes'])}, appeals {safe(told['open_appeals'])}, "
         f"of these overdue {safe(told['overdue_appeals'])}")  # fmt: skip


@click.command(
    cls=VerbCommand,
    short_help="Show a hub at work: three laboratories, two key holders, one network.",
    examples=(
        (
            "stillwatch hub demo --out hub-demo",
            "real processes on this machine, over TLS; they end by themselves",
        ),
    ),
)
@option("--out", "-o", required=True, section="Writing", metavar="FOLDER", type=click.Path(file_okay=False),
        help="New folder for everything that it makes.")  # fmt: skip
@option(
    "--seed", section=_CHOOSE, type=click.IntRange(0), default=7, show_default=True, help="Of the traffic."
)
@option("--quiet", "-q", section="General", is_flag=True, help="No progress.")
@json_option()
@debug_option()
def demo(out: str, seed: int, quiet: bool, as_json: bool) -> None:
    """Show a hub at work. The lab plants one network and each of three laboratories gets a third of it.

    Each scans alone; then they join, submit, corroborate, announce, appeal and withdraw. The table at the end holds
    what they found against what was planted. The traffic is simulated: it shows how a hub works, not how well it finds.
    """
    from stillwatch import wiring

    with progress(quiet=quiet) as told:
        made = wiring.demo_hub(Path(out), seed=seed, progress=told)
    tell(made, as_json, made["table"])


def _plain(text: str | None) -> str:
    """An id for an address: whatever else is in it leads nowhere."""
    kept = "".join(c for c in str(text) if c.isalnum() or c == "-")
    return kept or "none"


@click.group(
    "hub", cls=SectionGroup, short_help="Compare notes with other laboratories through a hub.",
    sections=(
        ("Take part", (key, join, status)),
        ("Submissions", (submit, confirm, say, withdraw, acknowledge)),
        ("Objections", (dispute, decide, appeal, answer)),
        ("Acting together", (hub_round.hub_round, case, announce)),
        ("Run a hub", hub_admin.OPERATE),
        ("Hold a key", hub_admin.HOLD),
        ("Look", (transparency, demo)),
    ),
    examples=(
        ("stillwatch hub demo --out hub-demo", "see it at work"),
        ("stillwatch hub status", "what waits for you"),
    ),
)  # fmt: skip
def hub() -> None:
    """Compare notes with other laboratories through a hub, which tells nobody who submitted, saw or disputes what.

    Everything that is done is a leaf of an append-only log, and you get a receipt that is checked. What comes back is a
    lead: nothing here bans anybody. docs/hub.md goes through it.
    """
