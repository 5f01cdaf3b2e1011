"""Requests over HTTP at fixed times, ready or not (an open loop), or as fast as they are answered (a closed one)."""

from __future__ import annotations

import asyncio
import gc
import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_HOST = "127.0.0.1"


@dataclass(slots=True)
class Volley:
    """What became of some requests."""

    seconds: list[float] = field(default_factory=list)
    """From when each was due (in a closed loop: sent) to its whole answer; of those answered with 200."""
    failed: int = 0
    """Answered otherwise, or not at all."""
    took_s: float = 0.0

    def add(self, other: Volley) -> None:
        """Put another's results to these."""
        self.seconds += other.seconds
        self.failed += other.failed
        self.took_s += other.took_s

    @property
    def per_s(self) -> float:
        """Answers a second."""
        return len(self.seconds) / self.took_s if self.took_s else 0.0

    def milliseconds(self) -> dict[str, float]:
        """Percentiles."""
        if not self.seconds:
            return {}
        return {f"p{p}": round(float(np.percentile(self.seconds, p)) * 1000, 3) for p in (50, 90, 99)}


def http(path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """The bytes of a POST of JSON.

    >>> http("/x", b"{}", {"a": "b"}).split(b"\\r\\n")[0]
    b'POST /x HTTP/1.1'
    """
    named = {"host": "bench", "content-type": "application/json", **headers, "content-length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


@contextmanager
def undisturbed() -> Iterator[None]:
    """No look for garbage by the program that asks: a tenth of a second of it would be taken for the other's."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def open_loop(
    at: int | Sequence[int], requests: Sequence[bytes], rate: float, seconds: float, *, lines: int = 64
) -> Volley:
    """Send ``rate`` requests a second over so many connections; one that finds none free waits, and its time runs.

    Where there are several ports, requests alternate between them.
    """
    done = Volley()
    ports = (at,) if isinstance(at, int) else tuple(at)
    free: list[asyncio.Queue[Any]] = [asyncio.Queue() for _ in ports]
    for place in range(lines):
        to = place % len(ports)
        free[to].put_nowait(await asyncio.open_connection(_HOST, ports[to]))

    async def one(number: int, due: float) -> None:
        to = number % len(ports)
        line = await free[to].get()
        if await _asked(line, requests[number % len(requests)]):
            done.seconds.append(time.perf_counter() - due)
        else:
            done.failed += 1
            line[1].close()
            line = await asyncio.open_connection(_HOST, ports[to])
        free[to].put_nowait(line)

    # Each is begun when it is due: to begin all at once would take longer than the first may wait.
    running = []
    with undisturbed():
        start = time.perf_counter() + 0.1
        for number in range(int(rate * seconds)):
            due = start + number / rate
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            running.append(asyncio.create_task(one(number, due)))
        await asyncio.gather(*running)
    done.took_s = time.perf_counter() - start
    for queue in free:
        while not queue.empty():
            queue.get_nowait()[1].close()
    return done


async def closed_loop(
    at: int | Sequence[int],
    requests: Sequence[bytes],
    number: int,
    *,
    lines: int = 16,
    seconds: float = math.inf,
) -> Volley:
    """Send so many requests, or for so long, each connection its next as soon as its last is answered.

    Where there are several ports, each has as many of the connections.
    """
    done = Volley()
    ports = (at,) if isinstance(at, int) else tuple(at)

    async def client(place: int) -> None:
        port = ports[place % len(ports)]
        line = await asyncio.open_connection(_HOST, port)
        for turn in range(place, number, lines):
            if time.perf_counter() >= end:
                break
            began = time.perf_counter()
            if await _asked(line, requests[turn % len(requests)]):
                done.seconds.append(time.perf_counter() - began)
            else:
                done.failed += 1
                line[1].close()
                line = await asyncio.open_connection(_HOST, port)
        line[1].close()

    with undisturbed():
        began = time.perf_counter()
        end = began + seconds
        await asyncio.gather(*(client(place) for place in range(lines)))
    done.took_s = time.perf_counter() - began
    return done


async def _asked(line: Any, request: bytes) -> bool:
    """Whether a request is answered whole, with 200."""
    reader, writer = line
    try:
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = re.search(rb"content-length: (\d+)", head)
        if length:
            await reader.readexactly(int(length[1]))
        else:
            while size := int(await reader.readuntil(b"\r\n"), 16):
                await reader.readexactly(size + 2)
            await reader.readexactly(2)
    except (OSError, EOFError, ValueError, asyncio.IncompleteReadError):
        return False
    return bool(re.match(rb"http/1.1 200", head))
