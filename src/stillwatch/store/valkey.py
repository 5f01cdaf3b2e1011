"""State of a gate on a server that its replicas share: Valkey, or Redis. Needs the extra ``valkey``.

Each operation is one round trip; those that read and write are scripts, so that replicas do not overwrite one
another. The moment comes with the call, as for memory; the server's own expiry only clears up behind it. When
the server is gone every call raises `UpstreamError` at once for a second, so that requests do not queue for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from stillwatch.errors import ConfigError, UpstreamError

MOST_MEMBERS = 1_024
RETRY_S = 1.0
PIECE_BYTES = 2**20
"""Of a published file, at one time."""
_HINT = "check the server that protect.store names; decisions say fail_open or fail_closed meanwhile"

_TAKE = """
local rate, burst, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local held = redis.call('HMGET', KEYS[1], 'level', 'since')
local level, since = tonumber(held[1] or burst), tonumber(held[2] or now)
level = math.min(burst, level + math.max(0, now - since) * rate)
local wait = 0
if level >= 1 then level = level - 1 else wait = (1 - level) / rate end
redis.call('HSET', KEYS[1], 'level', string.format('%.17g', level),
           'since', string.format('%.17g', math.max(now, since)))
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000) + 1000)
return string.format('%.17g', wait)
"""
_ADD = """
local window, now = tonumber(ARGV[2]), tonumber(ARGV[3])
local ends = tonumber(redis.call('HGET', KEYS[1], 'until') or '-1')
if ends <= now then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'until', string.format('%.17g', now + window))
  redis.call('PEXPIRE', KEYS[1], math.ceil(window * 1000) + 1000)
end
return redis.call('HINCRBY', KEYS[1], 'total', ARGV[1])
"""
_DISTINCT = """
local window, now, most = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local ends = tonumber(redis.call('HGET', KEYS[1], 'until') or '-1')
if ends <= now then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'until', string.format('%.17g', now + window))
  redis.call('PEXPIRE', KEYS[1], math.ceil(window * 1000) + 1000)
end
if redis.call('HLEN', KEYS[1]) <= most then redis.call('HSETNX', KEYS[1], 'm' .. ARGV[1], '1') end
return redis.call('HLEN', KEYS[1]) - 1
"""


class Server:
    """A connection that says aloud when the server is gone, and does not wait for it again at once."""

    def __init__(
        self, url: str, *, password: str | None = None, prefix: str = "stillwatch", timeout_s: float = 0.25
    ) -> None:
        try:
            import valkey
        except ImportError as error:
            raise ConfigError(
                "the client of the store is not installed", hint="pip install 'stillwatch[valkey]'"
            ) from error
        self._failures: tuple[type[Exception], ...] = (valkey.exceptions.ValkeyError, OSError)
        try:
            self._client: Any = valkey.Valkey.from_url(
                url,
                socket_timeout=timeout_s,
                socket_connect_timeout=timeout_s,
                **({"password": password} if password else {}),
            )
        except ValueError as error:
            raise ConfigError(
                "protect.store is not the address of a store", hint="for example valkey://127.0.0.1:6379/0"
            ) from error
        self._prefix = prefix
        self._again_at = 0.0

    def key(self, kind: str, key: str) -> bytes:
        """Name of a key at the server."""
        return f"{self._prefix}:{kind}:{key}".encode("utf-8", "surrogatepass")

    def script(self, text: str) -> Any:
        """A script that is sent once and called by its digest."""
        return self._client.register_script(text)

    def ask(self, work: Callable[[Any], Any]) -> Any:
        """One round trip.

        Raises
        ------
        UpstreamError
            The server cannot be reached, or could not a moment ago. Its words are not repeated.
        """
        if time.monotonic() < self._again_at:
            raise UpstreamError("the store cannot be reached", hint=_HINT)
        try:
            return work(self._client)
        except self._failures as error:
            self._again_at = time.monotonic() + RETRY_S
            raise UpstreamError(
                f"the store cannot be reached ({type(error).__name__})", hint=_HINT
            ) from error

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()


class ValkeyState:
    """`stillwatch.protect.state.State` on a server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._take, self._add, self._distinct = map(server.script, (_TAKE, _ADD, _DISTINCT))

    def take(self, key: str, rate_per_s: float, burst: int, now: float) -> float:
        keys = [self._server.key("b", key)]
        return float(self._server.ask(lambda _: self._take(keys=keys, args=[rate_per_s, burst, repr(now)])))

    def add(self, key: str, amount: int, window_s: float, now: float) -> int:
        keys = [self._server.key("c", key)]
        return int(self._server.ask(lambda _: self._add(keys=keys, args=[amount, window_s, repr(now)])))

    def count(self, key: str, now: float) -> int:
        name = self._server.key("c", key)
        total, until = self._server.ask(lambda client: client.hmget(name, "total", "until"))
        return int(total) if total is not None and float(until) > now else 0

    def distinct(self, key: str, member: str, window_s: float, now: float) -> int:
        keys = [self._server.key("s", key)]
        args = [member.encode("utf-8", "surrogatepass"), window_s, repr(now), MOST_MEMBERS]
        return int(self._server.ask(lambda _: self._distinct(keys=keys, args=args)))

    def remember(self, key: str, value: str, ttl_s: float, now: float) -> None:
        name, held = self._server.key("v", key), f"{now + ttl_s!r} {value}".encode("utf-8", "surrogatepass")
        self._server.ask(lambda client: client.set(name, held, px=max(1, int(ttl_s * 1000))))

    def recall(self, key: str, now: float) -> str | None:
        return self.recall_many((key,), now)[0]

    def recall_many(self, keys: Sequence[str], now: float) -> list[str | None]:
        if not keys:
            return []
        names = [self._server.key("v", key) for key in keys]
        return [_lasting(held, now) for held in self._server.ask(lambda client: client.mget(names))]

    def flush(self) -> None:
        """Nothing is only in memory."""

    def close(self) -> None:
        self._server.close()


def _lasting(held: bytes | None, now: float) -> str | None:
    """A value as it was kept, while it lasts."""
    if held is None:
        return None
    until, _, value = held.decode("utf-8", "surrogatepass").partition(" ")
    return value if float(until) > now else None


class ValkeyBoard:
    """What is published to every replica: files by name, each with a number that rises with every change."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def put(self, name: str, data: bytes) -> None:
        """Publish a file."""
        key, number = self._server.key("board", name), self._server.key("board-number", name)

        def work(client: Any) -> None:
            with client.pipeline(transaction=True) as both:
                both.set(key, data)
                both.incr(number)
                both.execute()

        self._server.ask(work)

    def numbers(self, names: tuple[str, ...]) -> dict[str, int]:
        """Numbers of the files that were published."""
        keys = [self._server.key("board-number", name) for name in names]
        found = self._server.ask(lambda client: client.mget(keys))
        return {name: int(n) for name, n in zip(names, found, strict=True) if n is not None}

    def pieces(self, name: str) -> Iterator[bytes]:
        """A file in pieces, so that a long one holds up no decision while it comes; none when none was published.

        Whoever reads it compares its number before and after: in between another may have been published.
        """
        key, start = self._server.key("board", name), 0
        while piece := self._piece(key, start):
            yield piece
            start += len(piece)

    def _piece(self, key: bytes, start: int) -> bytes:
        found: bytes = self._server.ask(lambda client: client.getrange(key, start, start + PIECE_BYTES - 1))
        return found

    def close(self) -> None:
        """Let go of the connections."""
        self._server.close()
