"""A week with two key holders, and members who ask both."""

from __future__ import annotations

from pathlib import Path

from stillwatch.share.join import group
from stillwatch.share.join.holder import KeyHolder, Refused
from stillwatch.share.join.ledger import FileLedger
from stillwatch.share.join.tags import Question, Value, ask, open_answers

EPOCH = "2026-W48"
MEMBERS = ("north", "south")


def two_holders(folder: Path, budget: int = 1000, keys: tuple[bytes, bytes] | None = None) -> list[KeyHolder]:
    """Two key holders with a share and a ledger each."""
    shares = keys or (group.random_scalar(), group.random_scalar())
    return [
        KeyHolder({EPOCH: share}, dict.fromkeys(MEMBERS, budget), FileLedger(folder / f"{at}.db"))
        for at, share in enumerate(shares)
    ]


def blocks(*numbers: int) -> list[Value]:
    """Address blocks of 256 addresses, by number."""
    return [Value("ipv4_24", f"10.{each // 256}.{each % 256}.0/24".encode()) for each in numbers]


def answers(holders: list[KeyHolder], question: Question, member: str = "north") -> list[bytes]:
    """What both send, where neither refuses."""
    given = [holder.answer(member, EPOCH, question.wire) for holder in holders]
    whole = [each for each in given if not isinstance(each, Refused)]
    assert len(whole) == len(given), given
    return whole


def publics(holders: list[KeyHolder]) -> list[bytes]:
    """The public keys that every member got before the week."""
    return [each for each in (holder.public(EPOCH) for holder in holders) if not isinstance(each, Refused)]


def tags_of(holders: list[KeyHolder], values: list[Value], member: str = "north") -> tuple[bytes, ...]:
    """The whole way of a batch."""
    question = ask(EPOCH, values)
    return open_answers(question, answers(holders, question, member), publics(holders))
