"""The world under construction: accounts, streams of requests, and planned exchanges as integers.

Classes add accounts (:meth:`World.people`), describe kinds of requests (:class:`Stream`) and plan exchanges
(:meth:`World.live` for ordinary behaviour, :meth:`World.emit` for anything else). Text is rendered later.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from stillwatch.lab.addresses import DAY_US, Networks, address_at
from stillwatch.lab.arrivals import arrivals, rhythm
from stillwatch.lab.clients import Clients
from stillwatch.lab.corpus import Corpus
from stillwatch.lab.hashing import F64, I64, U64, mix, normal, unit
from stillwatch.lab.people import Block, draw_people
from stillwatch.lab.plan import EVENT_TYPES, Plan
from stillwatch.lab.scenario import Scenario
from stillwatch.lab.text.library import Library

MODELS = ("larch-3", "larch-4", "larch-4-mini", "larch-5")
"""Models served; the last is released inside the scenario."""
NEW_MODEL = 3
SLICE_ROWS, SLICE_ACCOUNTS = 1_000_000, 25_000
"""Most exchanges and accounts planned at once: bounds the memory of planning, about 0.5 GB."""


@dataclass(slots=True)
class Stream:
    """One kind of request of one builder, person or campaign."""

    voice: int
    """Voice of what is asked, a number of the library."""
    reply: int
    """Voice of the answers."""
    system: str | None = None
    """System prompt."""
    pre: str = ""
    """Text before the payload."""
    post: str = ""
    """Text after it."""
    tools: str | None = None
    """Tool definitions, JSON."""
    follow: int = 0
    """Voice of later turns."""
    length: tuple[float, float] = (1.2, 0.7)
    """Log-normal number of sentences."""
    out: tuple[float, float] = (4.6, 0.9)
    """Log-normal output tokens."""
    hidden: tuple[float, float] | None = None
    """Log-normal input tokens beyond the logged text (attachments, files)."""
    conversation: float = 0.0
    """Share of sessions with several turns."""
    turns: float = 3.0
    """Mean turns of such a session."""
    gap_s: float = 60.0
    """Median seconds between turns."""
    temperature: float | None = None
    """As sent; unset sends none."""
    top_p: float | None = None
    """As sent; unset sends none."""
    max_tokens: int | None = None
    """Limit as sent, and on the output; unset has neither."""
    reasoning: bool = False
    """Answers have reasoning tokens."""
    sealed: bool = False
    """Answers come with sealed reasoning, later turns present it."""
    streaming: bool = False
    """As sent."""
    refusal: float = 0.004
    """Share of answers that are refusals."""
    operation: str = "chat"
    """As logged."""


@dataclass(slots=True)
class World:
    """Everything planned so far."""

    scenario: Scenario
    seed: int
    scale: float
    scratch: Path | None = None
    """Folder for plans too long for memory; ``None`` keeps everything in memory."""
    corpus: Corpus | None = None
    """Text of others to speak with; ``None`` for the lab's own grammars."""
    rng: np.random.Generator = field(init=False)
    key: int = field(init=False)
    library: Library = field(init=False)
    networks: Networks = field(init=False)
    clients: Clients = field(init=False)
    blocks: list[Block] = field(default_factory=list)
    streams: list[Stream] = field(default_factory=list)
    events: Plan = field(init=False)
    """What was planned."""
    grants: list[dict[str, Any]] = field(default_factory=list)
    campaigns: list[dict[str, Any]] = field(default_factory=list)
    public: list[int] = field(default_factory=list)
    """Numbers of public templates, most popular first."""
    accounts: int = 0
    _numbers: dict[str, F64] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng([self.seed, 1])
        self.key = int(self.rng.integers(1, 2**60))
        self.events = Plan(self.start, self.end, self.scratch)
        self.library = Library(self.key % 2**31, self.corpus)
        self.networks = Networks(self.generator("networks"))
        self.clients = Clients(self.generator("clients"), self.start, self.end)

    @property
    def start(self) -> int:
        """First microsecond."""
        return self.scenario.start_us

    @property
    def end(self) -> int:
        """One past the last microsecond."""
        return self.scenario.end_us

    @property
    def release(self) -> int:
        """When the new model came out."""
        return self.start + int(self.scenario.release_share * (self.end - self.start))

    def generator(self, name: str) -> np.random.Generator:
        """Independent generator for one part of the world."""
        return np.random.default_rng([self.seed, 2, *name.encode()])

    def fresh(self, rng: np.random.Generator, size: int) -> U64:
        """New 64-bit keys."""
        return rng.integers(1, 2**63, size, dtype=np.uint64)

    def people(self, rng: np.random.Generator, size: int, kind: str, *, chat_share: float = 0.0) -> Block:
        """Add ``size`` unrelated accounts; the class then shapes them."""
        block = draw_people(
            rng,
            self.accounts,
            size,
            kind,
            self.key,
            self.networks,
            self.clients,
            self.start,
            self.end,
            self.release,
            chat_share,
        )
        self.accounts += size
        self.blocks.append(block)
        return block

    def stream(self, stream: Stream) -> int:
        """Register a stream; returns its number."""
        stream.system = self.library.system_of(stream.voice, stream.system)
        self.streams.append(stream)
        return len(self.streams) - 1

    def emit(self, block: Block, local: I64, t: I64, **columns: Any) -> None:
        """Plan exchanges of a block's accounts at ``t``; unless given, address, client and model are the account's."""
        inside = (t >= self.start) & (t < self.end)
        if not inside.all():
            columns = {
                k: v[inside] if isinstance(v, np.ndarray) and v.shape == t.shape else v
                for k, v in columns.items()
            }
            local, t = local[inside], t[inside]
        if not len(t):
            return
        if columns.get("ip") is None:
            p = block.plan_ip
            columns["ip"] = address_at(
                block.key[local],
                t,
                p.base[local],
                p.spread[local],
                p.period[local],
                (p.alt_base[local], p.alt_spread[local], p.alt_share[local]),
            )
        if columns.get("client") is None:
            columns["client"] = self.clients.codes(
                block.family[local], block.variant[local], t - block.lag[local]
            )
        if columns.get("model") is None:
            columns["model"] = np.where(
                (t >= block.switch[local]) & (t >= self.release), NEW_MODEL, block.base_model[local]
            )
        if columns.get("device") is None:
            columns["device"] = block.device[local]
        defaults = {
            "turn": -1,
            "status": 200,
            "extraction": False,
            "end_user": 0,
            "sealed_in": 0,
            "key_no": 0,
        }
        batch = {"t": t, "account": block.first + local}
        for name, kind in EVENT_TYPES.items():
            value = batch.get(name, columns.get(name, defaults.get(name)))
            batch[name] = np.broadcast_to(np.asarray(value), t.shape).astype(kind)
        self.events.append(batch)

    def ask(
        self,
        rng: np.random.Generator,
        block: Block,
        local: I64,
        t: I64,
        *,
        stream: int,
        seed: U64,
        **columns: Any,
    ) -> None:
        """Plan single requests of one stream, each worded and answered anew; other columns as in :meth:`emit`."""
        self.emit(block, local, t, stream=stream, seed=seed, nonce=self.fresh(rng, len(t)), **columns)

    def live(
        self,
        rng: np.random.Generator,
        block: Block,
        counts: I64,
        first: I64,
        number: I64,
        *,
        seeds: U64 | None = None,
        leisure: bool = False,
        keys: int = 0,
    ) -> None:
        """Ordinary behaviour: about ``counts`` exchanges per account over streams ``first .. first + number``.

        ``seeds`` fixes the payload pool (drawn from with replacement); unset makes every payload new. ``keys`` is
        the number of credentials per account, 0 for one to three.
        """
        for rows in _slices(counts):
            self._live(rng, block, counts, first, number, rows, seeds, leisure, keys)

    def _live(
        self,
        rng: np.random.Generator,
        block: Block,
        counts: I64,
        first: I64,
        number: I64,
        rows: slice,
        seeds: U64 | None,
        leisure: bool,
        keys: int,
    ) -> None:
        table, counts, first, number = self.streams, counts[rows], first[rows], number[rows]
        share = np.array([table[i].conversation for i in first.tolist()])
        turns = np.array([table[i].turns for i in first.tolist()])
        sessions = rng.poisson(np.maximum(counts / (1 + share * (turns - 1)), 0.05))
        sessions = np.where((sessions == 0) & (counts > 0), rng.random(len(counts)) < 0.3, sessions).astype(
            np.int64
        )
        local, t = self._times(rng, block, sessions, rows, leisure)
        if not len(t):
            return
        stream = first[local] + (np.power(rng.random(len(t)), 1.6) * number[local]).astype(np.int64)
        seed = self.fresh(rng, len(t)) if seeds is None else seeds[rng.integers(0, len(seeds), len(t))]
        self.sessions(rng, block, local + rows.start, t, stream, seed, keys=keys)

    def times(
        self, rng: np.random.Generator, block: Block, sessions: I64, *, leisure: bool = False
    ) -> tuple[I64, I64]:
        """Bursty arrivals of a block's accounts, never before sign-up or after a ban."""
        return self._times(rng, block, sessions, slice(0, block.size), leisure)

    def _times(
        self, rng: np.random.Generator, block: Block, sessions: I64, rows: slice, leisure: bool
    ) -> tuple[I64, I64]:
        """The same for some of the accounts; positions count from the first of them."""
        hours = max(1, (self.end - self.start) // 3_600_000_000)
        created, banned = block.created[rows], block.status_at[rows]
        begin = np.clip(created, self.start, self.end - 3_600_000_000)
        stop = np.where(banned > 0, banned, self.end)
        intensity = rhythm(
            rng,
            self.start,
            hours,
            block.zone_h[rows],
            block.active[rows],
            block.weekend[rows],
            begin,
            stop,
            leisure,
        )
        local, t = arrivals(rng, self.start, sessions, block.cv[rows], intensity)
        late = t < created[local]
        t = np.where(late, np.minimum(created[local] + 60_000_000, self.end - 1), t)
        return local, t

    def sessions(
        self,
        rng: np.random.Generator,
        block: Block,
        local: I64,
        t: I64,
        stream: I64,
        seed: U64,
        *,
        keys: int = 0,
    ) -> None:
        """Expand sessions into turns, failures and retries, then plan them."""
        attributes = self.numbers()
        nonce = self.fresh(rng, len(t))
        multi = rng.random(len(t)) < attributes["conversation"][stream]
        size = np.where(
            multi, 2 + rng.geometric(1.0 / np.maximum(attributes["turns"][stream] - 1, 1.01)) - 1, 1
        )
        size = np.minimum(size, 10)
        row = np.repeat(np.arange(len(t)), size)
        turn = np.arange(len(row)) - np.repeat(np.cumsum(size) - size, size)
        gap = np.exp(rng.normal(0, 0.9, len(row))) * attributes["gap_s"][stream[row]] * 1e6 * (turn > 0)
        total = np.cumsum(gap)
        when = t[row] + (total - np.repeat(total[np.cumsum(size) - size], size)).astype(np.int64)
        passes_on = ~block.chat & (block.key % np.uint64(7) == 0)  # one builder in seven names its users
        held = block.key[local[row]] % np.uint64(3) + np.uint64(1) if keys == 0 else np.uint64(keys)
        columns: dict[str, Any] = {
            "stream": stream[row],
            "seed": seed[row],
            "nonce": nonce[row],
            "turn": np.where(multi[row], turn, -1),
            "status": np.full(len(row), 200),
            "end_user": np.where(
                passes_on[local[row]], mix(block.org[local[row]], nonce[row] % np.uint64(60)), 0
            ),
            "key_no": ((nonce[row] >> np.uint64(9)) % held).astype(np.int8),
        }
        who = local[row]
        failed = rng.random(len(row)) < block.error_rate[who]
        code = rng.choice(np.array([429, 429, 429, 500, 503, 529]), len(row))
        again = failed & (rng.random(len(row)) < 0.8)
        given_up = failed & ~again & (columns["turn"] < 0)
        columns["status"] = np.where(given_up, code, 200)
        self.emit(block, who, when, **columns)
        if again.any():
            wait = (np.exp(rng.normal(1.0, 1.0, int(again.sum()))) * 1e6).astype(np.int64)
            repeat = {k: v[again] for k, v in columns.items()}
            repeat["status"] = code[again]
            self.emit(block, who[again], when[again] - wait, **repeat)

    def numbers(self) -> dict[str, F64]:
        """Numeric stream attributes as arrays; do not change them on a stream that has been used."""
        done = len(self._numbers["turns"]) if self._numbers else 0
        if done < len(self.streams):
            for name in ("conversation", "turns", "gap_s"):
                new = np.array([getattr(s, name) for s in self.streams[done:]], dtype=np.float64)
                self._numbers[name] = np.concatenate([self._numbers[name], new]) if done else new
        return self._numbers

    def grant(self, block: Block, purpose: str, note: str) -> None:
        """Permission for every account of a block over the whole scenario."""
        for local in range(block.size):
            self.grants.append(
                {
                    "account": block.first + local,
                    "purpose": purpose,
                    "note": note,
                    "from": self.start - 30 * DAY_US,
                    "until": self.end + 300 * DAY_US,
                }
            )


def _slices(counts: I64) -> Iterator[slice]:
    """Runs of accounts with at most ``SLICE_ROWS`` exchanges and ``SLICE_ACCOUNTS`` accounts, one account at least."""
    total, begin = np.concatenate([[0], np.cumsum(counts)]), 0
    while begin < len(counts):
        by_rows = int(np.searchsorted(total, total[begin] + SLICE_ROWS, side="right")) - 1
        end = max(begin + 1, min(by_rows, begin + SLICE_ACCOUNTS, len(counts)))
        yield slice(begin, end)
        begin = end


def log_uniform(rng: np.random.Generator, bounds: tuple[int, int]) -> int:
    """Integer between the bounds, log-uniform."""
    return round(float(np.exp(rng.uniform(np.log(bounds[0]), np.log(bounds[1])))))


__all__ = ["EVENT_TYPES", "MODELS", "NEW_MODEL", "Stream", "World", "log_uniform", "normal", "unit"]
