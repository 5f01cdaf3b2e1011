"""Steps that go through hubs a block at a time, in several threads: the blocks leave no trace."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stillwatch.detect import controller, discordant
from stillwatch.detect import run as steps
from stillwatch.detect.controller import HubTests
from stillwatch.detect.run import Detection, Options, detect
from stillwatch.detect.trait import Judged, Judgements
from stillwatch.detect.traits import builtin_traits
from tests.contracts.factory import NOTHING
from tests.contracts.town import town


def detection(threads: int) -> Detection:
    """A detection of the contracts' town."""
    traffic = town().traffic()
    traffic.threads = threads
    return detect(traffic, builtin_traits(), NOTHING, Options())


def test_small_blocks_in_three_threads_are_one_large_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hubs, matrices, evidence and groups are the same bytes, however hubs are divided."""
    whole = detection(1)
    assert len(whole.hubs) > 10
    monkeypatch.setattr(controller, "BLOCK", 40)
    monkeypatch.setattr(discordant, "AT_ONCE", 30)
    parts = detection(3)
    for name in ("ptr", "units", "trait", "value", "size", "shared", "hub_of"):
        assert np.array_equal(getattr(whole.hubs, name), getattr(parts.hubs, name))
    for name in ("log10", "combined", "select", "retest", "discovered", "confirmed", "sourced"):
        assert getattr(whole.tests, name).tobytes() == getattr(parts.tests, name).tobytes()
    assert [g.units.tolist() for g in whole.groups] == [g.units.tolist() for g in parts.groups]
    for trait, matrix in whole.matrices.items():
        for name in ("values", "codes", "total", "having", "stratum", "ptr", "owners"):
            assert np.array_equal(getattr(matrix, name), getattr(parts.matrices[trait], name))


def test_chosen_hubs_have_the_evidence_that_they_would_have_anyway(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the whole evidence is laid out for every hub or for the chosen, these have the same, to the bit."""
    asked: list[tuple[HubTests, HubTests]] = []

    def both(*given: Any, every: bool = True, **options: Any) -> HubTests:
        tests = test_of_hubs(*given, **options)
        if not every:
            second = float(np.sort(tests.select)[-2])
            options["alpha"] = 1.01 * len(tests.select) / (2 * 10.0**second)  # at which two are chosen
            asked.append((test_of_hubs(*given, every=False, **options), test_of_hubs(*given, **options)))
        return tests

    test_of_hubs = controller.test_hubs
    monkeypatch.setattr(steps, "test_hubs", both)
    monkeypatch.setattr(controller, "BLOCK", 40)
    monkeypatch.setattr(controller, "SPLIT_SIZE", 7)
    detection(2)
    ((some, every),) = asked
    chosen = every.discovered
    assert chosen.sum() == 2
    for name in ("select", "discovered", "confirmed"):
        assert getattr(some, name).tobytes() == getattr(every, name).tobytes()
    for name in ("log10", "combined", "retest", "sourced"):
        assert getattr(some, name)[chosen].tobytes() == getattr(every, name)[chosen].tobytes()
    assert np.isnan(some.log10[~chosen]).all()
    assert not np.isnan(every.log10[~chosen]).all()
    assert not some.sourced[~chosen].any()


def test_judgements_in_columns_are_the_same_mapping() -> None:
    """What is said of hubs comes back hub by hub, in order, and of others nothing is said."""
    said = {7: Judged(3.0, 1.0, 2.0), 2: Judged(0.5, float("-inf"), 0.25)}
    columns = Judgements.of(said)
    assert dict(columns) == said
    assert list(columns) == [2, 7]
    assert Judgements.of(columns) is columns
    assert len(Judgements.of({})) == 0
    assert 3 not in columns
    assert columns.get(8) is None
