"""The command line, run in an empty folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stillwatch.cli import main


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs the command line in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def invoke(*args: str, **kwargs: Any) -> Result:
        return CliRunner().invoke(main, list(args), prog_name="stillwatch", **kwargs)

    return invoke
