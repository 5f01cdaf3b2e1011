"""Gates on rules, opened and closed around a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stillwatch.settings import GatewaySettings, ProtectSettings, Settings
from stillwatch.wiring.policy import Gate
from tests.protect.making import HEAD

SECRET = b"s" * 32


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Callable[..., Gate]]:
    """Opens gates on rules; what the operator is told is in ``gate.said``."""
    opened: list[Gate] = []

    def make(
        *rules: str, head: str = HEAD, fail: str = "open", protect: dict[str, Any] | None = None, **more: Any
    ) -> Gate:
        for earlier in opened:
            earlier.close()
        path = tmp_path / "policy.toml"
        path.write_text(head + "".join(rules))
        said: list[str] = []
        settings = Settings(protect=ProtectSettings.model_validate({"fail": fail, **(protect or {})}))
        one = Gate.open(path, tmp_path / "gate", settings=settings, notice=said.append, secret=SECRET, **more)
        one.said = said  # type: ignore[attr-defined]  # what only tests look at
        opened.append(one)
        return one

    yield make
    for each in opened:
        each.close()


def gateway(**changes: Any) -> GatewaySettings:
    """Settings of doors."""
    return GatewaySettings.model_validate(changes)
