"""A takedown whose process is killed again and again: it resumes, and nobody is acted on twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="pip install 'stillwatch[respond]'")
pytest.importorskip("httpx", reason="pip install 'stillwatch[respond]'")

from stillwatch.records import Measure, PlanState
from stillwatch.respond import planning, signing
from stillwatch.respond import tables as t
from stillwatch.respond.planning import Wanted
from tests.e2e.driving import command
from tests.respond.conftest import Office, Servers, kind, make_office, office, servers  # noqa: F401
from tests.respond.making import CARD, campaign, filed, names, planned, result

SECRET = "s" * 40
COUNT = 60


class Platform:
    """The operator's side: checks signatures, keeps keys, acts once for each, and counts what came."""

    def __init__(self) -> None:
        self.acted: Counter[tuple[str, str, bool]] = Counter()
        self.received: Counter[str] = Counter()
        self.lock = threading.Lock()
        self.url = ""

    def take(self, body: bytes, headers: Any) -> int:
        signing.check(SECRET.encode(), body, headers[signing.HEADER], time.time())
        step = json.loads(body)
        time.sleep(0.02)
        with self.lock:
            key = headers["Idempotency-Key"]
            self.received[key] += 1
            if self.received[key] == 1:
                self.acted[step["kind"], step["account_id"], step["undo"]] += 1
        return 200

    def total(self) -> int:
        with self.lock:
            return sum(self.received.values())


@contextmanager
def platform() -> Iterator[Platform]:
    """Listens on a free port of this machine."""
    one = Platform()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status = one.take(self.rfile.read(int(self.headers["Content-Length"])), self.headers)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    one.url = f"http://127.0.0.1:{server.server_port}/hook"
    try:
        yield one
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    """`stillwatch plan ...` as a process of its own."""
    env = {**os.environ, "STILLWATCH_WEBHOOK_SECRET": SECRET, "STILLWATCH_PERSON": "pia", "NO_COLOR": "1"}
    return subprocess.Popen(command("plan", *words), cwd=folder, env=env, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip


def test_a_killed_takedown_resumes_and_nobody_is_acted_on_twice(office: Office, tmp_path: Path) -> None:  # noqa: F811
    """Killed in the middle of acting, of telling, and of taking back; then everything is back as it was."""
    office.desk.now = lambda: datetime.now(UTC)
    filed(office, result([(campaign("G-1", names("a", COUNT), [CARD]), names("a", COUNT))]))
    plan = planned(office, 1, Wanted(Measure.BLOCK, "webhook"), two_above=1000)
    with platform() as there:
        (tmp_path / "stillwatch.toml").write_text(
            f'[respond]\nstore = "{office.url}"\nwebhook_url = "{there.url}"\nhold_s = 1.0\nparallel = 4\n'
            'appeal_url = "https://appeals.example.com/{token}"\n'
        )
        _killed_after(there, tmp_path, 15, "run", plan.id)
        _killed_after(there, tmp_path, COUNT, "run", plan.id)
        _ends(start(tmp_path, "run", plan.id))
        assert there.acted == Counter(
            {(kind, a, False): 1 for kind in ("act", "notice") for a in names("a", COUNT)}
        )
        assert there.total() <= 2 * COUNT + 2 * 4
        with office.look() as work:
            assert set(work.conn.execute(t.account_measures.select()).scalars()) == set(names("a", COUNT))
        there.acted.clear()
        _killed_after(there, tmp_path, 15, "undo", plan.id, "wrong people")
        _ends(start(tmp_path, "run", plan.id))
        assert {k for k in there.acted if k[0] == "act"} == {("act", a, True) for a in names("a", COUNT)}
        assert set(there.acted.values()) == {1}
    with office.look() as work:
        assert planning.read(work, plan.number).state is PlanState.UNDONE
        assert work.conn.execute(t.account_measures.select()).all() == []


def _killed_after(there: Platform, folder: Path, posts: int, *words: str) -> None:
    """Run until so many more posts have come, then kill -9."""
    begun, one = there.total(), start(folder, *words)
    end = time.monotonic() + 120
    while there.total() < begun + posts and one.poll() is None:
        assert time.monotonic() < end, "nothing was sent"
        time.sleep(0.005)
    assert one.poll() is None, one.communicate()[1]
    one.send_signal(signal.SIGKILL)
    one.communicate()


def _ends(one: subprocess.Popen[str]) -> None:
    said, complained = one.communicate(timeout=180)
    assert one.returncode == 0, said + complained
