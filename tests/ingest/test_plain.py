"""Lines that are read column by column mean what they mean when they are read one by one."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stillwatch.ingest.assemble import EXCHANGE_REQUIRED, EXCHANGE_SCHEMA, Limits, from_rows
from stillwatch.ingest.bulk import line_batches
from stillwatch.ingest.framing import Framed
from stillwatch.ingest.jsontext import decode
from stillwatch.ingest.plainjson import read_plain
from stillwatch.ingest.refusal import Refusal
from tests.ingest.making import exchange

Seen = tuple[list[dict[str, Any]], list[tuple[int, str]]]
LIMITS = Limits(max_record_bytes=4000)


def one_by_one(lines: list[bytes]) -> Seen:
    """Each line decoded and cast alone: what the reader did for every line before."""
    rows: list[dict[str, Any]] = []
    refused = []
    for number, line in enumerate(lines, 1):
        record = decode(line)
        if isinstance(record, Refusal):
            refused.append((number, record.reason))
            continue
        batch, reasons = from_rows([record], EXCHANGE_SCHEMA, EXCHANGE_REQUIRED, LIMITS)
        rows += batch.to_pylist()
        refused += [(number, reason) for reason in reasons.values()]
    return rows, refused


def _note(refused: list[tuple[int, str]], number: int, reason: str) -> None:
    refused.append((number, reason))


def in_bulk(lines: list[bytes], most: int = 8192, most_bytes: int = 1 << 26) -> Seen:
    """The same lines through `line_batches`."""
    rows: list[dict[str, Any]] = []
    refused: list[tuple[int, str]] = []
    framed: list[Framed] = list(enumerate(lines, 1))
    refuse = partial(_note, refused)
    for found in line_batches(iter(framed), LIMITS, most=most, most_bytes=most_bytes, refuse=refuse):
        found.batch.validate(full=True)
        assert found.batch.schema == EXCHANGE_SCHEMA
        rows += found.batch.to_pylist()
        refused += [(found.lines[row], reason) for row, reason in found.reasons.items()]
    return rows, sorted(refused)


def not_plain(line: bytes) -> bool:
    """Is a line left to the long way?"""
    return len(read_plain([line], EXCHANGE_SCHEMA).other) == 1


TEXTS = st.text(max_size=12) | st.sampled_from(
    ['"', "\\", "\n", "a\tb", "\0", "\ud83d\ude00", "é", "ﬀ", "𝄞", "/"]
)
NUMBERS = (
    st.integers(-(2**66), 2**66)
    | st.integers(-3, 1000)
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.sampled_from([0, -0.0, 1e-7, 2**53 + 1, 0.1, 1795493462, 1795493462984])
)
TIMES = st.datetimes().map(lambda t: t.isoformat() + "Z") | st.sampled_from([
    "2026-11-24T04:14:50Z", "2026-11-24T04:14:50.5+02:00", "2026-02-29T00:00:00Z", "2024-02-29T23:59:59.999999-14:00",
    "2026-11-24 04:14:50", "2026-11-24T04:14:50", "2026-11-24T24:00:00Z", "2026-11-24T04:14:60Z", "2026-11-24",
    "2100-01-01T00:00:00Z", "1970-01-01T00:00:00+01:00", "2026-11-24T04:14:50.1234567Z", "2026-11-24T04:14:50.Z",
    "2026-13-01T00:00:00Z", "2026-11-24T04:14:50z", "2026-11-24T04:14:50+0200", "2014-12-31T23:59:59Z", "", "soon",
])  # fmt: skip
WORDS: st.SearchStrategy[Any] = st.sampled_from([None, True, False])
SCALARS = TEXTS | NUMBERS | WORDS
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
FITTING: dict[Any, st.SearchStrategy[Any]] = {
    pa.string(): TEXTS, pa.int64(): st.integers(0, 10**6), pa.float64(): st.floats(0, 1000), pa.bool_(): st.booleans(),
    EXCHANGE_SCHEMA.field("started_at").type: TIMES,
    EXCHANGE_SCHEMA.field("sealed_in").type: st.lists(TEXTS, max_size=3),
    EXCHANGE_SCHEMA.field("client_headers").type: st.dictionaries(
        st.sampled_from(["x-stainless-os", "User-Agent", "authorization", "accept", "a\\b"]), TEXTS, max_size=3
    ),
}  # fmt: skip
FIELDS = {f.name: WORDS | FITTING[f.type] | ANYTHING for f in EXCHANGE_SCHEMA}
RECORDS = st.fixed_dictionaries(
    {}, optional=FIELDS | {"extra": ANYTHING, "promp": SCALARS, "prompts": SCALARS, "p\u0072ompt\n": SCALARS}
)


@st.composite
def written(draw: st.DrawFn) -> bytes:
    """One record as some log might write it, more often sound than not, and now and then damaged."""
    record = draw(RECORDS)
    if draw(st.integers(0, 9)):
        record = exchange() | record
    ascii_only, spaced = draw(st.booleans()), draw(st.booleans())
    text = json.dumps(record, ensure_ascii=ascii_only, separators=None if spaced else (",", ":"))
    line = text.encode("utf-8", "surrogatepass")
    if not draw(st.integers(0, 3)):
        at, cut = draw(st.integers(0, len(line))), draw(st.integers(0, 2))
        noise = draw(
            st.binary(max_size=2) | st.sampled_from([b",", b"}", b'"', b"\\", b"\\ud800", b" \t\r", b"1"])
        )
        line = line[:at] + noise + line[at + cut :]
    return line.replace(b"\n", b" ")


@settings(max_examples=400, deadline=None)
@given(st.lists(written(), min_size=1, max_size=6), st.integers(1, 4))
@example([b'{"model":"a","model":"b"}', b"{}", b" { } ", b"", b"[]", b"{"], 2)
def test_bulk_reading_changes_nothing(lines: list[bytes], most: int) -> None:
    """Whatever a log holds, rows, refusals and their reasons are those of reading record by record."""
    rows, refused = one_by_one(lines)
    for seen in (in_bulk(lines), in_bulk(lines, most), in_bulk(lines, most_bytes=200)):
        assert repr(seen) == repr((rows, sorted(refused)))


@pytest.mark.parametrize(
    "part",
    [
        b'"prompt":"a \\ud83d\\ude00 \\u00e9 \\n \\" \\\\ \\/"', '"prompt":"é € 𝄞"'.encode(),
        b'"temperature":0.1,"n":-3',
        b'"client_headers":{"accept":"*/*"},"sealed_in":["a","b"]', b'"stream":true,"seed":null',
        b'"extra":"x","y":2.5',
        b' "started_at" : "2026-11-24T04:14:50.123+05:30" , "turn" : 1 ', b'"sealed_out":[],"client_headers":{}',
    ],
)  # fmt: skip
def test_sound_lines_are_plain(part: bytes) -> None:
    """What logs write day in and day out takes the quick way."""
    assert not not_plain(b"{" + part + b"}")
    assert not not_plain(b"\t{" + part + b"}\r")


@pytest.mark.parametrize(
    "line",
    [
        b'{"prompt":"\\ud83d"}', b'{"prompt":"\\ude00\\ud83d"}', b'{"prompt":"\xff"}', b'{"prompt":"\xed\xa0\x80"}',
        b'{"prompt":"\xc0\x80"}', b'{"prompt":"\x01"}', b'{"prompt":1}', b'{"prompt":["a"]}', b'{"n":1.0}', b'{"n":01}',
        b'{"n":-0}', b'{"n":9223372036854775808}', b'{"temperature":1e3}', b'{"temperature":NaN}', b'{"n":1}{"n":2}',
        b'{"n":1,"n":1}', b'{"n":null,"n":1}', b'{"\\u006e":1}', b'{"extra":{}}', b'{"extra":nul}', b'{"n":1,}',
        b'{"n":1', b'{"n"}', b'{"n":}', b'{,}', b"", b"[]", b'{"sealed_in":["a",]}', b'{"client_headers":{"a":1}}',
        b'{"started_at":"2026-02-29T00:00:00Z"}', b'{"started_at":"2026-11-24"}', b'{"extra":-}', b'{"extra":1.}',
    ],
)  # fmt: skip
def test_anything_odd_goes_the_long_way(line: bytes) -> None:
    """The quick way gives up a line rather than decide what it means."""
    assert not_plain(line)
