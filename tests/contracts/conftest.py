"""One town for the whole suite; no test may change it."""

from __future__ import annotations

from pathlib import Path

import pytest

from stillwatch.detect.families import assign_families
from stillwatch.detect.traffic import Traffic
from tests.contracts.town import town


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ibis calls a method that its engine has renamed; that warning is not ours to mend."""
    for item in items:
        if Path(item.path).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning"))


@pytest.fixture(scope="session")
def traffic() -> Traffic:
    """The town, families assigned."""
    made = town().traffic()
    assign_families(made)
    return made
