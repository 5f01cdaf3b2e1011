"""A member that attacks the join with its whole budget, against real key holders and the real joiner.

The victim is a cluster of made values: 128 address blocks out of a range and 200 system prompts nobody can guess, each
shown by as many of its accounts as any other. The attacker knows what is said of it in each row, spends its budget,
hands in what it likes, and reads what it is told. It plays as well as the rule lets it: of what it knows it puts one
part less than a pair needs into each cluster, so that one part of a right guess tips it.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stillwatch.share.join import group
from stillwatch.share.join.contribution import ClusterTags, Contribution, cluster_tags
from stillwatch.share.join.evidence import PARTS, every_part, part, parts
from stillwatch.share.join.holder import KeyHolder, Refused
from stillwatch.share.join.ledger import FileLedger
from stillwatch.share.join.rule import Round, Rule, join
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
        self.known = list(
            parts("content", dict.fromkeys((b"%d prompt %d" % (seed, n) for n in range(200)), 1 / 200))
        )
        self.shown = parts("address", dict.fromkeys(map(block, self.blocks), 1 / 128))
        tags = {
            kind: self.tags("victim", values)
            for kind, values in (("address", self.shown), ("content", self.known))
        }
        self.victim = Contribution("victim", EPOCH, (cluster_tags(60, tags),))
        planted = [each for n in unused for each in every_part("address", block(n))]
        self.honey = frozenset(self.tags("holders", planted)) if planted else frozenset()

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


def block(number: int) -> bytes:
    """An address block by its number."""
    return b"net:%d" % number


def guess(number: int) -> Value:
    """The part of a block that a cluster has first: one unit of the budget for each block that is tried."""
    return part("address", block(number), 0)


def attacks(seeds: Sequence[int], *, budget: int = 2000, space: int = 20_000, planted: int = 64) -> list[Row]:
    """Every attack under every seed; what was spent, what was learned for certain, and whether it was noticed.

    Args:
        planted: blocks among those of the range that no traffic has and that the key holders know.
    """
    plans = [(name, honey) for name in _ATTACKS for honey in (0, planted)]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, honey in plans:
            for seed in seeds:
                week = _Week(Path(folder), seed * 10 + len(rows) % 7, budget=budget, space=space, honey=honey)
                rows.append({"attack": name, "honey": honey, "seed": seed, **_ATTACKS[name](week)})
    return rows


def _dictionary(week: _Week) -> Row:
    """Knows the range of the addresses and none of the prompts: the whole budget goes into guesses."""
    guesses = week.draw.sample(range(week.space), week.budget)
    tags = week.tags("attacker", list(map(guess, guesses)))
    made = [
        ClusterTags(str(at), "10-49", {"address": frozenset(tags[at : at + PARTS])})
        for at in range(0, len(tags), PARTS)
    ]
    return _row(week, guesses, 0, week.told(made))


def _probing(week: _Week) -> Row:
    """Knows all prompts and half of the blocks: the rest of the budget is guesses, dealt over clusters it can fill."""
    unknown = [n for n in range(week.space) if n not in set(week.blocks[:64])]
    probes = len(_known(week)) // NEEDED
    left = week.budget - probes * (2 * NEEDED + 1)
    return _probed(week, week.draw.sample(unknown, min(left, probes * (PARTS - NEEDED))))


def _targeted(week: _Week) -> Row:
    """Knows as much, and suspects twenty blocks, half of them right: one guess in each cluster it can fill."""
    wrong = week.draw.sample([n for n in range(week.space) if n not in set(week.blocks)], 10)
    suspected = [*week.blocks[64:74], *wrong]
    week.draw.shuffle(suspected)
    return _probed(week, suspected[: len(_known(week)) // NEEDED])


NEEDED = Rule().fewest_of_a_kind - 1
"""Parts of a kind that tell nothing yet."""


def _known(week: _Week) -> list[Value]:
    """Parts of the half of the blocks that the attacker knows."""
    half = {block(n) for n in week.blocks[:64]}
    return [each for each in week.shown if each.value.rpartition(b"#")[0] in half]


def _probed(week: _Week, guesses: list[int]) -> Row:
    probes = min(len(_known(week)) // NEEDED, len(week.known) // (NEEDED + 1), len(guesses))
    held = week.tags("attacker", _known(week)[: probes * NEEDED])
    content = week.tags("attacker", week.known[: probes * (NEEDED + 1)])
    tried = week.tags("attacker", list(map(guess, guesses)))
    made = [
        ClusterTags(str(at), "10-49", {
            "address": frozenset([*held[at * NEEDED : (at + 1) * NEEDED], *tried[at::probes]]),
            "content": frozenset(content[at * (NEEDED + 1) : (at + 1) * (NEEDED + 1)]),
        })
        for at in range(probes)
    ]  # fmt: skip
    told = week.told(made)
    single = [m for m in told.for_member("attacker") if len(guesses) <= probes]
    return _row(week, guesses, len(single), told)


_ATTACKS = {"dictionary": _dictionary, "probing": _probing, "targeted": _targeted}


def _row(week: _Week, guesses: list[int], certain: int, told: Round) -> Row:
    left = week.budget - week.holders[0].ledger.spent("attacker", EPOCH)
    beyond = week.tags("attacker", [guess(n) for n in range(left + 1)])
    return {
        "budget": week.budget, "space": week.space, "values": len(week.blocks), "guesses": len(guesses),
        "right_guesses": len(set(guesses) & set(week.blocks)), "pairs_told": len(told.for_member("attacker")),
        "learned": certain, "refused_beyond": not beyond,
        "set_aside": any(each.member == "attacker" for each in told.set_aside),
    }  # fmt: skip


__all__ = ["attacks"]
