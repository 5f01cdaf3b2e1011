"""The receiver as users run it: a process, telemetry of real exporters, kills, full disks, slow clients."""

from __future__ import annotations

import gzip
import json
import os
import random
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from http.client import HTTPException
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from stillwatch.store.frames import whole_frames
from tests.e2e.driving import cli, jsonl, summary
from tests.e2e.receiving import JSON, PROTOBUF, Served, digests, kept, serving
from tests.e2e.searching import Words
from tests.ingest.telemetry import exchange_id, logs, logs_proto, payload, span, traces, traces_proto

CANARY = "kzqcanaryx7f3"


def head(length: int, media: str = JSON) -> bytes:
    """The head of a post."""
    return f"POST /v1/traces HTTP/1.1\r\ncontent-type: {media}\r\ncontent-length: {length}\r\n\r\n".encode()


HEAD = head(9)
LINUX = pytest.mark.skipif(
    sys.platform != "linux", reason="limits of another process can be set on Linux only"
)
QUICK = "[receive]\nsegment_age_s = 0.2\nsegment_bytes = 20000\nread_timeout_s = 1.0\nmax_waiting_bytes = 2097152\n"
QUICK += "max_body_bytes = 1048576\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One receiver that the tests of bad input share; it must outlive them all."""
    into = tmp_path_factory.mktemp("shared") / "in"
    with serving(into, settings=QUICK) as at:
        yield at
        assert at.process.poll() is None
        assert at.post("/v1/traces", traces(span(1)))[0] == 200
        assert at.end() == 0
        assert set(kept(into)) >= digests({exchange_id(1)})
        assert "Traceback" not in "".join(at.said)


def test_from_the_first_span_to_the_scan(tmp_path: Path) -> None:
    """Every form and encoding; SIGTERM ends it with 0; the folder is scanned as it is, and repeats count once."""
    into = tmp_path / "in"
    with serving(into) as at:
        assert at.ask("GET", "/readyz")[0] == 200
        assert at.post("/v1/traces", traces_proto(span(1), span(2)), PROTOBUF) == (200, b"")
        assert at.post("/v1/traces", traces(span(3))) == (200, {})
        assert at.post("/v1/logs", logs(4)) == (200, {})
        body = gzip.compress(logs_proto(5, 6))
        assert at.post("/v1/logs", body, PROTOBUF, content_encoding="gzip") == (200, b"")
        lines = b"\n".join(json.dumps(payload(n)).encode() for n in (1, 2))
        assert at.post("/litellm", lines, "application/x-ndjson")[1] == {
            "accepted": 2,
            "skipped": 0,
            "refused": {},
        }
        assert at.post("/v1/traces", traces_proto(span(1), span(2)), PROTOBUF)[0] == 200
        assert at.end() == 0
    wanted = {exchange_id(n) for n in range(1, 7)} | {"call-1", "call-2"}
    assert sorted(kept(into)) == sorted(digests(wanted))
    with serving(into) as at:
        assert at.post("/v1/traces", traces_proto(span(1), span(2)), PROTOBUF)[0] == 200
        assert at.end() == 0
    assert len(kept(into)) == 10
    assert cli("scan", into, "--out", tmp_path / "report", "-q").status == 0
    counts = summary(tmp_path / "report")["counts"]
    assert (counts["exchanges"], counts["duplicates"], counts["rejected"]) == (8, 2, 0)


@pytest.mark.parametrize("content", ["features", "retain"])
def test_a_scan_of_what_was_received_is_a_scan_of_the_file(tmp_path: Path, content: str) -> None:
    """The same exchanges, accounts and times, whether they came over HTTP or lie in a file."""
    bodies = [traces(*(span(n * 10 + i) for i in range(10))) for n in range(1, 6)]
    settings = f'[privacy]\ncontent = "{content}"\n'
    with serving(tmp_path / "in", settings=settings) as at:
        for body in bodies:
            assert at.post("/v1/traces", body)[0] == 200
        assert at.end() == 0
    (tmp_path / "log.jsonl").write_bytes(jsonl(bodies))
    counted = []
    for name in ("in", "log.jsonl"):
        out = tmp_path / f"report of {name}"
        done = cli("scan", tmp_path / name, "--settings", tmp_path / "in.toml", "--out", out, "-q")
        assert done.status == 0, done.err
        said = summary(out)
        counted.append((said["counts"], said["time_range"], (out / "findings.jsonl").read_bytes()))
    assert counted[0] == counted[1]


def test_the_sdks_own_exporter_is_understood(tmp_path: Path) -> None:
    """Spans of the OpenTelemetry SDK, batched, compressed and sent by its exporter."""
    from opentelemetry.exporter.otlp.proto.http import Compression

    with serving(tmp_path / "in") as at:
        provider = TracerProvider()
        exporter = OTLPSpanExporter(f"{at.address}/v1/traces", compression=Compression.Gzip)
        provider.add_span_processor(BatchSpanProcessor(exporter))
        tracer = provider.get_tracer("test")
        sent = set()
        for number in range(300):
            with tracer.start_as_current_span("chat m") as one:
                one.set_attribute("gen_ai.operation.name", "chat")
                one.set_attribute("gen_ai.request.model", "m")
                one.set_attribute("user.id", f"u-{number % 5}")
                at_ = one.get_span_context()
                sent.add(f"{at_.trace_id:032x}:{at_.span_id:016x}")
        assert provider.force_flush()
        provider.shutdown()
        assert at.end() == 0
    assert set(kept(tmp_path / "in")) == digests(sent)


def test_what_was_refused_is_told_and_listed(tmp_path: Path) -> None:
    """By number and reason, in the answer, in the metrics and in a file that a scan leaves alone."""
    into = tmp_path / "in"
    with serving(into) as at:
        nobody = span(2, user__id=None)
        status, told = at.post("/v1/traces", traces(span(1), nobody, span(3)))
        assert (status, told["partialSuccess"]["rejectedSpans"]) == (200, "1")
        metrics = at.ask("GET", "/metrics")[2].decode()
        assert 'stillwatch_receive_refused_total{reason="account_id is missing"} 1.0' in metrics
        assert at.end() == 0
    listed = [json.loads(line) for line in (into / "rejected.jsonl").read_text().splitlines()]
    assert listed == [{"source": "/v1/traces", "line": 2, "reason": "account_id is missing"}]
    assert len(kept(into)) == 2
    assert cli("scan", into, "-q").status == 0


def test_a_second_receiver_on_the_same_folder_refuses_politely(tmp_path: Path) -> None:
    """And the first is not disturbed."""
    with serving(tmp_path / "in") as at:
        done = cli("receive", "--into", tmp_path / "in", "--listen", "127.0.0.1:0")
        assert done.status == 2
        assert "another process is writing" in done.err
        assert "hint:" in done.err
        assert at.post("/v1/traces", traces(span(1)))[0] == 200


def test_what_cannot_be_used_is_refused_at_the_start(tmp_path: Path) -> None:
    """No key, another key than before, an address that is none or taken, a folder of somebody else."""
    into = tmp_path / "in"
    with serving(into) as at:
        assert at.post("/v1/traces", traces(span(1)))[0] == 200
        taken = cli("receive", "--into", tmp_path / "x", "--listen", at.address.removeprefix("http://"))
        assert (taken.status, "address already in use" in taken.err) == (2, True)
        assert at.end() == 0
    for key, words in ((None, "no digest key"), ("c3" * 32, "was made with digest key")):
        done = cli("receive", "--into", into, "--listen", "127.0.0.1:0", key=key)
        assert (done.status, words in done.err) == (2, True)
    for listen in ("4318", "127.0.0.1", "127.0.0.1:x", ":1", "127.0.0.1:70000"):
        done = cli("receive", "--into", tmp_path / "x", "--listen", listen)
        assert (done.status, "is not an address with a port" in done.err) == (2, True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    done = cli("receive", "--into", tmp_path / "mine", "--listen", "127.0.0.1:0")
    assert (done.status, "no receiver wrote" in done.err) == (2, True)
    (tmp_path / "file").touch()
    assert cli("receive", "--into", tmp_path / "file", "--listen", "127.0.0.1:0").status == 2


def test_the_journal_becomes_a_file_while_it_goes_on(tmp_path: Path) -> None:
    """After its age, without anything more being sent; the folder can be scanned at that time."""
    into = tmp_path / "in"
    with serving(into, settings=QUICK) as at:
        assert at.post("/v1/traces", traces(span(1)))[0] == 200
        while not list(into.glob("*.parquet")):
            time.sleep(0.05)
            assert at.process.poll() is None
        assert cli("scan", into, "-q").status == 0


def test_killed_at_any_moment_under_load(tmp_path: Path) -> None:
    """SIGKILL again and again on one folder: whatever any client saw acknowledged is there after the next start."""
    into, acknowledged, numbers = tmp_path / "in", set[str](), count(1)
    rng = random.Random(20)
    for _ in range(6):
        with serving(into, settings=QUICK) as at:
            clients = [
                threading.Thread(target=_until_it_dies, args=(at, numbers, acknowledged)) for _ in range(4)
            ]
            for client in clients:
                client.start()
            enough = len(acknowledged) + rng.randrange(200, 1500)
            pause = rng.uniform(0, 0.02)
            while len(acknowledged) < enough:
                time.sleep(0.002)
            time.sleep(pause)
            assert at.end(signal.SIGKILL) == -signal.SIGKILL
            for client in clients:
                client.join()
    assert len(acknowledged) > 1200
    with serving(into, settings=QUICK) as at:
        assert at.end() == 0
    assert digests(acknowledged) - set(kept(into)) == set()
    assert [p.name for p in into.glob(".*") if p.name != ".lock"] == []
    assert cli("scan", into, "-q").status in (0, 10)


def _until_it_dies(at: Served, numbers: count[int], acknowledged: set[str]) -> None:
    """Send batch after batch; what was answered with 200 is acknowledged."""
    connection = at.connect()
    while True:
        batch = [next(numbers) for _ in range(25)]
        try:
            body = traces_proto(*(span(n) for n in batch))
            connection.request("POST", "/v1/traces", body, {"content-type": PROTOBUF})
            response = connection.getresponse()
            response.read()
        except (OSError, HTTPException):
            return
        if response.status == 200:
            acknowledged.update(exchange_id(n) for n in batch)


def test_a_request_at_hand_is_answered_before_the_end(tmp_path: Path) -> None:
    """SIGTERM while a body is still coming: it is read to its end, kept and answered, and the process ends with 0."""
    body = traces_proto(span(1))
    with serving(tmp_path / "in") as at, socket.create_connection(at.place, timeout=60) as line:
        line.sendall(head(len(body), PROTOBUF) + body[:10])
        while b"stillwatch_receive_waiting_bytes 0.0" in at.ask("GET", "/metrics")[2]:
            time.sleep(0.01)
        at.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        line.sendall(body[10:])
        assert line.recv(65_536).startswith(b"HTTP/1.1 200")
        assert at.process.wait(60) == 0
    assert set(kept(tmp_path / "in")) == digests({exchange_id(1)})


@LINUX
def test_a_full_disk_is_503_and_what_was_acknowledged_stays(tmp_path: Path) -> None:
    """The limit on a file's size stands in for a full disk: nothing is half kept, and it is said."""
    into = tmp_path / "in"
    with serving(into, settings="[receive]\nsegment_age_s = 3600.0\n") as at:
        resource.prlimit(at.process.pid, resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))
        acknowledged: set[str] = set()
        for start in range(1, 3000, 50):
            status, answer = at.post("/v1/traces", traces(*(span(n) for n in range(start, start + 50))))
            if status == 503:
                break
            acknowledged.update(exchange_id(n) for n in range(start, start + 50))
        assert status == 503
        assert "nothing can be kept at present (file too large)" in answer["message"]
        resource.prlimit(
            at.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        )
        while at.ask("GET", "/readyz")[0] != 200:
            time.sleep(0.05)
        assert at.post("/v1/traces", traces(span(9999)))[0] == 200
        assert at.end() == 0
    assert acknowledged
    assert set(kept(into)) == digests(acknowledged | {exchange_id(9999)})


def test_too_much_at_once_is_asked_to_come_again(tmp_path: Path) -> None:
    """429 with Retry-After while bodies that do not come to their end take the room; later it is taken."""
    into = tmp_path / "in"
    slow = "[receive]\nmax_waiting_bytes = 1048576\nmax_body_bytes = 500000\nread_timeout_s = 60.0\n"
    with serving(into, settings=slow) as at:
        lines = [socket.create_connection(at.place, timeout=60) for _ in range(2)]
        for line in lines:
            line.sendall(head(400_000) + b" " * 390_000)
        while b"stillwatch_receive_waiting_bytes 782048.0" not in at.ask("GET", "/metrics")[2]:
            time.sleep(0.01)
        body = json.dumps(traces(span(1))).encode() + b" " * 400_000
        status, headers, answer = at.ask("POST", "/v1/traces", body, {"content-type": JSON})
        assert (status, headers["retry-after"]) == (429, "2")
        assert b"send it again later" in answer
        for line in lines:
            line.close()
        while at.ask("POST", "/v1/traces", body, {"content-type": JSON})[0] == 429:
            time.sleep(0.01)
        assert at.end() == 0
    assert set(kept(into)) == digests({exchange_id(1)})


DEEP = b'{"resourceSpans":' + b"[" * 200_000
MANY = [{"role": "user", "content": f"Turn {i}."} for i in range(10_000)]
BAD: list[tuple[str, str, Any, dict[str, str], int]] = [
    ("malformed JSON", JSON, b'{"resourceSpans": [', {}, 400),
    ("not OTLP at all", PROTOBUF, b"hello world", {}, 400),
    ("invalid UTF-8", JSON, b'{"resourceSpans": "\xff\xfe"}', {}, 400),
    ("deep nesting", JSON, DEEP, {}, 400),
    ("50 MB", PROTOBUF, bytes(50_000_000), {}, 413),
    ("a gzip bomb", PROTOBUF, gzip.compress(bytes(1 << 28)), {"content-encoding": "gzip"}, 413),
    ("a cut gzip", PROTOBUF, gzip.compress(bytes(1000))[:-5], {"content-encoding": "gzip"}, 400),
    ("no type", "", b"{}", {}, 415),
    ("an unknown encoding", JSON, b"{}", {"content-encoding": "br"}, 415),
]


@pytest.mark.parametrize(
    ("media", "body", "headers", "status"), [b[1:] for b in BAD], ids=[b[0] for b in BAD]
)
def test_bad_input_gets_a_clear_error(
    served: Served, media: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    """A status, a sentence, and no word of what was sent; the process takes it in its stride."""
    got, _, answer = served.ask("POST", "/v1/traces", body, {"content-type": media, **headers})
    assert got == status
    assert len(answer) < 300


def test_a_long_conversation_and_half_a_surrogate_are_no_bad_input(served: Served) -> None:
    """10,000 messages, and a text that is no proper Unicode."""
    assert served.post("/litellm", [payload(1, messages=MANY)])[1]["accepted"] == 1
    body = json.dumps(payload(2, messages="@")).encode().replace(b"@", rb"\udc00 \ud83d")
    assert served.post("/litellm", body)[1]["accepted"] == 1


@pytest.mark.parametrize("start", [b"", b"POST /v1/traces HT", HEAD, HEAD + b"1234"])
def test_a_slow_client_is_ended(served: Served, start: bytes) -> None:
    """It has its second, then 408; others are not kept waiting."""
    with socket.create_connection(served.place, timeout=60) as line:
        if start:
            line.sendall(start)
        assert served.post("/v1/traces", traces(span(1)))[0] == 200
        answer = b""
        while piece := line.recv(65_536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize(
    "bytes_sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET\r\n\r\n",
        b"\x00" * 100,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_is_not_http_is_told_so(served: Served, bytes_sent: bytes) -> None:
    """TLS, HTTP/2, noise: an error or a closed connection, nothing else."""
    assert served.raw(bytes_sent)[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 404", b"HTTP/1.1 408", b"")


@LINUX
def test_memory_stays_within_bounds(tmp_path: Path) -> None:
    """Twenty bombs and long bodies at once, in an address space that could not hold what they claim to be."""
    bomb, long = gzip.compress(bytes(1 << 28)), bytes(20_000_000)
    with serving(tmp_path / "in", settings=QUICK) as at:
        now = int(Path(f"/proc/{at.process.pid}/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.prlimit(at.process.pid, resource.RLIMIT_AS, (now + (1 << 29), resource.RLIM_INFINITY))
        statuses: list[int] = []

        def send(number: int) -> None:
            body, more = (bomb, {"content-encoding": "gzip"}) if number % 2 else (long, {})
            statuses.append(at.ask("POST", "/v1/traces", body, {"content-type": PROTOBUF, **more})[0])

        senders = [threading.Thread(target=send, args=(n,)) for n in range(20)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        assert len(statuses) == 20
        assert set(statuses) <= {413, 429}
        assert at.post("/v1/traces", traces(span(1)))[0] == 200


def test_no_word_of_a_prompt_leaves_the_process(tmp_path: Path) -> None:
    """A word in every text that is sent, sound or broken: not in answers, metrics, logs or files, killed or ended."""
    into = tmp_path / "in"
    said = json.dumps([{"role": "user", "parts": [{"type": "text", "content": CANARY}]}])
    names = ("input__messages", "output__messages", "system_instructions", "tool__definitions")
    words: dict[str, Any] = {f"gen_ai__{name}": said for name in names}
    others = (
        "session__id",
        "user_agent__original",
        "error__type",
        f"http__request__header__x-title-{CANARY}",
    )
    sound = span(1, **words, **dict.fromkeys(others, CANARY))
    mixed = [payload(1, messages=CANARY, response=CANARY), CANARY, {CANARY: CANARY}]
    bodies: list[tuple[str, Any, str]] = [
        ("/v1/traces", traces(sound), JSON),
        ("/v1/traces", traces_proto(sound), PROTOBUF),
        ("/v1/traces", traces(sound | {"status": CANARY, "spanId": CANARY}), JSON),
        ("/v1/traces", traces(span(3, user__id=None, **words)), JSON),
        ("/v1/traces", traces_proto(sound)[:-7] + CANARY.encode(), PROTOBUF),
        ("/v1/logs", f'{{"resourceLogs": "{CANARY}", {CANARY}'.encode(), JSON),
        ("/litellm", mixed, JSON),
        ("/litellm", payload(2, startTime=CANARY, messages=CANARY), JSON),
        ("/litellm", CANARY.encode() * 100, JSON),
        (f"/{CANARY}", CANARY.encode(), CANARY),
        ("/v1/traces", CANARY.encode(), CANARY),
    ]
    seen: list[bytes] = []
    for how in (signal.SIGKILL, signal.SIGTERM):
        with serving(into, settings="[receive]\nread_timeout_s = 1.0\n") as at:
            for path, body, media in bodies:
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                status, headers, answer = at.ask("POST", path, data, {"content-type": media})
                seen.append(repr((status, headers)).encode() + answer)
            seen.append(at.raw(f"{CANARY} / HTTP/1.1\r\n{CANARY}: {CANARY}\r\n\r\n".encode()))
            for path in ("/metrics", "/readyz", "/openapi.json", f"/x?{CANARY}"):
                seen.append(at.ask("GET", path)[2])
            seen += _files(into)
            at.end(how)
        seen.append("".join(at.said).encode())
        seen += _files(into)
    assert len(kept(into)) >= 4
    hidden = Words([CANARY])
    assert hidden.in_bytes(f"so it is found: {CANARY}".encode()) == {CANARY}
    assert [found for each in seen if (found := hidden.in_bytes(each))] == []


def _files(folder: Path) -> list[bytes]:
    """Every file as it lies there, with its name; journals are also shown as what they say."""
    found = []
    for path in folder.iterdir():
        data = path.read_bytes()
        found += [path.name.encode(), data]
        found += [repr(table.to_pylist()).encode() for table in whole_frames(data).tables]
    return found
