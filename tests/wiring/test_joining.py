"""Parts of one exchange that came in several requests become one row, as if they had come in one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.digest import Key
from stillwatch.ingest import REJECTED, Limits, PostBounds
from stillwatch.receive import Metrics, Taken
from stillwatch.store import Segments
from stillwatch.wiring.joining import joined
from stillwatch.wiring.receiving import Receiver
from tests.conftest import KEY
from tests.ingest.telemetry import logs, span, traces
from tests.wiring.test_receiving import post, send

BARE: dict[str, Any] = {
    "gen_ai__input__messages": None,
    "gen_ai__usage__output_tokens": 7,
    "http__status_code": 500,
}


def received(folder: Path, bodies: list[tuple[Any, str]], *, text: bool) -> list[dict[str, Any]]:
    """The rows of the one file that comes of these bodies, each in a request and a round of its own."""
    segments = Segments(
        folder, stem="exchanges" if text else "features", segment_bytes=1 << 20, segment_age_s=3600,
        now=lambda: datetime.now(UTC), kept=(REJECTED,), finish=joined,
    )  # fmt: skip
    with segments:
        key = None if text else Key.derive(bytes.fromhex(KEY))
        receiver = Receiver(segments, key, Limits(), PostBounds(), 100, Metrics())
        receiver.start()
        answers = [send(receiver, [post(body, kind)])[0] for body, kind in bodies]
        receiver.stop()
    assert [each for each in answers if not isinstance(each, Taken) or each.refused] == []
    [path] = folder.glob("*.parquet")
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows


@pytest.mark.parametrize("text", [False, True], ids=["features", "retain"])
@pytest.mark.parametrize("event_first", [False, True])
def test_a_span_and_its_event_apart_are_as_in_one_request(
    tmp_path: Path, text: bool, event_first: bool
) -> None:
    """Content from the event, the rest from the span, whichever came first."""
    service = {"attributes": [{"key": "service.name", "value": {"stringValue": "gateway"}}]}
    spoken = logs(1, 2)
    for record in spoken["resourceLogs"][0]["scopeLogs"][0]["logRecords"]:
        record["attributes"] = [each for each in record["attributes"] if each["key"] != "user.id"]
    spoken["resourceLogs"][0]["resource"] = service
    spans = traces(*(span(n, **BARE) for n in (1, 2, 3)))
    apart = [(spans, "traces-json"), (spoken, "logs-json")]
    one = received(tmp_path / "one", [(spans | spoken, "traces-json")], text=text)
    two = received(tmp_path / "two", apart[::-1] if event_first else apart, text=text)
    assert two == one
    assert len(one) == 3
    assert {row["account_id" if text else "acct"] for row in two} == {"u-1", "u-2", "u-3"}


def test_a_batch_sent_twice_is_kept_once(tmp_path: Path) -> None:
    """As if it had been sent once."""
    body = (traces(*(span(n) for n in range(1, 9))), "traces-json")
    once = received(tmp_path / "once", [body], text=False)
    assert received(tmp_path / "twice", [body, body], text=False) == once


SCHEMA = pa.schema([("exchange_id", pa.string()), ("account_id", pa.string()), ("n", pa.int64())])
ROW = st.fixed_dictionaries({
    "exchange_id": st.sampled_from("abc"), "account_id": st.sampled_from(["service:x", "u", "v", None]),
    "n": st.none() | st.integers(0, 3),
})  # fmt: skip


@given(st.lists(ROW, min_size=1, max_size=12))
def test_joining_is_what_plain_python_does(rows: list[dict[str, Any]]) -> None:
    """Ten lines of dictionaries give the same table."""
    wanted: dict[str, dict[str, Any]] = {}
    for row in rows:
        known = wanted.setdefault(row["exchange_id"], dict(row))
        if str(known["account_id"]).startswith("service:") and row["account_id"] is not None:
            is_stand_in = row["account_id"].startswith("service:")
            known["account_id"] = known["account_id"] if is_stand_in else row["account_id"]
        for name, value in row.items():
            known[name] = value if known[name] is None else known[name]
    assert joined(pa.Table.from_pylist(rows, schema=SCHEMA)).to_pylist() == list(wanted.values())


def test_a_flood_of_one_id_is_one_row() -> None:
    """A hundred thousand repeats cost a sort."""
    table = pa.table({"exchange_id": ["a"] * 100_000, "n": list(range(100_000))})
    assert joined(table).to_pylist() == [{"exchange_id": "a", "n": 0}]
    assert json.dumps(joined(table.slice(0, 1)).to_pylist()) == '[{"exchange_id": "a", "n": 0}]'
