"""Every store answers alike: one suite over memory, over memory with its file, and over a server where there is one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stillwatch.errors import ConfigError, UpstreamError
from stillwatch.protect.state import MOST_DISTINCT, State
from stillwatch.store.state import MOST_MEMBERS, MemoryState
from stillwatch.store.valkey import PIECE_BYTES, Server, ValkeyBoard, ValkeyState
from tests.store.servers import PROGRAMS, Running, a_server


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Running]]:
    """One server of each kind for the module, started when it is asked for."""
    started: dict[str, Running] = {}

    def of(kind: str) -> Running:
        if kind not in started:
            started[kind] = a_server(tmp_path_factory.mktemp(kind), kind)
        return started[kind]

    yield of
    for each in started.values():
        each.stop()


@pytest.fixture(params=list(PROGRAMS))
def server(request: pytest.FixtureRequest, servers: Callable[[str], Running]) -> Running:
    """Each kind of server."""
    return servers(request.param)


@pytest.fixture(params=["memory", "file", "valkey", "redis"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[State]:
    """One of the stores, empty."""
    store: State
    if request.param in PROGRAMS:
        url = request.getfixturevalue("servers")(request.param).url
        store = ValkeyState(Server(url, prefix=f"test-{tmp_path.name}", timeout_s=5.0))
    else:
        store = MemoryState(tmp_path / "state.sqlite" if request.param == "file" else None)
    yield store
    store.close()


def test_a_bucket_gives_its_burst_then_its_rate(state: State) -> None:
    """Three at once, then one a second; whoever waits is told how long."""
    waits = [state.take("k", 1.0, 3, 100.0) for _ in range(4)]
    assert waits[:3] == [0.0, 0.0, 0.0]
    assert waits[3] == pytest.approx(1.0)
    assert state.take("k", 1.0, 3, 100.5) == pytest.approx(0.5)
    assert state.take("k", 1.0, 3, 101.0) == 0.0
    assert state.take("k", 1.0, 3, 101.0) > 0.0
    assert [state.take("k", 1.0, 3, 200.0) for _ in range(4)].count(0.0) == 3, "never more than the burst"
    assert state.take("other", 1.0, 3, 200.0) == 0.0


def test_a_clock_that_goes_back_gives_nothing_away(state: State) -> None:
    """Replicas' clocks differ."""
    assert [state.take("k", 1.0, 1, now) == 0.0 for now in (100.0, 50.0, 100.5, 101.0)] == [
        True,
        False,
        False,
        True,
    ]


def test_counters_begin_anew_after_their_window(state: State) -> None:
    """From the first addition on."""
    assert [state.add("k", 2, 10.0, now) for now in (0.0, 5.0, 9.9, 10.0)] == [2, 4, 6, 2]
    assert (state.count("k", 19.0), state.count("k", 20.0), state.count("none", 0.0)) == (2, 0, 0)


def test_sets_count_different_members_up_to_a_limit(state: State) -> None:
    """And end as counters do."""
    assert [state.distinct("k", m, 10.0, 0.0) for m in ("a", "b", "a", "c")] == [1, 2, 2, 3]
    assert state.distinct("k", "a", 10.0, 10.0) == 1
    for i in range(MOST_DISTINCT + 5):
        last = state.distinct("many", str(i), 10.0, 0.0)
    assert last == MOST_DISTINCT == MOST_MEMBERS


def test_values_are_kept_for_their_time(state: State) -> None:
    """Replaced by the next, gone at the end; any text."""
    state.remember("k", "a", 10.0, 0.0)
    state.remember("k", "=é\n[1]", 10.0, 1.0)
    assert state.recall("k", 10.9) == "=é\n[1]"
    assert state.recall("k", 11.0) is None
    assert state.recall("none", 0.0) is None
    assert state.recall_many(["none", "k"], 5.0) == [None, "=é\n[1]"]
    assert state.recall_many([], 5.0) == []


def test_kinds_do_not_meet(state: State) -> None:
    """A counter and a value under one key are two things."""
    state.add("k", 3, 10.0, 0.0)
    state.remember("k", "v", 10.0, 0.0)
    state.distinct("k", "m", 10.0, 0.0)
    state.take("k", 1.0, 1, 0.0)
    assert (state.count("k", 1.0), state.recall("k", 1.0)) == (3, "v")


def test_any_text_is_a_key_and_a_value(state: State) -> None:
    """Lone surrogates, spaces, controls: account ids are other people's words."""
    for name in ("\ud800", "a b", "a\x00b", "é" * 1_000, ""):
        state.remember(name, name, 10.0, 0.0)
        assert state.recall(name, 1.0) == name
        assert state.distinct(name, name, 10.0, 0.0) == 1
        assert state.add(name, 1, 10.0, 0.0) == 1
        assert state.take(name, 1.0, 1, 0.0) == 0.0


def test_replicas_share_what_a_server_holds(server: Running) -> None:
    """Two connections, one bucket and one counter."""
    one, two = (ValkeyState(Server(server.url, prefix="shared", timeout_s=5.0)) for _ in range(2))
    assert [s.take("k", 1.0, 2, 0.0) == 0.0 for s in (one, two, one)] == [True, True, False]
    assert [s.add("k", 1, 10.0, 0.0) for s in (one, two)] == [1, 2]
    one.remember("k", "v", 10.0, 0.0)
    assert two.recall("k", 1.0) == "v"
    one.close()
    two.close()


def test_a_board_numbers_every_change(server: Running) -> None:
    """So that a replica sees that something is new without fetching it."""
    board = ValkeyBoard(Server(server.url, prefix="board", timeout_s=5.0))
    assert board.numbers(("a", "b")) == {}
    board.put("a", b"\x00one")
    assert (board.numbers(("a", "b")), list(board.pieces("a")), list(board.pieces("b"))) == (
        {"a": 1}, [b"\x00one"], [],
    )  # fmt: skip
    board.put("a", b"two")
    assert (board.numbers(("a",)), list(board.pieces("a"))) == ({"a": 2}, [b"two"])
    board.put("a", b"x" * (PIECE_BYTES + 1))
    assert [len(piece) for piece in board.pieces("a")] == [PIECE_BYTES, 1]
    board.close()


def test_a_server_that_is_gone_is_said_and_not_waited_for(tmp_path: Path) -> None:
    """The error names no address and no password; when it is back it is used again."""
    running = a_server(tmp_path)
    url = f"valkey://:s3cret-word@127.0.0.1:{running.port}/0"
    server = Server(url, timeout_s=1.0)
    state = ValkeyState(Server(running.url, timeout_s=1.0))
    assert state.add("k", 1, 1e6, 0.0) == 1
    running.stop()
    for call in (
        lambda: state.add("k", 1, 1e6, 0.0), lambda: state.take("k", 1.0, 1, 0.0), lambda: state.recall("k", 0.0),
        lambda: state.count("k", 0.0), lambda: state.distinct("k", "m", 1.0, 0.0),
        lambda: state.remember("k", "v", 1.0, 0.0), lambda: ValkeyBoard(server).numbers(("a",)),
    ):  # fmt: skip
        with pytest.raises(UpstreamError, match="the store cannot be reached") as caught:
            call()
        assert "s3cret" not in str(caught.value) and "127.0.0.1" not in str(caught.value)
    running.start()
    state._server._again_at = 0.0
    assert state.add("k", 1, 1e6, 0.0) == 1, "this server keeps nothing over a restart"
    running.stop()
    state.close()
    server.close()


def test_an_address_that_is_none_is_refused() -> None:
    """With a hint."""
    pytest.importorskip("valkey", reason="the client is not installed")
    with pytest.raises(ConfigError, match="not the address of a store"):
        Server("ftp://somewhere")


def test_the_file_outlives_the_process(tmp_path: Path) -> None:
    """What was flushed is there again, in every kind."""
    path = tmp_path / "s.sqlite"
    one = MemoryState(path)
    one.add("c", 5, 100.0, 0.0)
    one.remember("v", "=x", 100.0, 0.0)
    one.distinct("s", "a", 100.0, 0.0)
    one.take("b", 0.1, 1, 0.0)
    one.close()
    two = MemoryState(path)
    assert (two.count("c", 1.0), two.recall("v", 1.0), two.distinct("s", "b", 100.0, 1.0)) == (5, "=x", 2)
    assert two.take("b", 0.1, 1, 1.0) == pytest.approx(9.0)
    two.close()


def test_memory_is_bounded_in_memory_and_on_disk(tmp_path: Path) -> None:
    """What came first goes."""
    path = tmp_path / "s.sqlite"
    one = MemoryState(path, most=10)
    for i in range(25):
        one.remember(str(i), "v", 1e9, 0.0)
        if i == 8:
            one.flush()
    assert len(one) == 10
    assert (one.recall("0", 1.0), one.recall("24", 1.0)) == (None, "v")
    one.close()
    with sqlite3.connect(path) as file:
        assert file.execute("SELECT count(*) FROM state").fetchone() == (10,)
    file.close()


def test_a_file_is_of_one_process(tmp_path: Path) -> None:
    """A second one is told what to do instead; another kind of file is left alone."""
    path = tmp_path / "s.sqlite"
    one = MemoryState(path)
    one.remember("k", "v", 10.0, 0.0)
    one.flush()
    with pytest.raises(ConfigError, match="in use by another process"):
        MemoryState(path)
    one.close()
    other = tmp_path / "notes.txt"
    other.write_text("not a database, but somebody's notes " * 50)
    with pytest.raises(ConfigError, match="is not a state file"):
        MemoryState(other)
    assert other.read_text().startswith("not a database")
