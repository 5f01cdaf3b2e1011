"""A hub with three laboratories, a fourth, and an annex of the first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

for needed in ("sqlalchemy", "rbcl", "starlette", "httpx"):
    pytest.importorskip(needed, reason="pip install 'stillwatch[hub]'")

from tests.share.hub.making import PEOPLE, Hub, hub  # noqa: E402  # what it needs may be missing


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Hub]:
    """A hub."""
    with hub(tmp_path / "hub", *PEOPLE) as made:
        yield made
