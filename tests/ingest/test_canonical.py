"""The contract's own shape in its containers, and what is derived from conversations."""

from __future__ import annotations

import gzip
import io
import json
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.errors import SourceError, StillwatchError
from stillwatch.ingest import Reader, derive_text
from stillwatch.ingest.sealed import digest
from stillwatch.records import EXCHANGE_SCHEMA
from tests.ingest.making import exchange, lines, read, reasons, rows_of

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def parquet(columns: dict[str, Any], path: Path) -> Reader:
    """Write columns to a Parquet file and open it."""
    pq.write_table(pa.table(columns), path)
    return Reader([str(path)])


def required(rows: int, **more: Any) -> dict[str, Any]:
    """The required columns for so many rows."""
    ids = [f"e{row}" for row in range(rows)]
    return {"exchange_id": ids, "started_at": [NOON] * rows, "account_id": ids, "model": ["m"] * rows, **more}


def test_parquet_of_other_types_is_cast(tmp_path: Path) -> None:
    """Dictionaries, large texts, narrow and wide numbers and naive times become the contract's types."""
    columns = required(2)
    columns["started_at"] = pa.array([1795521600, 1795521600], pa.timestamp("s"))
    columns["model"] = pa.array(["m", "m"]).dictionary_encode()
    columns["prompt"] = pa.array(["p", None], pa.large_string())
    columns["input_tokens"] = pa.array([1, 2], pa.uint8())
    columns["output_tokens"] = pa.array([3.0, 4.0])
    columns["status"] = pa.array(["200", None])
    columns["temperature"] = pa.array([1, None], pa.int32())
    columns["sealed_in"] = pa.array([["a"], None], pa.large_list(pa.string()))
    columns["client_headers"] = pa.array([[("X-Stainless-OS", "Linux"), ("Cookie", "c")], None],
                                         pa.map_(pa.string(), pa.string()))  # fmt: skip
    columns["messages"] = pa.array([[{"role": "user", "content": "hi"}], None])
    reader = parquet(columns, tmp_path / "x.parquet")
    first, second = rows_of(reader)
    assert not reader.rejected
    assert first["started_at"] == second["started_at"] == NOON
    assert first["client_headers"] == [("x-stainless-os", "Linux")]
    assert first["messages"] == '[{"role":"user","content":"hi"}]'
    assert (first["input_tokens"], first["output_tokens"], first["status"], first["temperature"]) == (
        1,
        3,
        200,
        1.0,
    )
    assert first["sealed_in"] == ["a"]


@pytest.mark.parametrize(
    "times",
    [
        pa.array([1795521600_000_000_123], pa.timestamp("ns", tz="Europe/Paris")),
        pa.array([1795521600_000], pa.int64()),
        pa.array(["2026-11-24T12:00:00Z"]),
        pa.array(["2026-11-24 12:00:00"], pa.large_string()),
        pa.array([1795521600.0]),
    ],
)
def test_parquet_times(times: pa.Array, tmp_path: Path) -> None:
    """Times of any unit, zone or dress are the same moment."""
    reader = parquet({**required(1), "started_at": times}, tmp_path / "x.parquet")
    assert [row["started_at"] for row in rows_of(reader)] == [NOON]


@pytest.mark.parametrize("suffix", ["parquet", "jsonl", "jsonl.gz"])
def test_a_source_is_known_by_the_digest_of_its_bytes(suffix: str, tmp_path: Path) -> None:
    """What a run says was read is the SHA-256 of the file as it lies there, whatever way it was read."""
    path = tmp_path / f"x.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.table(required(3000)), path, row_group_size=1000)
    else:
        text = lines(*(exchange(exchange_id=f"e{i}") for i in range(3000)))
        path.write_bytes(gzip.compress(text) if suffix.endswith("gz") else text)
    reader = Reader([str(path)])
    assert sum(batch.num_rows for batch in reader.batches()) == 3000
    assert reader.digests == {str(path): sha256(path.read_bytes()).hexdigest()}


def test_parquet_rows_are_refused_one_by_one(tmp_path: Path) -> None:
    """A column with a few bad cells costs those rows, with row number and reason."""
    columns = required(8)
    columns["account_id"] = ["a", None, "a", "a", "a", "a", "a", ""]
    columns["temperature"] = [0.5, 0.5, float("nan"), float("inf"), 0.5, -1.0, 0.5, 0.5]
    columns["input_tokens"] = ["1", "1", "1", "1", "x", "1", "1", "1"]
    moments = [1795521600_000] * 6 + [2**60, 1795521600_000]
    columns["started_at"] = pa.array(moments, pa.timestamp("ms"))
    reader = parquet(columns, tmp_path / "x.parquet")
    assert [row["exchange_id"] for row in rows_of(reader)] == ["e0"]
    assert reasons(reader) == [
        (2, "account_id is missing"),
        (3, "temperature is not a finite number"),
        (4, "temperature is not a finite number"),
        (5, "input_tokens is not a whole number"),
        (6, "temperature is negative"),
        (7, "started_at is not before 2100-01-01"),
        (8, "account_id is empty"),
    ]


def test_parquet_text_that_is_not_utf8(tmp_path: Path) -> None:
    """Parquet does not check its texts; the row with a false one is refused, not the file."""
    raw = pa.array([b"fine", b"\xff\xfe"], pa.binary())
    false = pa.StringArray.from_buffers(2, raw.buffers()[1], raw.buffers()[2])
    reader = parquet({**required(2), "prompt": false}, tmp_path / "x.parquet")
    assert [row["prompt"] for row in rows_of(reader)] == ["fine"]
    assert reasons(reader) == [(2, "prompt is not text")]


def test_parquet_without_required_columns_names_them(tmp_path: Path) -> None:
    """One error names every column that is missing."""
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"exchange_id": ["e"], "account_id": ["a"], "other": [1]}), path)
    with pytest.raises(SourceError, match="no column model, started_at"):
        rows_of(Reader([str(path)]))


def test_parquet_cut_short(tmp_path: Path) -> None:
    """A Parquet file without its footer is one clear error."""
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table(required(100)), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SourceError, match="damaged or cut"):
        rows_of(Reader([str(path)]))


def test_parquet_from_standard_input_and_inside_gzip() -> None:
    """Parquet that cannot be sought is set aside first."""
    sink = io.BytesIO()
    pq.write_table(pa.table(required(3)), sink)
    for data in (sink.getvalue(), gzip.compress(sink.getvalue())):
        rows, reader = read(data)
        assert len(rows) == 3
        assert reader.recognised[0].format == "canonical"


def test_csv_with_lines_inside_cells() -> None:
    """Quoted cells may hold commas, line ends and blank lines; numbers and lists are read from text."""
    data = (
        'exchange_id,started_at,account_id,model,prompt,n,sealed_in\r\n'
        'e1,2026-11-24T04:14:50Z,a,m,"one, two\n\nthree",2,"[""d""]"\r\n'
        "e2,1795493690,a,m,,,\r\n"
    )  # fmt: skip
    rows, _ = read(data.encode())
    assert (rows[0]["prompt"], rows[0]["n"], rows[0]["sealed_in"]) == ("one, two\n\nthree", 2, ["d"])
    assert rows[1]["started_at"] == rows[0]["started_at"]


def test_a_csv_quote_that_never_closes_is_refused() -> None:
    """It would otherwise swallow the rest of the file in silence."""
    data = (
        b'exchange_id,started_at,account_id,model,prompt\ne,1795493690,a,m,x\ne,1795493690,a,m,"open\n'
        + b"e,1,a,m,x\n" * 3
    )
    rows, reader = read(data)
    assert len(rows) == 1
    assert reasons(reader) == [(6, "not a valid CSV row")]


@pytest.mark.parametrize("layout", ["lines", "array", "pretty", "pretty array", "envelope", "concatenated"])
def test_json_in_any_layout(layout: str) -> None:
    """Lines, arrays, pretty documents and documents one after another hold the same records."""
    records = [exchange(prompt='a "}] b\\'), exchange(exchange_id="e2")]
    data = {
        "lines": lines(*records),
        "array": json.dumps(records).encode(),
        "pretty": b"\n".join(json.dumps(record, indent=2).encode() for record in records),
        "pretty array": json.dumps(records, indent=1).encode(),
        "envelope": lines(*records).replace(b"\n", b"\r\n"),
        "concatenated": b"".join(json.dumps([record]).encode() for record in records),
    }[layout]
    rows, reader = read(data)
    assert [row["exchange_id"] for row in rows] == ["e1", "e2"]
    assert rows[0]["prompt"] == 'a "}] b\\'
    assert not reader.rejected


def test_words_are_derived_from_messages() -> None:
    """The last user message that says something is the prompt; tool results are not words."""
    talk = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}]},
        {"role": "user", "content": [{"type": "tool_result", "content": "42"}]},
    ]
    rows, _ = read(lines(exchange(messages=talk), exchange(exchange_id="e2", messages=talk, prompt="kept")))
    assert (rows[0]["prompt"], rows[0]["system_prompt"]) == ("One\nTwo", "Be brief.")
    assert rows[1]["prompt"] == "kept"


def test_sealed_blocks_become_digests() -> None:
    """No sealed block survives in the messages, and the same block has the same digest anywhere."""
    blob = "EmwKAhgBIkRlY3J5cHQgbWU="
    talk = [
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": blob}]},
        {"type": "reasoning", "encrypted_content": blob, "summary": []},
        {"role": "user", "content": "go on"},
    ]
    rows, _ = read(lines(exchange(messages=json.dumps(talk))))
    assert rows[0]["sealed_in"] == [digest(blob)]
    assert blob not in rows[0]["messages"]
    assert rows[0]["prompt"] == "go on"


def test_deriving_without_messages_is_no_work() -> None:
    """A batch without messages comes back as it is."""
    batch = pa.RecordBatch.from_pylist([{"exchange_id": "e"}], schema=EXCHANGE_SCHEMA)
    assert derive_text(batch) is batch


def test_messages_that_are_no_json_are_left_alone() -> None:
    """A conversation that cannot be parsed stays a text and costs nothing."""
    rows, reader = read(lines(exchange(messages="[broken")))
    assert rows[0]["messages"] == "[broken"
    assert not reader.rejected


TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
RECORD = st.fixed_dictionaries(
    {
        "exchange_id": TEXT.filter(bool),
        "started_at": st.datetimes(datetime(2015, 1, 1), datetime(2099, 12, 31)).map(  # noqa: DTZ001
            lambda time: time.replace(tzinfo=UTC)
        ),
        "account_id": TEXT.filter(bool),
        "model": TEXT.filter(bool),
    },
    optional={
        "prompt": TEXT,
        "seed": st.integers(-(2**63), 2**63 - 1),
        "input_tokens": st.integers(0, 10**9),
        "temperature": st.floats(0, 100),
        "stream": st.booleans(),
        "sealed_out": st.lists(TEXT, max_size=3),
    },
)


@settings(max_examples=60, deadline=None)
@given(st.lists(RECORD, min_size=1, max_size=8))
def test_canonical_lines_round_trip(records: list[dict[str, Any]]) -> None:
    """What is written as JSON lines is read back field by field."""
    written = [{**record, "started_at": record["started_at"].isoformat()} for record in records]
    rows, reader = read(lines(*written))
    assert not reader.rejected
    assert rows == records


HEADS = st.sampled_from(
    [b"", b"{", b"[", b'{"resourceSpans":', b"\x0a\x20\x12\x1e", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"PAR1",
     b"a,b\n",
     lines(exchange()), b"[" + json.dumps(exchange()).encode()]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    HEADS,
    st.binary(max_size=300),
    st.sampled_from([None, "litellm", "otlp-json", "otlp-proto", "bedrock", "openai"]),
)
def test_random_bytes_raise_only_our_errors(head: bytes, tail: bytes, format: str | None) -> None:
    """Whatever is thrown at the reader, only a StillwatchError comes back."""
    try:
        read(head + tail, format=format, max_record_bytes=10_000)
    except StillwatchError as error:
        assert error.hint


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(
    """
    messages response request metadata startTime model choices content input output usage
    resourceSpans scopeSpans spans attributes key value headers type inputBodyJson modelId
    litellm_call_id id role delta standard_logging_object data model_parameters status
    """.split()
)
SHAPED = st.recursive(
    JSON, lambda inner: st.dictionaries(NAMES, inner, max_size=6) | st.lists(inner, max_size=3), max_leaves=25
)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(NAMES, SHAPED, max_size=8),
    st.sampled_from(["canonical", "litellm", "litellm-spend", "otlp-json", "openai", "bedrock", "langfuse"]),
)
def test_hostile_shapes_cost_their_record_only(record: dict[str, Any], format: str) -> None:
    """A record with the right names and the wrong shapes is refused or skipped, and the next one is read."""
    _, reader = read(lines(record, record), format=format)
    total = reader.total
    assert total.read == 2
    silent = format == "canonical" or any(name in record for name in ("data", "resourceSpans"))
    assert silent or total.accepted + total.rejected + total.skipped + total.merged == 2


@pytest.mark.parametrize("seed", [2**63, 2**70, -(2**64), 1.5, "x" * 50, [1], float(2**80)])
def test_an_odd_seed_hides_nobody(seed: Any) -> None:
    """A client may send any seed and be served; it is left out and the record counts."""
    rows, reader = read(lines(exchange(seed=7), exchange(exchange_id="e2", seed=seed)))
    assert [row.get("seed") for row in rows] == [7, None]
    assert reader.rejected == []
