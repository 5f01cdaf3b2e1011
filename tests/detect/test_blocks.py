"""Steps that go through hubs a block at a time, in several threads: the blocks leave no trace."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.detect import controller, discordant
from stillwatch.detect.run import Detection, Options, detect
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
