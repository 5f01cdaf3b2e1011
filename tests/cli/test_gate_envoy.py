"""``gate-envoy`` as a user types it wrongly; how it works is tested with a real Envoy."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from tests.protect.making import HEAD, rule


def test_what_is_missing_or_wrong_is_said(run: Any) -> None:
    """No folder, no such policy, a policy that needs a key."""
    assert "--dir" in run("gate-envoy").stderr
    done = run("gate-envoy", "--dir", "gate", "--policy", "none.toml")
    assert done.exit_code == 2
    assert "none.toml" in done.stderr
    Path("p.toml").write_text(HEAD + 'verify_url = "https://example.com/?c={challenge}"\n'
                              + rule(action="verify", more='verify = { level = "card" }'))  # fmt: skip
    assert "needs the digest key" in run("gate-envoy", "--dir", "gate", "--policy", "p.toml").stderr


@pytest.mark.parametrize("listen", ["9002", "localhost:", "127.0.0.1:70000", "unix:"])
def test_an_address_that_makes_no_sense_is_refused(run: Any, listen: str) -> None:
    """With an example of one that does."""
    done = run("gate-envoy", "--dir", "gate", "--listen", listen)
    assert done.exit_code == 2
    assert "is not an address" in done.stderr and "127.0.0.1:9002" in done.stderr


@pytest.mark.parametrize("option", ["--listen", "--metrics"])
def test_an_address_that_is_taken_is_said(run: Any, option: str) -> None:
    """And the folder of the gate can be used again at once."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        others = () if option == "--listen" else ("--listen", "127.0.0.1:0")
        for _ in range(2):
            done = run("gate-envoy", "--dir", "gate", option, address, *others)
            assert done.exit_code == 2
            assert f"cannot listen on {address}" in done.stderr
