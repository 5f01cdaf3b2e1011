"""Witnesses of a hub's log, in a process of their own: what members may demand, and what a split log comes to."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stillwatch.errors import ConfigError, VerificationError
from stillwatch.evidence.keys import SigningKey
from stillwatch.evidence.note import Kind, Verifier, split
from stillwatch.wiring import hub_member, hub_witnesses
from stillwatch.wiring.hub_folder import hub_folder
from stillwatch.wiring.hub_member import Asking
from stillwatch.wiring.hub_witnesses import HubWitnesses
from tests.e2e.driving import cli
from tests.e2e.test_witness import settings_of, witnessing
from tests.share.hub.making import Hub, hub


@contextmanager
def witness_of(folder: Path, log: str) -> Iterator[str]:
    """A witness in a process of its own; its line for whoever keeps a log."""
    if not (folder / "keys").exists():
        made = cli("evidence", "key", "new", "W", "--role", "witness", "--settings", settings_of(folder))
        assert made.status == 0, made.err
    with witnessing(folder, log) as (_, line, _said):
        yield line


class Looked:
    """A hub as a member reaches it, without a network between."""

    def __init__(self, here: Hub) -> None:
        self.here = here

    def get(self, path: str, query: str = "") -> dict[str, Any]:
        """Its log, as it is asked for."""
        words = [pair.split("=") for pair in query.split("&")]
        sizes = [int(value) for name, value in words if name == "from"]
        return self.here.log.grown(sizes, witnessed=["witnessed", "1"] in words)


def looks(asking: Asking, here: Hub) -> None:
    """The member looks at the hub's log."""
    hub_member._grown(asking, Looked(here))  # type: ignore[arg-type]  # what is asked of a client


def named(here: Hub, line: str) -> HubWitnesses:
    """The hub's witnesses, from its file."""
    place = here.folder.path / "hub.toml"
    place.write_text(place.read_text().split("witnesses")[0] + f"witnesses = ['{line}']\n")
    return HubWitnesses(here.log, hub_folder(here.folder.path))


def test_a_split_log_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member that demands a witness follows the log that is signed; whoever is shown another one is told, and what
    was witnessed is served, also after a restart."""
    monkeypatch.setattr(hub_member, "WAIT_S", 1.0)
    with hub(tmp_path / "hub", "north", "south") as here:
        log = here.log.vkey
    shutil.copytree(tmp_path / "hub", tmp_path / "other")
    with witness_of(tmp_path / "archive", log) as line:
        rows = {"member": "south", "witnesses": [line.split(" ")[1]], "witnesses_needed": 1}
        south, north = (Asking(rows, tmp_path / f"{name}.toml", log) for name in ("south", "north"))
        with hub(tmp_path / "hub") as here:
            witnesses = named(here, line)
            assert witnesses.keys == rows["witnesses"]
            with pytest.raises(VerificationError, match="1 of your witnesses"):
                looks(south, here)
            for _ in range(2):
                here.desk.note()
                witnesses.ask()
                looks(south, here)
            here.join("west")
            with pytest.raises(VerificationError, match="of your witnesses"):
                hub_member._grown(south, Looked(here), _newest(here))  # type: ignore[arg-type]
            witnesses.ask()
            looks(south, here)
            text, lines = split((here.log.file("checkpoint") or b"").decode())
            assert [name for name, _, _ in lines] == [here.folder.origin, "w.example"]
        with hub(tmp_path / "hub") as here:
            assert split((here.log.file("checkpoint") or b"").decode())[0] == text
        with hub(tmp_path / "other") as other:
            other.join("east")
            other.join("annex")
            other.join("west")
            witnesses = named(other, line)
            witnesses.ask()
            with pytest.raises(VerificationError, match="of your witnesses"):
                looks(north, other)
            with pytest.raises(VerificationError):
                looks(Asking(rows | {"witnesses_needed": 0}, south.path, log), other)


def _newest(here: Hub) -> Any:
    from stillwatch.evidence.note import Checkpoint

    return Checkpoint.parse(split(here.log.newest)[0])


def test_a_witness_that_does_not_answer_is_left_alone_for_a_while(
    here: Hub, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others' signatures are served without it; it is asked again after a minute, and why it failed is said."""
    key = Verifier("w.example", SigningKey.new().public, Kind.COSIGNATURE).vkey
    made = named(here, f"http://127.0.0.1:9 {key}")
    now = [0.0]
    made._clock = lambda: now[0]
    with caplog.at_level(logging.ERROR, "stillwatch.hub"):
        for at, times in ((0.0, 1), (30.0, 1), (61.0, 2)):
            now[0] = at
            made.ask()
            assert caplog.text.count("does not answer") == times
    assert here.log.grown([0], witnessed=True) == {"checkpoint": "", "paths": {}}
    assert json.dumps(made.keys) == json.dumps([key])


def test_what_is_no_witness_is_said(here: Hub) -> None:
    """A log's key, one witness twice, an address that is none, more than there are."""
    key = Verifier("w.example", SigningKey.new().public, Kind.COSIGNATURE).vkey
    for line in (
        f"http://w {here.log.vkey}",
        f"w.example {key}",
        "http://w",
        f"http://a {key}', 'http://b {key}",
    ):
        with pytest.raises(ConfigError):
            named(here, line)
    place = here.folder.path / "hub.toml"
    place.write_text(place.read_text().split("witnesses")[0] + "witnesses_needed = 1\n")
    with pytest.raises(ConfigError, match="witnesses_needed"):
        hub_folder(here.folder.path)


def test_what_fails_beside_the_requests_is_said_and_tried_again(
    here: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    """The thread goes on, and it ends with the hub."""
    import threading

    tried, again = threading.Event(), threading.Event()

    def fails() -> None:
        (again if tried.is_set() else tried).set()
        raise OSError("full")

    with caplog.at_level(logging.ERROR, "stillwatch.hub"), hub_witnesses.by_itself(here.log, fails):
        assert tried.wait(30)
        here.log.grew.set()
        assert again.wait(30)
    assert "OSError" in caplog.text and "hub" not in [one.name for one in threading.enumerate()]
