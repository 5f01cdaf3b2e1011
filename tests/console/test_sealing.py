"""The console and the log of evidence: what people do is sealed while it serves, and at its end."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
from pathlib import Path

import pytest

from stillwatch.console.sealing import Sealing
from stillwatch.console.serving import Places, serve_console
from stillwatch.errors import UpstreamError
from stillwatch.wiring import evidence_log
from stillwatch.wiring.evidence_keys import new_key
from tests.wiring.test_evidence import settings_of


def test_what_was_done_is_sealed_when_the_console_ends(tmp_path: Path, run_folder: Path) -> None:
    """That an admin was made is a line of the record; its head enters the log without any other command."""
    settings = settings_of(tmp_path)
    new_key(settings, "Desk", "log")
    places = Places(run_folder, f"sqlite:///{tmp_path / 'store.db'}", tmp_path)
    serve_console(
        places, listen="127.0.0.1:0", settings=settings, env={},
        ready=lambda *_: os.kill(os.getpid(), signal.SIGTERM),
    )  # fmt: skip
    with evidence_log.opened(settings) as log:
        kinds = [json.loads(entry)["kind"] for entry in log.entries()]
    assert kinds[-1] == "audit"


def test_a_log_that_cannot_be_written_is_said_once_and_made_up_for(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The console goes on; when it works again, and fails again, that is said again."""
    turns, went = iter("ffff.ff"), threading.Semaphore(0)

    def seal() -> int:
        went.release()
        if next(turns, ".") == "f":
            raise UpstreamError("the log is held by another process", hint="it is tried again")
        return 1

    monkeypatch.setattr(logging.getLogger("stillwatch.console"), "propagate", True)
    with Sealing(seal, every_s=0.001):
        for _ in range(9):
            assert went.acquire(timeout=30)
    said = [r.getMessage() for r in caplog.records]
    assert (
        said == ["the log of evidence is behind: the log is held by another process; it is tried again"] * 2
    )
