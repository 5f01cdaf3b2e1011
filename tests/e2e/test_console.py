"""The console as a process: its first start, its end, and what it refuses to do."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

pytest.importorskip("argon2", reason="pip install 'stillwatch[console]'")
pytest.importorskip("fastapi", reason="pip install 'stillwatch[console]'")

import httpx

from stillwatch.report import write_result
from tests.e2e.driving import cli, command, environment
from tests.e2e.gating import running
from tests.report.factory import make_result


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "report"
    write_result(make_result(), folder, (), "page")
    return folder


def test_the_first_start_prints_a_sign_in_once_and_ends_when_asked(run: Path, tmp_path: Path) -> None:
    """The store and the key are made; the second start prints no password; nothing of a request is logged."""
    args = command(
        "console",
        "--run",
        run,
        "--store",
        f"sqlite:///{tmp_path}/s.db",
        "--keys",
        tmp_path / "k",
        "-l",
        "127.0.0.1:0",
    )
    for first in (True, False):
        with running(
            args, 0, env=environment(), cwd=tmp_path, until=r"listening on http://127.0.0.1:(\d+)"
        ) as one:
            where = f"http://127.0.0.1:{one.port}/sign-in"
            assert httpx.get(where).status_code == 200
            wrong = {"name": "canary-name", "password": "canary-password"}
            assert httpx.post(where, data=wrong).status_code == 401
            one.handle.send_signal(signal.SIGTERM)
            assert one.handle.wait(60) == 0
        said = "".join(one.said)
        assert (
            bool(re.search(r"first sign-in: name admin, password (\w{4}-){4}\w{4}  \(shown once\)", said))
            is first
        )
        assert "canary" not in said
    assert (tmp_path / "k" / "console.key").stat().st_mode & 0o077 == 0


def test_it_does_not_listen_beyond_this_machine_without_https(run: Path, tmp_path: Path) -> None:
    """It says so, and what to do."""
    args = (
        "console",
        "--run",
        run,
        "--store",
        f"sqlite:///{tmp_path}/s.db",
        "--keys",
        tmp_path,
        "-l",
        "0.0.0.0:0",
    )
    ended = cli(*args)
    assert ended.status == 2
    assert "without HTTPS" in ended.err
    assert "console.https" in ended.err


def test_what_it_cannot_use_stops_the_start(run: Path, tmp_path: Path) -> None:
    """A folder that is no run, and a key that others can read."""
    ended = cli(
        "console",
        "--run",
        tmp_path,
        "--store",
        f"sqlite:///{tmp_path}/s.db",
        "--keys",
        tmp_path,
        "-l",
        "127.0.0.1:0",
    )
    assert (ended.status, "summary.json is missing" in ended.err) == (2, True)
    (tmp_path / "console.key").write_text("00" * 32)
    (tmp_path / "console.key").chmod(0o644)
    ended = cli(
        "console",
        "--run",
        run,
        "--store",
        f"sqlite:///{tmp_path}/s.db",
        "--keys",
        tmp_path,
        "-l",
        "127.0.0.1:0",
    )
    assert (ended.status, "can be read by others" in ended.err) == (2, True)
