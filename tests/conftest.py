"""Shared by every test: a steady Hypothesis profile, and an environment that holds no surprise."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "steady",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("search", deadline=None, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
"""Workers share the cores: threads of one would wait for those of another."""

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts the tests in the background passes on that interrupts are ignored; tests send some.
    signal.signal(signal.SIGINT, signal.default_int_handler)

KEY = "5a" * 32
"""The digest key of the tests; known to everyone, so worth nothing."""


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, no colour and no width leaks in from the developer's shell."""
    for name in ("STILLWATCH_KEY", "FORCE_COLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture
def key() -> str:
    """A digest key in hexadecimal."""
    return KEY
