"""Bodies that come over HTTP are read as files are, within bounds, and never cost more than themselves."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from typing import Any

import pytest
import zstandard
from hypothesis import example, given
from hypothesis import strategies as st

from stillwatch.ingest import PostBounds, Posted, Reader, Unusable, read_posted
from stillwatch.ingest.posted import ENCODINGS, KINDS, unpack
from tests.ingest.making import fixture, rows_of
from tests.ingest.telemetry import (
    exchange_id,
    logs,
    logs_proto,
    payload,
    span,
    traces,
    traces_proto,
)

SMALL = PostBounds(max_unpacked_bytes=1 << 21, max_ratio=50, max_nesting=32, max_record_bytes=1 << 16)


def take(body: Any, kind: str, encoding: str = "identity", bounds: PostBounds = SMALL) -> Posted:
    """Read a body; a structure is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_posted(data, kind, encoding, bounds)


def ids(posted: Posted) -> list[str]:
    """The exchange ids that were read."""
    return [row["exchange_id"] for row in posted.rows]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("traces-json", traces(span(1), span(2))),
        ("traces-proto", traces_proto(span(1), span(2))),
        ("logs-json", logs(1, 2)),
        ("logs-proto", logs_proto(1, 2)),
    ],
)
def test_otlp_is_read_in_both_forms(kind: str, body: Any) -> None:
    """Traces and logs, protobuf and JSON, give the same exchanges."""
    posted = take(body, kind)
    assert ids(posted) == [exchange_id(1), exchange_id(2)]
    assert [row["prompt"] for row in posted.rows] == ["Say it again."] * 2
    assert posted.refused == []


@pytest.mark.parametrize("encode", [
    lambda items: json.dumps(items).encode(),
    lambda items: json.dumps(items, indent=1).encode(),
    lambda items: b"\n".join(json.dumps(item).encode() for item in items),
    lambda items: b"\xef\xbb\xbf\r\n" + b"\r\n".join(json.dumps(item).encode() for item in items) + b"\r\n",
    lambda items: b"".join(json.dumps(item, indent=2).encode() for item in items),
])  # fmt: skip
def test_litellm_is_read_in_every_log_format(encode: Any) -> None:
    """An array, JSON lines, or objects of any layout."""
    posted = take(encode([payload(1), payload(2)]), "litellm")
    assert ids(posted) == ["call-1", "call-2"]
    assert [row["account_id"] for row in posted.rows] == ["t-1", "t-2"]


def test_what_came_is_numbered_and_the_bad_ones_are_named() -> None:
    """Record 2 is no JSON, record 3 no object: both are refused by number, the others are kept."""
    body = b"\n".join([json.dumps(payload(1)).encode(), b"{nope}", b"[7]", json.dumps(payload(4)).encode()])
    posted = take(body, "litellm")
    assert ids(posted) == ["call-1", "call-4"]
    assert posted.lines == [1, 4]
    assert [line for line, _ in posted.refused] == [2, 3]


@pytest.mark.parametrize("broken", [
    {"status": "nonsense"}, {"attributes": [{"key": "gen_ai.request.model", "value": {"arrayValue": "x"}}]},
    {"attributes": [{"key": "gen_ai.request.model", "value": {"kvlistValue": 3}}]},
])  # fmt: skip
def test_a_misshapen_span_does_not_take_its_neighbours_along(broken: dict[str, Any]) -> None:
    """It is refused by itself; what comes after it is read."""
    posted = take(traces(span(1), span(2) | broken, span(3)), "traces-json")
    assert ids(posted) == [exchange_id(1), exchange_id(3)]
    assert posted.refused == [(2, "the attributes do not have the shape of a model call")]


def test_spans_that_are_no_model_call_are_counted() -> None:
    """They are neither kept nor refused."""
    tool = span(2, gen_ai__operation__name="execute_tool")
    posted = take(traces(span(1), tool), "traces-json")
    assert (ids(posted), posted.skipped, posted.refused) == ([exchange_id(1)], 1, [])


def test_a_span_and_its_event_in_one_request_are_one_exchange() -> None:
    """As in a file."""
    body = traces(span(1, gen_ai__input__messages=None), span(1)) | logs(2)
    posted = take(body, "traces-json")
    assert ids(posted) == [exchange_id(1), exchange_id(2)]
    assert posted.rows[0]["prompt"] == "Say it again."


@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [
        ("traces-json", b"", "not valid JSON"),
        ("traces-json", b"[]", "not a JSON object"),
        ("traces-json", b'{"a": 1', "not valid JSON"),
        ("traces-json", b'{"a": "\xff"}', "not valid UTF-8"),
        ("traces-json", b'{"other": []}', "not an export request of OTLP traces as JSON"),
        ("logs-json", json.dumps(traces(span(1))).encode(), "not an export request of OTLP logs as JSON"),
        ("traces-json", b'{"a":' * 40 + b"1" + b"}" * 40, "the JSON is nested deeper than 32 levels"),
        ("litellm", b"[" * 100_000, "the JSON is nested deeper than 32 levels"),
        ("litellm", b"id,model\n1,m\n", "neither a JSON array nor JSON lines"),
        ("traces-proto", b"\x0a\xff\xff\xff\xff\x0f", "not an export request of OTLP traces as protobuf"),
        ("logs-proto", b"hello", "not an export request of OTLP logs as protobuf"),
    ],
)
def test_a_body_that_cannot_be_read_says_why(kind: str, body: bytes, reason: str) -> None:
    """In words that do not quote it."""
    with pytest.raises(Unusable) as caught:
        take(body, kind)
    assert (caught.value.reason, caught.value.too_large) == (reason, False)


@pytest.mark.parametrize(
    ("kind", "body"), [("traces-json", b"{}"), ("traces-proto", b""), ("litellm", b"[]")]
)
def test_an_empty_request_is_nothing(kind: str, body: bytes) -> None:
    """Exporters send one now and then."""
    assert take(body, kind) == Posted([], [], size=len(body))


def packed(data: bytes, encoding: str) -> bytes:
    """Data in a Content-Encoding."""
    if encoding == "gzip":
        return gzip.compress(data)
    return zstandard.compress(data) if encoding == "zstd" else data


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_is_undone(encoding: str) -> None:
    """The same rows whatever the packing."""
    body = packed(traces_proto(span(1)), encoding)
    assert ids(take(body, "traces-proto", encoding)) == [exchange_id(1)]


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize("size", [SMALL.max_unpacked_bytes + 1, 1 << 28])
def test_a_bomb_is_refused_before_it_goes_off(encoding: str, size: int) -> None:
    """Memory stays near the bound whatever the body would have become."""
    body = packed(bytes(size), encoding)
    tracemalloc.start()
    with pytest.raises(Unusable) as caught:
        take(body, "traces-proto", encoding)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.too_large
    assert peak < 4 * SMALL.max_unpacked_bytes + (1 << 23)


def test_a_steep_ratio_is_refused_only_where_it_matters() -> None:
    """A small body of repeated text may unpack to many times its length; a large one may not."""
    mild = packed(b" " * (1 << 20), "gzip")
    assert len(unpack(mild, "gzip", SMALL)) == 1 << 20
    with pytest.raises(Unusable, match="unpacks to more"):
        unpack(packed(b" " * (1 << 21), "gzip"), "gzip", SMALL)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_damaged_packing_is_refused(encoding: str) -> None:
    """Cut anywhere, or not that packing at all."""
    whole = packed(traces_proto(span(1)), encoding)
    for cut in range(len(whole)):
        with pytest.raises(Unusable):
            take(whole[:cut], "traces-proto", encoding)
    with pytest.raises(Unusable, match=f"the body is not {encoding}"):
        take(traces_proto(span(1)), "traces-proto", encoding)


def test_a_conversation_of_ten_thousand_messages_is_one_exchange() -> None:
    """Long is not hostile."""
    turns = [{"role": "user" if i % 2 == 0 else "assistant", "content": f"Turn {i}."} for i in range(10_000)]
    posted = take([payload(1, messages=turns)], "litellm", bounds=PostBounds())
    assert posted.rows[0]["prompt"] == "Turn 9998."


def test_a_payload_over_the_longest_record_is_refused_and_the_next_is_kept() -> None:
    """Nothing longer is held."""
    long = payload(1, messages="x" * SMALL.max_record_bytes)
    posted = take([long, payload(2)], "litellm")
    assert ids(posted) == ["call-2"]
    assert posted.refused == [(1, f"the record is longer than {SMALL.max_record_bytes} bytes")]


def test_half_a_surrogate_pair_costs_a_character_not_a_record() -> None:
    """It becomes U+FFFD."""
    body = json.dumps(traces(span(1, user__id="@"))).encode().replace(b"@", rb"\ud83d")
    assert take(body, "traces-json").rows[0]["account_id"] == "\ufffd"


def test_captured_requests_are_read_as_from_a_file() -> None:
    """Each line of the capture is one request; all that a scan of the file would see is among the rows."""
    for name, kind in (
        ("otlp_traces_genai_and_openinference.jsonl", "traces-json"),
        ("litellm_standard_logging_success.jsonl", "litellm"),
    ):
        path = fixture(name)
        wanted = {row["exchange_id"] for row in rows_of(Reader([str(path)]))}
        found = {
            i for line in path.read_bytes().splitlines() for i in ids(take(line, kind, bounds=PostBounds()))
        }
        assert wanted, name
        assert wanted <= found, name


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(kind=st.sampled_from(sorted(KINDS)), encoding=st.sampled_from(ENCODINGS), body=st.binary(max_size=400))
@example(kind="traces-proto", encoding="identity", body=b"\x0a\x02\x12\x00")
def test_any_bytes_are_read_or_refused(kind: str, encoding: str, body: bytes) -> None:
    """Nothing else is ever raised, and a reason never holds the body."""
    for sent in (body, packed(body, encoding)):
        try:
            posted = take(sent, kind, encoding)
        except Unusable as error:
            assert len(error.reason) < 120
        else:
            assert len(posted.rows) == len(posted.lines)


@given(st.data())
def test_a_request_with_one_field_gone_wild_is_read_or_refused(data: st.DataObject) -> None:
    """Any JSON value in place of any part of a request, down to a single attribute."""
    kind, body = data.draw(st.sampled_from([
        ("traces-json", traces(span(1), span(2))), ("logs-json", logs(1, 2)), ("litellm", [payload(1), payload(2)]),
    ]))  # fmt: skip
    body = json.loads(json.dumps(body))
    here: Any = body
    while True:
        places = list(here) if isinstance(here, dict) else list(range(len(here)))
        place = data.draw(st.sampled_from(places))
        if not isinstance(here[place], (dict, list)) or not here[place] or data.draw(st.booleans()):
            here[place] = data.draw(JSON)
            break
        here = here[place]
    try:
        take(json.dumps(body).encode(), kind)
    except Unusable as error:
        assert len(error.reason) < 120
