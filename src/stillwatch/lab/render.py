"""Planned exchanges to Arrow: identifiers, text, headers and token counts, chunk by chunk in time order.

Everything is a function of the plan's integers; rendering a conversation's history again gives the same
bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from stillwatch.lab.addresses import dotted
from stillwatch.lab.clients import FAMILIES
from stillwatch.lab.hashing import F64, I64, U64, hex_ids, mix, normal, unit
from stillwatch.lab.population import figure
from stillwatch.lab.relay import seal_key
from stillwatch.lab.text.voices import answer_key
from stillwatch.lab.world import MODELS, World
from stillwatch.records.exchange import EXCHANGE_SCHEMA

_HEADERS = pa.map_(pa.string(), pa.string())
_LIST = pa.list_(pa.string())


class Renderer:
    """Look-up tables of a finished world, and nothing else of it: small enough to hand to other processes."""

    def __init__(self, world: World) -> None:
        self.key, self.clients = world.key, world.clients
        self.voices = world.library.voices
        self.networks = (world.networks.asn, world.networks.country, pa.array(world.networks.names))
        self.short = world.scenario.completions == "short"
        key = np.concatenate([b.key for b in world.blocks])
        self.account_key = key
        declared = np.concatenate([b.declared for b in world.blocks])
        self.account_text = pa.array(hex_ids(mix(key, 61), "acct_", 16))
        self.org_text = pa.array([f"org_{o:016x}" if o else None for o in declared.tolist()], pa.string())
        s = world.streams
        self.system = pa.array([x.system for x in s], pa.string())
        self.tools = pa.array([x.tools for x in s], pa.string())
        self.system_size = np.array([len(x.system or "") + len(x.tools or "") for x in s])
        self.operation = pa.array([x.operation for x in s], pa.string())
        self.voice = np.array([x.voice for x in s])
        self.follow = np.array([x.follow for x in s])
        self.reply = np.array([x.reply for x in s])
        self.length = np.array([x.length for x in s], dtype=np.float64)
        self.out = np.array([x.out for x in s], dtype=np.float64)
        self.hidden = np.array([x.hidden or (0.0, 0.0) for x in s], dtype=np.float64)
        self.has_hidden = np.array([x.hidden is not None for x in s])
        self.temperature = pa.array([x.temperature for x in s], pa.float64())
        self.top_p = pa.array([x.top_p for x in s], pa.float64())
        self.limit = np.array([x.max_tokens or 0 for x in s])
        self.max_tokens = pa.array([x.max_tokens for x in s], pa.int64())
        self.streaming = pa.array([x.streaming for x in s], pa.bool_())
        self.reasoning = np.array([x.reasoning for x in s])
        self.sealed = np.array([x.sealed for x in s])
        self.refusal = np.array([x.refusal for x in s])
        self.has_tools = np.array([x.tools is not None for x in s])
        self.keeps_id = unit(np.arange(len(s)), 71) < 0.6
        self.pre, self.post = pa.array([x.pre for x in s]), pa.array([x.post for x in s])
        self._clients: dict[int, int] = {}
        self._agents: list[str] = []
        self._tls: list[str] = []
        self._headers: list[list[tuple[str, str]] | None] = []

    def exchange_ids(self, first_row: int, size: int) -> list[str]:
        """Identifiers of rows ``first_row .. first_row + size`` of the plan."""
        return hex_ids(mix(self.key, 91, first_row + np.arange(size)), "ex_")

    def prompts(self, stream: I64, seed: U64, nonce: U64, turn: I64) -> list[str]:
        """User messages."""
        later = turn > 0
        keys = np.where(later, mix(seed, nonce, turn), seed)
        voice = np.where(later, self.follow[stream], self.voice[stream])
        law = self.length[stream]
        sizes = np.clip(np.rint(np.exp(law[:, 0] + law[:, 1] * normal(keys, 81))), 1, 40).astype(np.int64)
        sizes = np.where(later, 1, sizes)
        body = self._speak(voice, keys, nonce, sizes)
        pre, post = (side.take(pa.array(stream)).to_pylist() for side in (self.pre, self.post))
        return [b if k else f"{x}{b}{y}" for x, b, y, k in zip(pre, body, post, later.tolist(), strict=True)]

    def completions(self, stream: I64, nonce: U64, turn: I64) -> list[str]:
        """Assistant messages: a lead and one or two sentences."""
        keys = answer_key(nonce, np.maximum(turn, 0))
        size = np.full(len(keys), 3, dtype=np.int64)
        return self._speak(self.reply[stream], keys, keys, size)

    def _speak(self, voice: I64, seeds: U64, nonces: U64, sizes: I64) -> list[str]:
        out: list[str] = [""] * len(voice)
        order = np.argsort(voice, kind="stable")
        cuts = np.flatnonzero(np.diff(voice[order])) + 1
        for rows in np.split(order, cuts):
            if len(rows):
                texts = self.voices[int(voice[rows[0]])].render(seeds[rows], nonces[rows], sizes[rows])
                for row, text in zip(rows.tolist(), texts, strict=True):
                    out[row] = text
        return out

    def _histories(
        self,
        stream: I64,
        seed: U64,
        nonce: U64,
        turn: I64,
        prompts: Sequence[str],
        completions: Sequence[str] | None,
    ) -> list[str | None]:
        """``messages`` of conversation rows; earlier turns are rendered again from their keys."""
        out: list[str | None] = [None] * len(stream)
        rows = np.flatnonzero(turn >= 0)
        if not len(rows):
            return out
        depth = turn[rows]
        back = np.repeat(rows, depth)
        k = np.arange(len(back)) - np.repeat(np.cumsum(depth) - depth, depth)
        asked = self.prompts(stream[back], seed[back], nonce[back], k)
        answered = self.completions(stream[back], nonce[back], k)
        systems = self.system.take(pa.array(stream[rows])).to_pylist()
        at = 0
        for row, size, system in zip(rows.tolist(), depth.tolist(), systems, strict=True):
            chain: list[dict[str, str]] = []
            if system is not None:
                chain.append({"role": "system", "content": system})
            for i in range(at, at + size):
                chain.append({"role": "user", "content": asked[i]})
                chain.append({"role": "assistant", "content": answered[i]})
            at += size
            chain.append({"role": "user", "content": prompts[row]})
            out[row] = orjson.dumps(chain).decode()
        return out

    def _client_rows(self, codes: I64) -> I64:
        values, inverse = np.unique(codes, return_inverse=True)
        for code in values.tolist():
            if code not in self._clients:
                row = self.clients.decode(code)
                self._clients[code] = len(self._agents)
                self._agents.append(row.agent)
                self._tls.append(row.tls)
                self._headers.append(row.headers)
        return np.array([self._clients[c] for c in values.tolist()], dtype=np.int64)[inverse]

    def table(self, events: dict[str, np.ndarray[Any, Any]], first_row: int) -> pa.Table:
        """One chunk with exactly the exchange schema."""
        n = len(events["t"])
        stream = events["stream"].astype(np.int64)
        account = events["account"].astype(np.int64)
        seed, nonce, turn = events["seed"], events["nonce"], events["turn"].astype(np.int64)
        status = events["status"].astype(np.int64)
        ok = status == 200
        prompts = self.prompts(stream, seed, nonce, turn)
        answers = self.completions(stream, nonce, turn) if self.short else None
        messages = self._histories(stream, seed, nonce, turn, prompts, answers)
        key = answer_key(nonce, np.maximum(turn, 0))
        tokens = self._tokens(stream, key, turn, prompts, messages, events)
        client = self._client_rows(events["client"])
        seal = self.sealed[stream] & ok
        asked = np.where(
            events["sealed_in"] > 0,
            events["sealed_in"],
            np.where((turn > 0) & self.sealed[stream], seal_key(nonce, turn - 1), np.uint64(0)),
        )
        limit = self.limit[stream]
        full = (limit > 0) & (tokens["output"] >= limit)
        finish = np.where(
            full,
            1,
            np.where(
                self.has_tools[stream] & (turn >= 0) & (unit(key, 83) < 0.6),
                2,
                np.where(unit(key, 84) < self.refusal[stream], 3, 0),
            ),
        )
        families = events["client"] >> 40
        chat = np.array([f.channel for f in FAMILIES])[families]
        block = (events["ip"] >> 16).astype(np.int64)
        asn, country, names = self.networks
        values = {
            "exchange_id": self.exchange_ids(first_row, n),
            "started_at": pa.array(events["t"], pa.int64()).cast(EXCHANGE_SCHEMA.field("started_at").type),
            "account_id": self.account_text.take(pa.array(account)),
            "model": pa.array(MODELS).take(pa.array(events["model"].astype(np.int64))),
            "org_id": self.org_text.take(pa.array(account)),
            "credential_id": hex_ids(mix(self.account_key[account], events["key_no"], 62), "key_"),
            "end_user_id": _optional(events["end_user"], "eu_"),
            "channel": pa.array(chat.tolist(), pa.string()),
            "operation": self.operation.take(pa.array(stream)),
            "client_ip": dotted(events["ip"]),
            "client_asn": asn[block],
            "client_country": names.take(pa.array(country[block])),
            "user_agent": pa.array(self._agents).take(pa.array(client)),
            "tls_fingerprint": pa.array(self._tls).take(pa.array(client)),
            "device_id": _optional(events["device"], "dev_"),
            "client_headers": pa.array(self._headers, _HEADERS).take(pa.array(client)),
            "system_prompt": self.system.take(pa.array(stream)),
            "prompt": prompts,
            "messages": messages,
            "tools": self.tools.take(pa.array(stream)),
            "completion": pa.array(answers, mask=~ok) if answers is not None else pa.nulls(n, pa.string()),
            "sealed_in": _lists(asked, asked > 0),
            "sealed_out": _lists(seal_key(nonce, turn), seal),
            "temperature": self.temperature.take(pa.array(stream)),
            "top_p": self.top_p.take(pa.array(stream)),
            "max_tokens": self.max_tokens.take(pa.array(stream)),
            "stream": self.streaming.take(pa.array(stream)),
            "input_tokens": tokens["input"],
            "output_tokens": np.where(
                ok,
                np.where(limit > 0, np.minimum(tokens["output"], np.maximum(limit, 1)), tokens["output"]),
                0,
            ),
            "reasoning_tokens": pa.array(np.where(ok, tokens["reasoning"], 0), mask=~self.reasoning[stream]),
            "cached_tokens": tokens["cached"],
            "status": status,
            "finish_reason": pa.array(
                np.array(["stop", "length", "tool_calls", "refusal"])[finish].tolist(), pa.string(), mask=~ok
            ),
            "latency_ms": np.round(
                np.where(ok, 250 + tokens["output"] * (8 + 14 * unit(key, 85)), 40 + 60 * unit(key, 86)), 1
            ),
            "conversation_id": _conversations(mix(nonce, account, 63), (turn >= 0) & self.keeps_id[stream]),
            "turn": pa.array(np.maximum(turn, 0), mask=turn < 0),
        }
        columns = [_column(values.get(f.name), f.type, n) for f in EXCHANGE_SCHEMA]
        return pa.Table.from_arrays(columns, schema=EXCHANGE_SCHEMA)

    def _tokens(
        self,
        stream: I64,
        key: U64,
        turn: I64,
        prompts: Sequence[str],
        messages: Iterable[str | None],
        events: dict[str, np.ndarray[Any, Any]],
    ) -> dict[str, I64]:
        size = np.fromiter(map(len, prompts), dtype=np.int64, count=len(prompts))
        chain = np.fromiter((len(m) if m else 0 for m in messages), dtype=np.int64, count=len(prompts))
        hidden: F64 = np.where(
            self.has_hidden[stream],
            np.exp(self.hidden[stream, 0] + self.hidden[stream, 1] * normal(events["seed"], 87)),
            0.0,
        )
        own = np.maximum(size + self.system_size[stream], chain)
        total = (own / 3.7 + hidden + 4).astype(np.int64)
        output = np.maximum(np.exp(self.out[stream, 0] + self.out[stream, 1] * normal(key, 88)), 1).astype(
            np.int64
        )
        return {
            "input": total,
            "output": output,
            "reasoning": (output * (0.2 + 0.6 * unit(key, 89))).astype(np.int64),
            "cached": (self._cached(stream, key, turn) * total).astype(np.int64),
        }

    def _cached(self, stream: I64, key: U64, turn: I64) -> F64:
        """Share of the input an earlier request had brought: most of a conversation, a program's own fixed part."""
        law = {
            n: float(figure("cached", n)) for n in ("first_low", "first_high", "follow_low", "follow_high")
        }
        follow = law["follow_low"] + (law["follow_high"] - law["follow_low"]) * unit(key, 90)
        # A fixed part of its own per stream, a little different from request to request.
        first = law["first_low"] + (law["first_high"] - law["first_low"]) * unit(stream, 72)
        first = first * (0.8 + 0.4 * unit(key, 93))
        return np.where(turn > 0, follow, np.clip(first, 0.0, 1.0))


def _optional(keys: U64, prefix: str) -> pa.Array:
    present = keys > 0
    text = hex_ids(keys[present], prefix)
    out: list[str | None] = [None] * len(keys)
    for row, value in zip(np.flatnonzero(present).tolist(), text, strict=True):
        out[row] = value
    return pa.array(out, pa.string())


def _conversations(keys: U64, present: np.ndarray[Any, Any]) -> pa.Array:
    return _optional(np.where(present, keys, np.uint64(0)), "conv_")


def _lists(keys: U64, present: np.ndarray[Any, Any]) -> pa.Array:
    values = pa.array(hex_ids(keys[present], "seal_"), pa.string())
    offsets = np.concatenate([[0], np.cumsum(present)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=pa.array(~present))


def _column(value: Any, kind: pa.DataType, n: int) -> pa.Array:
    if value is None:
        return pa.nulls(n, kind)
    if isinstance(value, (pa.Array, pa.ChunkedArray)):
        return value if value.type == kind else value.cast(kind)
    return pa.array(value, kind)
