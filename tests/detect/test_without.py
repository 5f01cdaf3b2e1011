"""Parts left out for comparing: each changes what it says, and the run says that it was left out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from stillwatch.detect.baseline import Baseline, Calibration, Shares
from stillwatch.detect.grants import apply_grants
from stillwatch.detect.run import LEFT_OUT, Detection, Options, detect
from stillwatch.detect.shape import FEATURES
from stillwatch.detect.traffic import Traffic
from stillwatch.detect.traits import builtin_traits
from stillwatch.detect.verdict import judge
from stillwatch.records import Campaign, Kind
from tests.contracts.factory import NOTHING
from tests.contracts.golden import GOLDEN
from tests.contracts.town import town
from tests.detect.making import START, traffic_of

BASELINE = replace(
    NOTHING,
    calibration=Calibration(
        dict.fromkeys(FEATURES, 1.0), {}, np.linspace(20, 30, 200), {"made up": 200}, np.full(200, 20)
    ),
)
"""Honest groups that all score above anything real: nothing is unusual."""


def run(traffic: Traffic, *without: str, baseline: Baseline = BASELINE) -> Detection:
    """A detection with parts left out."""
    return detect(traffic, builtin_traits(), baseline, found_options(*without))


@pytest.fixture(scope="module")
def traffic() -> Traffic:
    """The town of the contracts."""
    return town().traffic()


def strangers_with_a_template() -> Traffic:
    """Twenty accounts that share one template and nothing else."""
    rows = [
        {
            "account_id": f"a{i}", "exchange_id": f"{i}.{j}", "started_at": START + timedelta(hours=7 * i + j),
            "prompt": f"Please sum up the following note for our weekly letter to members: number {i * 31 + j} of "
            f"{'red green blue grey pink'.split()[(i + j) % 5]} items went to house {i} on day {j}.",
            "client_ip": f"198.51.{i}.{j + 1}",
        }
        for i in range(20) for j in range(6)
    ]  # fmt: skip
    return traffic_of(rows)


def test_without_the_controller_test_a_template_is_enough() -> None:
    """Users of one template are no group, unless nobody asks who controls them."""
    assert run(strangers_with_a_template()).groups == []
    found = run(strangers_with_a_template(), "controller").groups
    assert [len(g.units) for g in found] == [20]


def test_groups_by_content_do_not_overlap(traffic: Traffic) -> None:
    """Every unit is in one such group at most."""
    units = np.concatenate([g.units for g in run(traffic, "controller").groups])
    assert len(units) == len(np.unique(units)) > 0


def test_without_the_shape_test_every_group_is_a_campaign(traffic: Traffic) -> None:
    """Groups that are ordinary in shape are pools; left out, they are called campaigns all the same."""
    kinds = {}
    told: list[Campaign] = []
    for without in (("controller",), ("controller", "shape")):
        found = run(traffic, *without)
        assert found.groups
        said = judge(traffic, found, BASELINE, found_options(*without), apply_grants(traffic, None))
        kinds[without[-1]] = {c.kind for c in said.campaigns}
        told += said.campaigns
        assert "act" not in said.accounts.column("disposition_hint").to_pylist()
    assert kinds == {"controller": {Kind.POOL}, "shape": {Kind.CAMPAIGN}}
    assert {c.false_discovery_rate for c in told} == {1.0}, "nothing is promised"
    assert {c.p_value for c in told if c.kind is Kind.CAMPAIGN} == {None}


def found_options(*without: str) -> Options:
    """Options with parts left out."""
    return Options(without=frozenset(without))


def test_without_the_second_test_choosing_is_believing() -> None:
    """A hub that stands on one half alone is confirmed, because nothing confirms."""
    traffic = GOLDEN["compensation"](False).traffic()
    both, one = run(traffic).tests, run(traffic, "retest").tests
    assert np.array_equal(one.discovered, one.confirmed)
    assert one.discovered.sum() >= (both.discovered & both.confirmed).sum()


@pytest.mark.parametrize("part", sorted(LEFT_OUT))
def test_the_run_says_what_was_left_out(traffic: Traffic, part: str) -> None:
    """An abstention names the part; without any there is none."""
    assert (part, LEFT_OUT[part]) in {(a.trait, a.reason) for a in run(traffic, part).abstentions}
    assert not {a.trait for a in run(traffic).abstentions} & set(LEFT_OUT)


def test_traffic_alone_forgets_the_baseline(traffic: Traffic) -> None:
    """With frequencies from the traffic, what the baseline says of them changes nothing."""
    matrix = run(traffic).matrices["load_equalisation"]
    common = Shares(matrix.values, np.full(len(matrix.values), 0.9), 10_000)
    loud = replace(BASELINE, shares={"load_equalisation": common})

    def log10(baseline: Baseline, reference: str) -> np.ndarray:
        every = frozenset(
            {"retest"}
        )  # so that the evidence of every hub is laid out, also of those not chosen
        found = detect(traffic, builtin_traits(), baseline, Options(reference=reference, without=every))
        return np.nan_to_num(found.tests.log10)

    assert np.array_equal(log10(loud, "traffic"), log10(BASELINE, "traffic"))
    assert not np.array_equal(log10(loud, "baseline+traffic"), log10(BASELINE, "baseline+traffic"))


@pytest.mark.parametrize("part", sorted(LEFT_OUT))
def test_nobody_is_acted_on_with_a_part_left_out(part: str) -> None:
    """Evidence that would give ``act`` gives no more than ``review``."""
    traffic = town().traffic()
    loud = replace(
        BASELINE,
        calibration=replace(BASELINE.calibration, scores=np.full(200, -1.0), units=np.full(200, 20)),
    )
    detection = run(traffic, "controller", baseline=loud)
    for group in detection.groups:
        group.parts = {name: np.full(len(group.units), 9.0) for name in group.parts}
    hints = {}
    for without in (frozenset(), frozenset({part})):
        said = judge(traffic, detection, loud, Options(without=without), apply_grants(traffic, None))
        hints[without] = set(said.accounts.column("disposition_hint").to_pylist())
    assert "act" not in hints[frozenset({part})]
    assert "review" in hints[frozenset({part})]
