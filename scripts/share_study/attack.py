"""A member that attacks the join with its whole budget, against real key holders and the real joiner.

The victim is a cluster of made values: address blocks out of a range, system prompts nobody can guess, devices. The
attacker knows what is said of it in each row, spends its budget, hands in what it likes, and reads what it is told.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stillwatch.share.join import group
from stillwatch.share.join.contribution import ClusterTags, Contribution
from stillwatch.share.join.holder import KeyHolder, Refused
from stillwatch.share.join.ledger import FileLedger
from stillwatch.share.join.rule import Round, join
from stillwatch.share.join.tags import Value, ask, open_answers

EPOCH = "2026-W48"
Row = dict[str, Any]


class _Week:
    """Two key holders, a victim, and an attacker with a budget."""

    def __init__(self, folder: Path, seed: int, *, budget: int, space: int, honey: int) -> None:
        self.draw = random.Random(seed)  # noqa: S311
        self.budget, self.space = budget, space
        many = {"victim": 10**6, "attacker": budget, "holders": 10**6}
        self.holders = [
            KeyHolder({EPOCH: group.random_scalar()}, many, FileLedger(folder / f"{seed}-{n}.db"))
            for n in (0, 1)
        ]
        numbers = self.draw.sample(range(space), 128 + honey)
        self.blocks, unused = numbers[:128], numbers[128:]
        self.known = [Value("content", f"prompt {seed} {n}".encode()) for n in range(200)]
        values = [*map(block, self.blocks), *self.known]
        tags = self.tags("victim", values)
        self.victim = Contribution("victim", EPOCH, (ClusterTags("v", "50-199", {
            "address": frozenset(tags[:128]), "content": frozenset(tags[128:]),
        }),))  # fmt: skip
        self.honey = frozenset(self.tags("holders", [block(n) for n in unused])) if unused else frozenset()

    def tags(self, member: str, values: Sequence[Value]) -> tuple[bytes, ...]:
        """Tags, or none at all where a key holder refuses."""
        question = ask(EPOCH, values)
        answers = [holder.answer(member, EPOCH, question.wire) for holder in self.holders]
        publics = [holder.public(EPOCH) for holder in self.holders]
        if any(isinstance(each, Refused) for each in answers):
            return ()
        return open_answers(question, answers, publics)  # type: ignore[arg-type]  # any() does not narrow

    def told(self, clusters: Sequence[ClusterTags]) -> Round:
        """What the joiner makes of it."""
        mine = Contribution("attacker", EPOCH, tuple(clusters))
        return join(EPOCH, [self.victim, mine], honey=self.honey)


def block(number: int) -> Value:
    """An address block by its number."""
    return Value("address", b"net:%d" % number)


def attacks(seeds: Sequence[int], *, budget: int = 2000, space: int = 20_000) -> list[Row]:
    """Every attack under every seed; what was spent, what was learned for certain, and whether it was noticed."""
    plans = [(name, honey) for name in _ATTACKS for honey in (0, 64)]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, honey in plans:
            for seed in seeds:
                week = _Week(Path(folder), seed * 10 + len(rows) % 7, budget=budget, space=space, honey=honey)
                rows.append({"attack": name, "honey": honey, "seed": seed, **_ATTACKS[name](week)})
    return rows


def _dictionary(week: _Week) -> Row:
    """Knows the range of the addresses and none of the prompts: the whole budget goes into one cluster of guesses."""
    guesses = week.draw.sample(range(week.space), week.budget)
    tags = week.tags("attacker", [block(n) for n in guesses])
    told = week.told([ClusterTags("a", "10-49", {"address": frozenset(tags)})])
    return _row(week, guesses, 0, told)


def _probing(week: _Week) -> Row:
    """Knows 200 prompts and half of the blocks: the rest of the budget is guesses, dealt over 64 clusters."""
    spent = len(week.known) + 64
    unknown = [n for n in range(week.space) if n not in set(week.blocks[:64])]
    return _probed(week, week.draw.sample(unknown, week.budget - spent))


def _targeted(week: _Week) -> Row:
    """Knows as much, and suspects twenty blocks of which half are the victim's: one guess in each of 20 clusters."""
    wrong = week.draw.sample([n for n in range(week.space) if n not in set(week.blocks)], 10)
    return _probed(week, [*week.blocks[64:74], *wrong])


def _probed(week: _Week, guesses: list[int]) -> Row:
    held = week.tags("attacker", [block(n) for n in week.blocks[:64]])
    content = week.tags("attacker", week.known)
    tried = week.tags("attacker", [block(n) for n in guesses])
    probes = min(64, len(guesses))
    made = [
        ClusterTags(str(at), "10-49", {
            "address": frozenset([held[at], *tried[at::probes]]), "content": frozenset(content[at * 3 : at * 3 + 3]),
        })
        for at in range(probes)
    ]  # fmt: skip
    told = week.told(made)
    single = [m for m in told.for_member("attacker") if len(guesses) <= 64]
    return _row(week, guesses, len(single), told)


_ATTACKS = {"dictionary": _dictionary, "probing": _probing, "targeted": _targeted}


def _row(week: _Week, guesses: list[int], certain: int, told: Round) -> Row:
    left = week.budget - week.holders[0].ledger.spent("attacker", EPOCH)
    beyond = week.tags("attacker", [block(n) for n in range(left + 1)])
    return {
        "budget": week.budget, "space": week.space, "values": len(week.blocks), "guesses": len(guesses),
        "right_guesses": len(set(guesses) & set(week.blocks)), "pairs_told": len(told.for_member("attacker")),
        "learned": certain, "refused_beyond": not beyond,
        "set_aside": any(each.member == "attacker" for each in told.set_aside),
    }  # fmt: skip


__all__ = ["attacks"]
