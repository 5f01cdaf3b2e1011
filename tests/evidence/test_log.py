"""The log: grows, survives a crash at every write, and notices what was done to it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.errors import ConfigError, StillwatchError, VerificationError
from stillwatch.evidence import merkle
from stillwatch.evidence.log import CHECKPOINT, Log
from stillwatch.evidence.note import note, sign
from stillwatch.evidence.tiles import tile_path
from stillwatch.store.tiles import TileFolder
from tests.evidence.making import Crash, Disk, a_key, entries, reader_of

ORIGIN = "log.example/evidence"


def signed(text: str) -> str:
    """A checkpoint signed by the tests' log key."""
    return note(text, [sign(text, a_key("log"), "log.example")])


def expected(count: int) -> bytes:
    """The root by the definition."""
    leaves = [merkle.leaf_hash(entry) for entry in entries(count)]
    return merkle.root(reader_of(leaves), count)


@pytest.mark.parametrize("count", [0, 1, 2, 255, 256, 257, 511, 512, 700])
def test_roots_and_proofs_of_a_log(count: int) -> None:
    """A log of any size has the tree's root and gives proofs that hold, also after it was opened again."""
    disk = Disk()
    Log(disk, origin=ORIGIN).append(entries(count))
    log = Log(disk, origin=ORIGIN)
    assert (log.size, log.root()) == (count, expected(count))
    assert log.audit() == count
    for index in range(0, count, 97):
        merkle.check_inclusion(
            merkle.leaf_hash(entries(1, index)[0]), index, count, log.inclusion(index), log.root()
        )
        assert log.entry(index) == entries(1, index)[0]
    for old in range(1, count, 89):
        merkle.check_consistency(old, count, log.consistency(old), log.root(old), log.root())


def test_two_levels_of_tiles() -> None:
    """66,000 leaves fill a tile of the second level; the log opens again with the same root and audits."""
    disk = Disk()
    log = Log(disk, origin=ORIGIN)
    for start in range(0, 66_000, 1000):
        log.append(entries(1000, start))
    assert disk.has(tile_path(1, 0))
    again = Log(disk, origin=ORIGIN)
    assert again.root() == log.root()
    merkle.check_inclusion(
        merkle.leaf_hash(entries(1, 65_900)[0]), 65_900, 66_000, again.inclusion(65_900), again.root()
    )
    assert again.audit() == 66_000


@pytest.mark.parametrize("keep", [0.0, 0.6, 1.0])
def test_a_crash_at_every_write(keep: float) -> None:
    """Whatever write the machine dies at, what was acknowledged is there, in order, once, and nothing is invented."""
    whole = Disk()
    plan = [200, 40, 100, 180]

    def run(disk: Disk) -> int:
        done = 0
        try:
            log = Log(disk, origin=ORIGIN)
            for size in plan:
                log.append(entries(size, done))
                done += size
                log.publish(signed)
        except Crash:
            pass
        return done

    run(whole)
    for crash in range(whole.writes):
        disk = Disk(left=crash, keep=keep)
        acknowledged = run(disk)
        disk.left = None
        log = Log(disk, origin=ORIGIN)
        assert log.size >= acknowledged
        assert list(log.entries()) == entries(log.size)
        log.append(entries(600 - log.size, log.size))
        assert log.root() == expected(600)
        assert log.audit() == 600


def test_a_crash_during_recovery() -> None:
    """Opening may be interrupted at every write as well."""
    before = Disk()
    log = Log(before, origin=ORIGIN)
    log.append(entries(255))
    torn = Disk(dict(before.files), left=2)
    with pytest.raises(Crash):
        Log(torn, origin=ORIGIN).append(entries(1, 255))
    for crash in range(6):
        disk = Disk(dict(torn.files), left=crash)
        with suppress(Crash):
            Log(disk, origin=ORIGIN)
        disk.left = None
        assert Log(disk, origin=ORIGIN).root() == expected(256)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 300), max_size=4), st.integers(0, 40), st.floats(0, 1))
def test_any_pattern_of_appends_and_one_crash(sizes: list[int], crash: int, keep: float) -> None:
    """Looked for and appended where it is missing, every entry is in the log exactly once and in order."""
    disk = Disk(left=crash, keep=keep)
    wanted = entries(sum(sizes))
    at = 0
    for size in sizes:
        try:
            Log(disk, origin=ORIGIN).append(wanted[at : at + size])
        except Crash:
            disk.left = None
            log = Log(disk, origin=ORIGIN)
            for entry in wanted[at : at + size]:
                if entry not in log.entries(at):
                    log.append([entry])
        at += size
    disk.left = None
    log = Log(disk, origin=ORIGIN)
    assert list(log.entries()) == wanted


def test_after_a_failed_write_the_log_says_so() -> None:
    """It does not go on from a state that it is unsure of."""
    disk = Disk(left=0)
    log = Log(Disk(), origin=ORIGIN)
    log.files = disk
    with pytest.raises(Crash):
        log.append(entries(1))
    with pytest.raises(StillwatchError, match="earlier write"):
        log.append(entries(1))


def test_truncated_rewritten_and_foreign_logs_do_not_open() -> None:
    """A checkpoint that was published holds the log to it."""
    disk = Disk()
    log = Log(disk, origin=ORIGIN)
    log.append(entries(300))
    log.publish(signed)
    cut = Disk({**disk.files, "pending/1": b""})
    with pytest.raises(VerificationError, match="truncated"):
        Log(cut, origin=ORIGIN)
    other = Disk()
    rewritten = Log(other, origin=ORIGIN)
    rewritten.append([b"another", *entries(299, 1)])
    other.files[CHECKPOINT] = disk.files[CHECKPOINT]
    with pytest.raises(VerificationError, match="rewritten"):
        Log(other, origin=ORIGIN)
    with pytest.raises(VerificationError, match="not of"):
        Log(disk, origin="somebody.else/log")


def test_the_audit_sees_a_changed_entry_and_a_changed_tile() -> None:
    """Opening looks at the edge; the audit looks at everything."""
    disk = Disk()
    Log(disk, origin=ORIGIN).append(entries(600))
    for path in (tile_path("entries", 0), tile_path(0, 0)):
        bad = Disk(dict(disk.files))
        data = bytearray(bad.files[path])
        data[5] ^= 1
        bad.files[path] = bytes(data)
        with pytest.raises(VerificationError):
            Log(bad, origin=ORIGIN).audit()
    bad = Disk(dict(disk.files))
    del bad.files[tile_path(0, 0)]
    with pytest.raises(VerificationError, match="missing"):
        Log(bad, origin=ORIGIN).audit()


@pytest.mark.parametrize("count", [40, 256, 300])
def test_the_audit_sees_a_changed_partial_tile(count: int) -> None:
    """What others read of the right edge is held against the entries too: each file, changed or taken away."""
    disk = Disk()
    log = Log(disk, origin=ORIGIN)
    log.append(entries(count))
    log.publish(signed)
    partial = [name for name in disk.files if ".p/" in name]
    assert partial
    for name in partial:
        changed = {**disk.files, name: b"\1" + disk.files[name][1:]}
        without = {n: data for n, data in disk.files.items() if n != name}
        for files in (changed, without):
            with pytest.raises(VerificationError, match=name):
                Log(Disk(files), origin=ORIGIN).audit()


def test_whoever_reads_mends_nothing() -> None:
    """A log that was left or made unfinished reads whole, says what is unfinished, and stays as it is."""
    disk = Disk()
    Log(disk, origin=ORIGIN).append(entries(300))
    disk.files["pending/1"] += b"torn"
    del disk.files[tile_path(0, 0)]
    disk.files["pending/0"] = b"left"
    before = dict(disk.files)
    log = Log(disk, origin=ORIGIN, mend=False)
    assert (log.size, log.root(), log.audit()) == (300, expected(300), 300)
    assert sorted(log.unfinished) == ["pending/0", "pending/1", tile_path(0, 0)]
    for write in (lambda: log.append(entries(1)), lambda: log.publish(signed)):
        with pytest.raises(StillwatchError, match="for reading"):
            write()
    assert disk.files == before
    assert sorted(Log(disk, origin=ORIGIN).unfinished) == sorted(log.unfinished), "mended just now"
    assert not Log(disk, origin=ORIGIN).unfinished


def test_nothing_is_mended_in_a_log_that_does_not_fit_its_checkpoint() -> None:
    """A changed byte among the newest entries is told, and what lies behind it is still there."""
    disk = Disk()
    log = Log(disk, origin=ORIGIN)
    log.append(entries(40))
    log.publish(signed)
    disk.files["pending/0"] = b"\1" + disk.files["pending/0"][1:]
    before = dict(disk.files)
    for _ in range(2):
        with pytest.raises(VerificationError, match="truncated"):
            Log(disk, origin=ORIGIN)
    assert disk.files == before


def test_what_others_read() -> None:
    """After publishing, a client of tlog-tiles finds bundles, tiles and partial tiles under the names of the format."""
    disk = Disk()
    log = Log(disk, origin=ORIGIN)
    log.append(entries(300))
    text = log.publish(signed)
    assert disk.files["checkpoint"].decode() == text
    assert {
        "tile/0/000",
        "tile/0/001.p/44",
        "tile/1/000.p/1",
        "tile/entries/000",
        "tile/entries/001.p/44",
    } <= set(disk.files)
    assert len(disk.files["tile/0/001.p/44"]) == 44 * 32


def test_an_entry_that_is_too_long_is_refused() -> None:
    """Before anything is written."""
    disk = Disk()
    with pytest.raises(StillwatchError, match="too long"):
        Log(disk, origin=ORIGIN).append([b"x" * 65_536])
    assert not disk.files


def test_a_real_folder(tmp_path) -> None:
    """On disk the same; a second writer is refused; a part left by a crash is swept."""
    with TileFolder(tmp_path / "log") as files:
        Log(files, origin=ORIGIN).append(entries(300))
        with pytest.raises(ConfigError, match="another process"):
            TileFolder(tmp_path / "log")
    (tmp_path / "log" / ".part").write_bytes(b"torn")
    with (tmp_path / "log" / "pending" / "1").open("ab") as journal:
        journal.write(b"\0\0\0\x09torn")
    with TileFolder(tmp_path / "log") as files:
        log = Log(files, origin=ORIGIN)
        assert (log.size, log.root()) == (300, expected(300))
    assert not (tmp_path / "log" / ".part").exists()


def test_a_reader_of_a_real_folder_writes_nothing(tmp_path) -> None:
    """Readers share a folder, keep a writer out while they read, and make no folder; it may be one nobody may write."""
    with TileFolder(tmp_path / "log") as files:
        Log(files, origin=ORIGIN).append(entries(3))
        with pytest.raises(ConfigError, match="another process"):
            TileFolder(tmp_path / "log", reading=True)
    (tmp_path / "log" / ".part").write_bytes(b"torn")
    before = sorted(p.name for p in (tmp_path / "log").iterdir())
    with TileFolder(tmp_path / "log", reading=True) as one, TileFolder(tmp_path / "log", reading=True) as two:
        assert {Log(each, origin=ORIGIN, mend=False).size for each in (one, two)} == {3}
        with pytest.raises(ConfigError, match="another process"):
            TileFolder(tmp_path / "log")
        writes: list[Callable[[], None]] = [
            lambda: one.put("a", b""), lambda: one.append("a", b""), lambda: one.cut("a", 0), lambda: one.remove("a"),
        ]  # fmt: skip
        for write in writes:
            with pytest.raises(StillwatchError, match="for reading"):
                write()
    assert sorted(p.name for p in (tmp_path / "log").iterdir()) == before
    with pytest.raises(ConfigError, match="no log"):
        TileFolder(tmp_path / "none", reading=True)
    assert not (tmp_path / "none").exists()
