"""A handful of accounts is never acted on: whatever the evidence, a person looks first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stillwatch.detect.baseline import HANDFUL
from stillwatch.detect.grants import apply_grants
from stillwatch.detect.run import Options, detect
from stillwatch.detect.traits import builtin_traits
from stillwatch.detect.verdict import judge
from tests.contracts.factory import World, at, babble
from tests.detect.test_without import BASELINE


def relay(accounts: int) -> World:
    """A careless relay: one card, one address, one template, work dealt out four times and failed over."""
    world = World()
    for i in range(accounts):
        world.account(f"p{i}", created_at=at(days=-20, hours=i / 4), payment_digest="card", phone_digest="phone",
                      email_domain="bulk.example", signup_ip=f"192.0.2.{i + 1}", country="US")  # fmt: skip
    for q in range(80):
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


@pytest.mark.parametrize(("accounts", "hint"), [(HANDFUL - 1, "review"), (HANDFUL + 8, "act")])
def test_only_more_than_a_handful_may_be_acted_on(accounts: int, hint: str) -> None:
    """The same relay, the same unusual shape: seven accounts come to review, sixteen to act."""
    loud = replace(BASELINE, calibration=replace(
        BASELINE.calibration, scores=np.full(400, -1.0), units=np.repeat([4, 40], 200)))  # fmt: skip
    traffic = relay(accounts).traffic()
    found = detect(traffic, builtin_traits(), loud, Options())
    said = judge(traffic, found, loud, Options(), apply_grants(traffic, None))
    hints = dict(
        zip(*(said.accounts.column(c).to_pylist() for c in ("account_id", "disposition_hint")), strict=True)
    )
    assert {hints[f"p{i}"] for i in range(accounts)} == {hint}
    assert {v for a, v in hints.items() if a.startswith("o")} == {"none"}
