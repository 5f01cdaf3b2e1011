"""Who is never acted on: a handful, people who only sit together, and a shape that some honest group nearly had."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stillwatch.detect.baseline import HANDFUL
from stillwatch.detect.grants import apply_grants
from stillwatch.detect.run import Options, detect
from stillwatch.detect.shape import score
from stillwatch.detect.traits import builtin_traits
from stillwatch.detect.verdict import Verdict, judge
from tests.contracts.factory import World, at, babble
from tests.detect.test_without import BASELINE


def relay(accounts: int, *, dealt: bool = True) -> World:
    """A careless relay among honest people: one card, one address, one template, work dealt out four times."""
    world = World()
    for i in range(accounts):
        world.account(f"p{i}", created_at=at(days=-20, hours=i / 4), payment_digest="card", phone_digest="phone",
                      email_domain="bulk.example", signup_ip=f"192.0.2.{i + 1}", country="US")  # fmt: skip
    for q in range(80 if dealt else 0):
        for r in range(4):
            i = (3 * q + r) % accounts
            world.send(f"p{i}", at(hours=2 * q, seconds=30 * r), client_ip=f"203.0.113.{i + 1}", device_id="one",
                       prompt=f"Work the exercise below in full, think step by step, answer boxed. {babble(q, 18)}",
                       completion="done", input_tokens=60, output_tokens=2500, max_tokens=16384)  # fmt: skip
    for i in range(120):
        world.account(f"o{i}", created_at=at(days=-300 - i), payment_digest=f"card {i}", country="DE")
        for j in range(4):
            world.send(f"o{i}", at(hours=(7 * i + 31 * j) % 160), client_ip=f"198.18.{i}.{j + 1}",
                       device_id=f"laptop {i}", input_tokens=400, output_tokens=120)  # fmt: skip
    return world


def hints_of(world: World, accounts: int, scores: np.ndarray) -> set[str]:
    """Hints of the relay's accounts when honest groups of either size have these scores; nobody else has any."""
    hints = judged(world, scores)
    assert {v for a, v in hints.items() if a.startswith("o")} == {"none"}
    return {hints[f"p{i}"] for i in range(accounts)}


def judged(world: World, scores: np.ndarray) -> dict[str, str]:
    """Hint of every account."""
    accounts = judgement(world, scores).accounts
    return dict(
        zip(*(accounts.column(c).to_pylist() for c in ("account_id", "disposition_hint")), strict=True)
    )


def judgement(world: World, scores: np.ndarray) -> Verdict:
    """What the scan says when honest groups of either size have these scores."""
    loud = replace(BASELINE, calibration=replace(
        BASELINE.calibration, scores=np.sort(np.tile(scores, 2)), units=np.tile([4, 40], len(scores))))  # fmt: skip
    traffic = world.traffic()
    found = detect(traffic, builtin_traits(), loud, Options())
    return judge(traffic, found, loud, Options(), apply_grants(traffic, None))


@pytest.mark.parametrize(("accounts", "hint"), [(HANDFUL - 1, "review"), (HANDFUL + 8, "act")])
def test_only_more_than_a_handful_may_be_acted_on(accounts: int, hint: str) -> None:
    """The same relay, the same unusual shape: seven accounts come to review, sixteen to act."""
    assert hints_of(relay(accounts), accounts, np.full(200, -1.0)) == {hint}


def test_a_shape_that_an_honest_group_nearly_had_is_not_acted_on() -> None:
    """The campaign's score lies above all honest ones, but by less than the highest lies above the rest."""
    traffic = relay(16).traffic()
    mine = max(
        score(s.features, BASELINE.calibration)
        for s in detect(traffic, builtin_traits(), BASELINE, Options()).streams
    )
    rest = np.full(200, mine - 1.0)
    assert hints_of(relay(16), 16, np.r_[rest, mine - 0.4]) == {"review"}
    assert hints_of(relay(16), 16, np.r_[rest, mine - 0.6]) == {"act"}


def test_people_who_sit_together_are_not_acted_on() -> None:
    """One card, one exit, one template and one unusual shape, but every question is asked once."""
    world = relay(0, dealt=False)
    for i in range(16):
        world.account(f"p{i}", created_at=at(days=-20, hours=i / 4), payment_digest="card", phone_digest="phone",
                      email_domain="bulk.example", signup_ip=f"192.0.2.{i + 1}", country="US")  # fmt: skip
        for q in range(20):
            world.send(f"p{i}", at(hours=7 * q + i / 3), client_ip=f"203.0.113.{i + 1}", device_id="one",
                       prompt="Work the exercise below in full, think step by step, answer boxed. "
                       + babble(1000 * i + q, 18),
                       completion="done", input_tokens=60, output_tokens=2500, max_tokens=16384)  # fmt: skip
    assert hints_of(world, 16, np.full(200, -1.0)) == {"review"}


def test_an_account_that_does_mostly_other_things_is_not_acted_on() -> None:
    """It shares the card, the exit and some of the work; nine tenths of its traffic are its own."""
    world = relay(16)
    for j in range(200):
        world.send("p0", at(hours=j * 0.8), client_ip="203.0.113.1", device_id="one", input_tokens=300,
                   output_tokens=150, prompt=f"A question of my own, number {j}: {babble(50_000 + j, 12)}")  # fmt: skip
    hints = judged(world, np.full(200, -1.0))
    assert hints["p0"] == "review"
    assert {hints[f"p{i}"] for i in range(1, 16)} == {"act"}


def test_a_campaign_says_what_keeps_it_from_act() -> None:
    """Whoever asks why it is only a review, or why it is more, reads it with the finding."""

    def said(accounts: int, scores: np.ndarray) -> str:
        (campaign,) = judgement(relay(accounts), scores).campaigns
        return " ".join(campaign.would_change)

    low = np.full(200, -1.0)
    assert "Members come to act unless less than a quarter" in said(16, low)
    few = said(HANDFUL - 1, low)
    assert f"Nobody here comes to act without at least {HANDFUL} independent units." in few
    assert "without a shape that stands clear" not in few
