"""What takes minutes: left out unless ``-m scale`` asks for it, as ``make test-scale`` does."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark every test of this folder, and leave it out unless it is asked for."""
    ours = [item for item in items if HERE in item.path.parents]
    for item in ours:
        item.add_marker(pytest.mark.scale)
    if ours and "scale" not in str(config.getoption("markexpr")):
        config.hook.pytest_deselected(items=ours)
        items[:] = [item for item in items if item not in ours]
