"""Bad input costs the record and no more, and every loss has a line and a reason."""

from __future__ import annotations

import gzip
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from stillwatch.errors import ConfigError, SourceError
from stillwatch.ingest import Reader
from stillwatch.ingest.source import _walk
from stillwatch.records import EXCHANGE_SCHEMA
from tests.ingest.making import exchange, lines, read, reasons, rows_of

GOOD = lines(exchange())


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"{", "not valid JSON"),
        (b"[1, 2]", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b'{"a": NaN}', "not valid JSON: NaN or Infinity is not a JSON number"),
        (b'{"a": "\xff"}', "not valid UTF-8"),
        (b'{"a": ' * 5000 + b"1" + b"}" * 5000, "not valid JSON: nested too deeply"),
        (b"x" * 3000, "the record is longer than 2000 bytes"),
    ],
    ids=["cut", "array", "text", "nan", "encoding", "nested", "long"],
)
def test_a_broken_line_costs_itself_only(bad: bytes, reason: str) -> None:
    """The lines around a broken one are read, and the broken one is named."""
    limit = 2000 if "2000" in reason else 1 << 20
    rows, reader = read(GOOD + bad + b"\r\n\r\n" + lines(exchange(exchange_id="e2")), max_record_bytes=limit)
    assert [row["exchange_id"] for row in rows] == ["e1", "e2"]
    assert reasons(reader) == [(2, reason)]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"account_id": None}, "account_id is missing"),
        ({"account_id": ""}, "account_id is empty"),
        ({"exchange_id": "x" * 2000}, "exchange_id is longer than 1024 bytes"),
        ({"model": ["m"]}, "model is not text"),
        ({"started_at": "yesterday"}, "started_at is not a time"),
        ({"started_at": "1601-01-01T00:00:00Z"}, "started_at is before 2015-01-01"),
        ({"started_at": "2262-04-12T00:00:00Z"}, "started_at is not before 2100-01-01"),
        ({"started_at": 10**30}, "started_at is not a time"),
        ({"started_at": True}, "started_at is not a time"),
        ({"started_at": "0001-01-01T00:00:00+14:00"}, "started_at is before 2015-01-01"),
        ({"input_tokens": -1}, "input_tokens is negative"),
        ({"output_tokens": 10**12}, "output_tokens is larger than 1000000000"),
        ({"output_tokens": 2**70}, "output_tokens is not a whole number"),
        ({"output_tokens": 1.5}, "output_tokens is not a whole number"),
        ({"n": True}, "n is not a whole number"),
        ({"temperature": -0.5}, "temperature is negative"),
        ({"temperature": "warm"}, "temperature is not a number"),
        ({"latency_ms": 1e300}, "latency_ms is larger than 1e+10"),
        ({"status": 1000}, "status is larger than 999"),
        ({"stream": "maybe"}, "stream is not true or false"),
        ({"sealed_in": 7}, "sealed_in is not a list of texts"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_unbelievable_value_costs_its_record(changes: dict[str, Any], reason: str) -> None:
    """A value that no server could have served is refused by name, and never quoted."""
    rows, reader = read(lines(exchange(**changes), exchange(exchange_id="ok")))
    assert [row["exchange_id"] for row in rows] == ["ok"]
    assert reasons(reader) == [(1, reason)]
    assert (reader.total.read, reader.total.accepted, reader.total.rejected) == (2, 1, 1)


@pytest.mark.parametrize(
    "when",
    [
        1795493690, 1795493690000, 1795493690000000, 1795493690000000000, "1795493690", 1795493690.0,
        "2026-11-24T04:14:50", "2026-11-24 04:14:50", "2026-11-24T06:14:50+02:00", "2026-11-24T04:14:50.000000000Z",
    ],
)  # fmt: skip
def test_times_in_any_dress_are_the_same_moment(when: Any) -> None:
    """Epochs in four units, offsets, a missing zone and nanoseconds mean one moment."""
    rows, _ = read(
        lines(exchange(started_at=when), exchange(exchange_id="e2", started_at="2026-11-24T04:14:50Z"))
    )
    assert rows[0]["started_at"] == rows[1]["started_at"]


def test_odd_texts_are_kept() -> None:
    """NUL, half a surrogate pair and a prompt of 10 MB are texts like any other."""
    odd = lines(
        exchange(prompt="a\0b", completion="\ud800!"), exchange(exchange_id="e2", prompt="p" * 10_000_000)
    )
    rows, reader = read(odd)
    assert not reader.rejected
    assert (rows[0]["prompt"], rows[0]["completion"], len(rows[1]["prompt"])) == (
        "a\0b",
        "\ufffd!",
        10_000_000,
    )


def test_a_long_line_is_never_held() -> None:
    """64 MB in one line pass through within a few MB."""

    class Endless:
        left = 64 << 20

        def read(self, size: int) -> bytes:
            if self.left == 64 << 20:
                self.left -= 1
                return GOOD
            size = min(size, self.left)
            self.left -= size
            return b"x" * size if size else b""

    tracemalloc.start()
    reader = Reader(["-"], stdin=Endless(), max_record_bytes=1 << 20)  # type: ignore[arg-type]
    rows = rows_of(reader)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(rows) == 1
    assert reasons(reader) == [(2, "the record is longer than 1048576 bytes")]
    assert peak < 12 << 20


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress], ids=["gzip", "zstd"])
def test_packed_logs(pack: Any) -> None:
    """Compression is told by magic bytes; members one after another are one stream."""
    rows, reader = read(pack(GOOD) + pack(lines(exchange(exchange_id="e2"))))
    assert len(rows) == 2
    assert reader.recognised[0].compression in ("gzip", "zstd")


@pytest.mark.parametrize("pack", ["gzip", "zstd"])
def test_a_cut_stream_keeps_what_came_before(pack: str) -> None:
    """Rows before the cut are kept, and one refusal names the line where it happened."""
    many = b"".join(
        lines(exchange(exchange_id=f"{number:x}-{os.urandom(8).hex()}")) for number in range(20_000)
    )
    packed = gzip.compress(many) if pack == "gzip" else zstandard.ZstdCompressor().compress(many)
    rows, reader = read(packed[: len(packed) // 2])
    assert 1000 < len(rows) < 20_000
    assert reasons(reader) == [(len(rows) + 1, f"truncated: the {pack} stream ends before its end mark")]


def test_a_damaged_gzip_is_a_refusal() -> None:
    """Damage in the middle is named and does not stop the run."""
    packed = bytearray(gzip.compress(GOOD * 5000))
    packed[len(packed) // 2] ^= 0xFF
    _, reader = read(bytes(packed))
    assert len(reader.rejected) >= 1


def test_empty_is_a_note(tmp_path: Path) -> None:
    """An empty file is no error and no rows; it is noted and digested."""
    path = tmp_path / "empty.jsonl"
    path.write_bytes(b"\n \n")
    reader = Reader([str(path)])
    assert rows_of(reader) == []
    assert reader.notes == [f"{path}: empty"]
    assert len(reader.digests[str(path)]) == 64


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (os.urandom(4096).replace(b"{", b"x").replace(b"\n", b"x"), "not a log in any known format"),
        ('{"a": 1}'.encode("utf-16"), "UTF-16"),
        (b'{"unheard": 1}\n', "no known format"),
        (b"just some words\n", "not a log in any known format"),
    ],
)
def test_what_is_no_log_is_one_clear_error(data: bytes, message: str) -> None:
    """Unrecognised content ends in one error that lists the formats."""
    with pytest.raises(SourceError, match=message) as caught:
        read(b"\x80" + data if message.startswith("not a log") else data)
    assert caught.value.hint


def test_inputs_that_are_not_there(tmp_path: Path) -> None:
    """No input, an empty folder, a missing file and an idle pattern are errors, each with a hint."""
    for inputs in ([], [str(tmp_path)], [str(tmp_path / "none.jsonl")], [str(tmp_path / "*.jsonl")]):
        with pytest.raises(SourceError) as caught:
            Reader(inputs)
        assert caught.value.hint


def test_a_folder_is_read_in_order(tmp_path: Path) -> None:
    """Folders go deep, sorted, without hidden files; a stray file is refused whole; a link loop ends."""
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "2.jsonl").write_bytes(lines(exchange(exchange_id="second")))
    (tmp_path / "a.jsonl").write_bytes(GOOD)
    (tmp_path / ".hidden.jsonl").write_bytes(lines(exchange(exchange_id="hidden")))
    (tmp_path / "README.txt").write_bytes(b"about these logs\n")
    (tmp_path / "b" / "loop").symlink_to(tmp_path, target_is_directory=True)
    reader = Reader([str(tmp_path), str(tmp_path / "*.jsonl")])
    assert [row["exchange_id"] for row in rows_of(reader)] == ["e1", "second"]
    assert [(Path(each.source).name, each.line) for each in reader.rejected] == [("README.txt", 0)]
    assert len(reader.digests) == 3


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    """Two links back to the top would be two to the fortieth folders if they were followed each time."""
    (tmp_path / "log").write_bytes(GOOD)
    (tmp_path / "one").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "two").symlink_to(tmp_path, target_is_directory=True)
    assert [path.name for path in _walk(tmp_path)] == ["log"]


def test_a_folder_without_any_log_is_an_error(tmp_path: Path) -> None:
    """When nothing in a folder is a log, the run does not pass for a quiet one."""
    (tmp_path / "README.txt").write_bytes(b"words\n")
    with pytest.raises(SourceError):
        rows_of(Reader([str(tmp_path)]))


def test_every_record_refused_is_still_a_report() -> None:
    """A file of which nothing could be kept is counted to the last record."""
    _, reader = read(lines(*[exchange(account_id="")] * 30))
    assert (reader.total.read, reader.total.rejected, len(reader.rejected)) == (30, 30, 30)


def test_refusals_beyond_the_cap_are_counted_and_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list is bounded; the count and the callback are not."""
    monkeypatch.setattr("stillwatch.ingest.reader.KEPT_REJECTED", 5)
    seen: list[Any] = []
    _, reader = read(lines(*[exchange(model="")] * 9), on_rejected=seen.append)
    assert (len(reader.rejected), len(seen), reader.total.rejected) == (5, 9, 9)


def test_batches_have_the_contract_s_schema_and_size(tmp_path: Path) -> None:
    """Every batch has all columns in order, none is longer than asked for, and progress is told."""
    path = tmp_path / "log"
    path.write_bytes(b"\xef\xbb\xbf" + lines(*[exchange(exchange_id=str(n), extra=1) for n in range(25)]))
    told: list[tuple[str, int, int]] = []
    reader = Reader([str(path)], batch_rows=10, on_file=lambda *args: told.append(args))
    batches = list(reader.batches())
    assert [batch.num_rows for batch in batches] == [10, 10, 5]
    assert all(batch.schema == EXCHANGE_SCHEMA for batch in batches)
    assert told[-1] == (str(path), path.stat().st_size, path.stat().st_size)
    assert reader.capabilities[str(path)] == {"exchange_id", "started_at", "account_id", "model"}


def test_settings_that_contradict_each_other(tmp_path: Path) -> None:
    """Unknown formats, and formats beside mappings, are refused at once."""
    for options in ({"format": "nope"}, {"format": "mapping"}, {"batch_rows": 0}):
        with pytest.raises(ConfigError):
            Reader(["-"], **options)
    with pytest.raises(SourceError, match="do not come as"):
        read(b"a,b\n1,2\n", format="otlp-json")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"prompt":"' + b"a" * 400_000, "goes on beyond 256 KiB"),
        (b'{"prompt":"' + b"a" * 4_000, "cut short"),
        (b'{"weather":"fine"}\n', "of no known format"),
    ],
)
def test_what_cannot_be_told_is_said_for_what_it_is(tmp_path: Path, content: bytes, said: str) -> None:
    """A line without end, a file cut short and strange records are three different answers."""
    path = tmp_path / "log.jsonl"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=said):
        list(Reader([str(path)]).batches())


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_short_file_cut_short_keeps_what_came_before(pack: Callable[[bytes], bytes]) -> None:
    """Also when the cut comes before as many bytes as recognition looks at."""
    packed = pack(lines(*(exchange(exchange_id=f"e{i}", prompt=os.urandom(200).hex()) for i in range(480))))
    rows, reader = read(packed[: len(packed) * 2 // 3])
    assert 100 < len(rows) < 480
    assert "truncated" in reasons(reader)[-1][1]


@pytest.mark.parametrize("size", [300_000, 3_000_000])
def test_a_long_first_record_hides_no_file(size: int) -> None:
    """Whoever comes first in a log must not make it unreadable with a long answer, wherever the names lie."""
    first = {"completion": "x" * size, **exchange()}
    rows, reader = read(lines(first, *(exchange(exchange_id=f"n{i}") for i in range(3))))
    assert len(rows) == 4
    assert reader.recognised[0].format == "canonical"
    assert [len(read(lines(first).removesuffix(end))[0]) for end in (b"", b"\n")] == [1, 1]


def test_a_first_line_without_end_is_told_as_such() -> None:
    """Recognition gives up at the longest record that is allowed."""
    with pytest.raises(SourceError, match="the first line goes on beyond"):
        read(b'{"completion":"' + b"x" * 4_000_000, max_record_bytes=1_000_000)
