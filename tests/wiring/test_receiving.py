"""Rounds of posts become durable together, and one that breaks something does not take its neighbours along."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stillwatch.detect.digest import Key
from stillwatch.detect.features import Featurizer
from stillwatch.errors import ConfigError
from stillwatch.ingest import REJECTED, Limits, PostBounds, read_posted
from stillwatch.receive import Denied, Metrics, Post, Taken
from stillwatch.settings import Settings
from stillwatch.store import Segments
from stillwatch.wiring import receive, receiving
from stillwatch.wiring.receiving import Receiver
from tests.conftest import KEY
from tests.e2e.receiving import digests, kept
from tests.ingest.telemetry import exchange_id, payload, span, traces

POISON = "poison words"


@contextmanager
def at_work(folder: Path, batch_rows: int = 100) -> Iterator[Receiver]:
    """A receiver that keeps features, stopped at the end."""
    segments = Segments(
        folder, stem="features", segment_bytes=1 << 20, segment_age_s=3600, now=lambda: datetime.now(UTC),
        kept=(REJECTED,),
    )  # fmt: skip
    with segments:
        key = Key.derive(bytes.fromhex(KEY))
        receiver = Receiver(segments, key, Limits(), PostBounds(), batch_rows, Metrics())
        receiver.start()
        try:
            yield receiver
        finally:
            receiver.stop()


def post(body: Any, kind: str = "traces-json") -> Post:
    """A post of a structure."""
    return Post("/v1/traces", kind, "identity", json.dumps(body).encode())


def send(receiver: Receiver, posts: Sequence[Post]) -> list[Taken | Denied]:
    """Send posts at once; their answers in order."""

    async def all_of_them() -> list[Taken | Denied]:
        return await asyncio.gather(*(receiver.take(each) for each in posts))

    return asyncio.run(all_of_them())


def test_many_posts_share_one_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one round is written the next gathers; all of it is kept."""
    syncs = []
    real = os.fdatasync

    def sync(handle: int) -> None:
        syncs.append(handle)
        real(handle)

    monkeypatch.setattr(os, "fdatasync", sync)
    with at_work(tmp_path, batch_rows=8192) as receiver:
        assert send(receiver, [post(traces(span(n))) for n in range(1, 201)]) == [Taken(1)] * 200
    assert 1 <= len(syncs) <= 20
    assert set(kept(tmp_path)) == digests({exchange_id(n) for n in range(1, 201)})


def test_a_post_of_many_rows_is_written_in_portions(tmp_path: Path) -> None:
    """More than are handled at a time, in one post and in several; the bad ones are counted where they came from."""
    with at_work(tmp_path, batch_rows=64) as receiver:
        many = traces(*(span(n, user__id=None if n % 50 == 0 else "u") for n in range(1, 301)))
        few = traces(*(span(n) for n in range(301, 321)))
        got = send(receiver, [post(many), post(few)])
    assert got == [Taken(294, 0, {"account_id is missing": 6}), Taken(20)]
    wanted = {exchange_id(n) for n in range(1, 321) if n % 50 or n > 300}
    assert set(kept(tmp_path)) == digests(wanted)
    refused = [json.loads(line) for line in (tmp_path / REJECTED).read_text().splitlines()]
    assert [each["line"] for each in refused] == [50, 100, 150, 200, 250, 300]


def test_rows_held_at_one_time_are_bounded_by_their_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small bodies that unpack to large ones are kept in portions, and let go after each."""
    portions: list[list[int]] = []
    real = Receiver._keep

    def keep(self: Receiver, jobs: Sequence[Any]) -> None:
        portions.append([job.posted.size for job in jobs])
        real(self, jobs)

    monkeypatch.setattr(Receiver, "_keep", keep)
    texts = [random.Random(n).randbytes(1_500_000).hex() for n in range(15)]
    bodies = [json.dumps([payload(n, messages=text)]).encode() for n, text in enumerate(texts)]
    with at_work(tmp_path) as receiver:
        packed = [Post("/litellm", "litellm", "gzip", gzip.compress(body)) for body in bodies]
        assert send(receiver, packed) == [Taken(1)] * 15
    assert sum(map(sum, portions)) == sum(map(len, bodies))
    assert max(sum(sizes[:-1]) for sizes in portions) < 16 * 2**20
    assert max(map(len, portions)) > 1


def test_a_post_that_breaks_the_kernel_is_alone_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is answered with 500; its neighbours of the same round are kept; the log says where, never what."""
    real = Featurizer.batch

    def batch(self: Featurizer, given: pa.RecordBatch) -> pa.RecordBatch:
        if POISON in given.column("prompt").to_pylist():
            raise RuntimeError(f"cannot digest {POISON}")
        return real(self, given)

    monkeypatch.setattr(Featurizer, "batch", batch)
    monkeypatch.setattr(logging.getLogger("stillwatch.receive"), "propagate", True)
    with at_work(tmp_path) as receiver:
        bodies = [traces(span(n)) for n in range(1, 30)]
        said = [{"role": "user", "parts": [{"type": "text", "content": POISON}]}]
        bodies[12] = traces(span(99, gen_ai__input__messages=json.dumps(said)))
        got = send(receiver, [post(body) for body in bodies])
        assert receiver.alive
    assert [each.status for each in got if isinstance(each, Denied)] == [500]
    assert isinstance(got[12], Denied)
    assert set(kept(tmp_path)) == digests({exchange_id(n) for n in range(1, 30) if n != 13})
    assert "RuntimeError" in caplog.text
    assert POISON not in caplog.text + got[12].message


def test_a_reader_that_fails_costs_its_post_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unforeseen error while a body is read."""
    real = read_posted

    def read(body: bytes, *rest: Any) -> Any:
        if b"poison" in body:
            raise MemoryError
        return real(body, *rest)

    monkeypatch.setattr(receiving, "read_posted", read)
    with at_work(tmp_path) as receiver:
        got = send(receiver, [post([payload(1)], "litellm"), post(["poison"], "litellm")])
    assert got[0] == Taken(1)
    assert isinstance(got[1], Denied)
    assert got[1].status == 500


def test_a_disk_that_fails_is_503_until_it_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trouble is known to readiness, and ends by itself without anything being sent."""
    with at_work(tmp_path) as receiver:
        assert send(receiver, [post(traces(span(1)))]) == [Taken(1)]
        with monkeypatch.context() as patch:

            def full(handle: int) -> None:
                raise OSError(28, "No space left on device")

            patch.setattr(os, "fdatasync", full)
            [got] = send(receiver, [post(traces(span(2)))])
            assert got == Denied(
                503, "nothing can be kept at present (no space left on device): send it again later"
            )
            assert [receiver.trouble] == [got.message]
        while receiver.trouble:
            time.sleep(0.01)
        assert send(receiver, [post(traces(span(3)))]) == [Taken(1)]
    assert set(kept(tmp_path)) == digests({exchange_id(1), exchange_id(3)})


def test_what_was_posted_is_kept_before_the_end(tmp_path: Path) -> None:
    """Also when those who asked are gone."""
    with at_work(tmp_path) as receiver:

        async def ask_and_leave() -> None:
            asking = [asyncio.ensure_future(receiver.take(post(traces(span(n))))) for n in range(1, 50)]
            await asyncio.sleep(0)
            for each in asking:
                each.cancel()

        asyncio.run(ask_and_leave())
    assert set(kept(tmp_path)) == digests({exchange_id(n) for n in range(1, 50)})
    assert not receiver.alive
    assert receiver.trouble == "the receiver has stopped"


def test_refusals_beyond_the_limit_are_only_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file does not grow for ever."""
    monkeypatch.setattr(receiving, "KEPT_REJECTED", 5)
    with at_work(tmp_path) as receiver:
        bad = post(traces(*(span(n, user__id=None) for n in range(1, 5))))
        got = send(receiver, [bad, bad, bad])
    assert got == [Taken(0, 0, {"account_id is missing": 4})] * 3
    assert len((tmp_path / REJECTED).read_text().splitlines()) == 5


def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The core is installed without a web server."""
    for name in [name for name in sys.modules if name.startswith("stillwatch.receive")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "starlette", None)
    for name in [name for name in sys.modules if name.startswith("starlette.")]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match="the parts that serve HTTP are missing") as caught:
        receive(
            tmp_path / "in", listen="127.0.0.1:0", settings=Settings(), env={}, ready=lambda address: None
        )
    assert "stillwatch[gateway]" in caught.value.hint
    assert not (tmp_path / "in").exists()
