"""Fixtures of the command line's tests: the stub wiring and a runner in an empty folder."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
from click.testing import CliRunner, Result

import stillwatch
from stillwatch.cli import main
from tests.cli.stub import VERBS, Stub, a_result


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Stub:
    """The stub, in the wiring's place for one test."""
    stub = Stub(answers={"scan": a_result()})
    module = types.ModuleType("stillwatch.wiring")
    for name in VERBS:
        setattr(module, name, stub.verb(name))
    module.leads_aside = lambda *_: nullcontext()  # type: ignore[attr-defined]  # no leads lie beside a stub's run
    monkeypatch.setitem(sys.modules, "stillwatch.wiring", module)
    monkeypatch.setattr(stillwatch, "wiring", module, raising=False)
    return stub


@pytest.fixture
def run(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs the command line in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def invoke(*args: str, **kwargs: Any) -> Result:
        return CliRunner().invoke(main, list(args), prog_name="stillwatch", **kwargs)

    return invoke
