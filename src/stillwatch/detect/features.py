"""Exchange batches in, feature batches out: the privacy boundary.

`Featurizer.batch` reduces a batch of canonical exchanges to integers, flags and keyed digests. Prompts,
completions, headers, addresses and identifiers do not pass; account, organisation, model and channel names
do, as small integer codes whose names live in the `Interner`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.detect.chains import as_lists, chains
from stillwatch.detect.clients import MISSING as MISSING
from stillwatch.detect.clients import clients_of, distinct, places, sdk_headers
from stillwatch.detect.digest import Key, digest_strings, digest_text
from stillwatch.detect.kernel import COLUMNS, chunk_digests, text_features
from stillwatch.detect.lexicon import Lexicon
from stillwatch.detect.network import digest_networks

I64 = pa.int64()
DIGEST_LIST = pa.list_(I64)

FEATURE_SCHEMA = pa.schema(
    [("ts", I64), ("xid", I64), ("acct", pa.int32()), ("org", pa.int32())]
    + [(name, pa.int32()) for name in ("model", "channel", "operation", "country")]
    + [
        (name, I64)
        for name in ("cred", "end_user", "ip", "net", "ua", "hdr", "tls", "device", "sys", "tools")
    ]
    + [("asn", I64), ("client", pa.int32()), ("client_version", I64), ("hdr_flags", pa.int8())]
    + [(name, I64) for name in COLUMNS]
    + [("cues", I64), ("lang", pa.int8()), ("words", pa.int32()), ("text_flags", pa.uint8())]
    + [("temperature", pa.float32()), ("top_p", pa.float32()), ("n", pa.int32()), ("max_tokens", pa.int64())]
    + [("logprobs", pa.int8()), ("stream", pa.int8()), ("seeded", pa.int8()), ("sampling", I64)]
    + [(name, I64) for name in ("input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens")]
    + [("status", pa.int32()), ("finish", pa.int8()), ("conv", I64), ("turn", pa.int32())]
    + [
        (name, DIGEST_LIST)
        for name in ("issued", "presented", "sealed_in", "sealed_out", "chunk_out", "chunk_in")
    ]
)
"""What detect sees of one exchange. Digests are int64 and 0 = missing; codes and counts are -1 when missing."""

FINISH = {"stop": 0, "end_turn": 0, "length": 1, "max_tokens": 1, "tool_calls": 2, "tool_use": 2,
          "refusal": 3, "content_filter": 3}  # fmt: skip


class Interner:
    """Small integer codes for names that may be kept: accounts, organisations, models, channels.

    >>> names = Interner()
    >>> names.codes(pa.array(["b", None, "a", "b"])).tolist(), names.names
    ([0, -1, 1, 0], ['b', 'a'])
    """

    def __init__(self) -> None:
        self.index: dict[str, int] = {}
        self.names: list[str] = []

    def code(self, name: str) -> int:
        """Code of one name, new when unseen."""
        got = self.index.get(name)
        if got is None:
            got = self.index[name] = len(self.names)
            self.names.append(name)
        return got

    def codes(self, column: pa.Array) -> np.ndarray:
        """Codes of a string column as int32; -1 where missing or empty."""
        at, values = distinct(column)
        table = [self.code(name) if name else MISSING for name in values]
        picked: np.ndarray = np.array([*table, MISSING], np.int32)[at]
        return picked


@dataclass
class Names:
    """The interners of one scan."""

    account: Interner = field(default_factory=Interner)
    org: Interner = field(default_factory=Interner)
    model: Interner = field(default_factory=Interner)
    channel: Interner = field(default_factory=Interner)
    operation: Interner = field(default_factory=Interner)
    country: Interner = field(default_factory=Interner)
    client: Interner = field(default_factory=Interner)


def _by_unique(column: pa.Array, function: Callable[[str], Any], missing: Any, dtype: Any) -> np.ndarray:
    at, values = distinct(column)
    picked: np.ndarray = np.array([*map(function, values), missing], dtype=dtype)[at]
    return picked


def _int(column: pa.Array, dtype: Any = np.int64) -> np.ndarray:
    info = np.iinfo(dtype)
    raw = column.cast(pa.int64(), safe=False).fill_null(MISSING).to_numpy(zero_copy_only=False)
    clipped: np.ndarray = np.clip(raw, info.min, info.max).astype(dtype)
    return clipped


def _flag(column: pa.Array) -> np.ndarray:
    out: np.ndarray = column.cast(pa.int8()).fill_null(MISSING).to_numpy(zero_copy_only=False)
    return out


def sampling_label(
    temperature: float, top_p: float, n: int, max_tokens: int, logprobs: int, seeded: int
) -> str:
    """Closed-vocabulary name of a sampling vector; ``-`` where a value was not sent.

    >>> sampling_label(0.6, 0.95, -1, 16384, -1, 0)
    't0.60 p0.95 n- m16384 l-'
    """
    t = "-" if not temperature >= 0 else f"{temperature:.2f}"
    p = "-" if not top_p >= 0 else f"{top_p:.2f}"
    return (
        f"t{t} p{p} n{'-' if n < 0 else n} m{'-' if max_tokens < 0 else max_tokens}"
        f" l{'-' if logprobs < 0 else logprobs}" + (" s" if seeded > 0 else "")
    )


MOST_KEPT = 65_536
"""Lists of tools that are remembered at one time."""
_SENT = ("temperature", "top_p", "n", "max_tokens", "logprobs", "seeded")
"""Columns that make up a sampling vector."""


def _hundredths(values: np.ndarray) -> np.ndarray:
    """Values times 100 as int64; what no sampler takes (not a number, beyond 10^15) is brought into range."""
    safe = np.nan_to_num(values.astype(np.float64), nan=-1.0, posinf=1e15, neginf=-1.0)
    out: np.ndarray = np.round(np.clip(safe, -1.0, 1e15) * 100).astype(np.int64)
    return out


def _distinct(columns: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Distinct rows of integer columns: where each comes first, and which of them each row is."""
    inverse = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        if (column == column[:1]).all():
            continue  # a field that nobody sent tells no rows apart
        encoded = pa.array(column).dictionary_encode()
        both = inverse * len(encoded.dictionary) + encoded.indices.to_numpy()
        inverse = pa.array(both).dictionary_encode().indices.to_numpy().astype(np.int64)
    first = np.zeros(int(inverse.max(initial=-1)) + 1, np.int64)
    first[inverse[::-1]] = np.arange(len(inverse))[::-1]
    return first, inverse


def _sampling(columns: dict[str, np.ndarray], key: Key, known: dict[str, int]) -> np.ndarray:
    sent = [_hundredths(columns[k]) for k in _SENT]
    first, inverse = _distinct(sent)
    rows = np.stack([column[first] for column in sent], 1)
    values = np.zeros(len(rows), dtype=np.int64)
    for i in np.lexsort(rows.T[::-1]):
        t, p, n, m, lp, s = (int(v) for v in rows[i])
        if t < 0 and p < 0 and n < 0 and m < 0 and lp < 0:
            continue
        label = sampling_label(t / 100, p / 100, n // 100, m // 100, lp // 100, s // 100)
        if label not in known:
            known[label] = digest_text(key, "sampling", label)
        values[i] = known[label]
    picked: np.ndarray = values[inverse]
    return picked


def _list_digests(column: pa.Array, key: Key, domain: str) -> pa.Array:
    if column.null_count == len(column):
        return pa.nulls(len(column), DIGEST_LIST)
    flat = digest_strings(column.flatten(), key, domain)
    lengths = pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)
    kept = np.concatenate([[0], np.cumsum(flat != 0)])
    offsets = kept[np.concatenate([[0], np.cumsum(lengths)])].astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat[flat != 0]))


class Featurizer:
    """Turns exchange batches into feature batches. Thread-safe apart from the interners (see `batch`)."""

    def __init__(self, key: Key, lexicon: Lexicon) -> None:
        self.key = key
        self.lexicon = lexicon
        self.names = Names()
        self.sampling_labels: dict[str, int] = {}
        self.tool_sets: dict[int, int] = {}
        """What lists of tools were read as: digest of the text to that of the set."""
        self.seen_fields: dict[str, int] = {}
        """Rows in which each contract field was present."""

    def heavy(self, batch: pa.RecordBatch) -> dict[str, Any]:
        """The part that may run in several threads: text and digests, no shared state."""
        key = self.key
        prompt = text_features(batch.column("prompt"), key, self.lexicon, chunks=True)
        out: dict[str, Any] = {name: prompt.digests[i] for i, name in enumerate(COLUMNS)}
        scores = prompt.scores
        system = batch.column("system_prompt")
        if system.null_count < len(system):
            encoded = system.dictionary_encode()
            unique = text_features(encoded.dictionary, key, self.lexicon)
            at = places(encoded)
            digest = unique.digests[0].copy()
            with np.errstate(over="ignore"):
                for i in (2, 3, 4, 5):
                    digest = digest * np.int64(6364136223846793005) + unique.digests[i]
            digest = np.where(digest == 0, unique.digests[10], digest)
            out["sys"] = np.append(digest, 0)[at]
            extra = np.vstack([unique.scores, np.zeros((1, scores.shape[1]), np.int16)])[at]
            scores = np.maximum(scores, extra)
        else:
            out["sys"] = np.zeros(len(batch), np.int64)
        bits = np.zeros(len(batch), dtype=np.int64)
        for family in self.lexicon.families:
            bits |= (scores[:, family.bit] >= family.threshold).astype(np.int64) << family.bit
        out["cues"] = bits
        out["lang"], out["words"], out["text_flags"] = prompt.language, prompt.words, prompt.flags
        out["xid"] = digest_strings(batch.column("exchange_id"), key, "exchange")
        for name, source in (("cred", "credential_id"), ("end_user", "end_user_id"), ("ip", "client_ip"),
                             ("ua", "user_agent"), ("tls", "tls_fingerprint"), ("device", "device_id"),
                             ("conv", "conversation_id")):  # fmt: skip
            out[name] = digest_strings(batch.column(source), key, name)
        out["net"] = digest_networks(batch.column("client_ip"), key)
        out["tools"] = _by_unique(batch.column("tools"), self._tools, 0, np.int64)
        clients = out["clients"] = clients_of(batch.column("user_agent"))
        out["hdr"], out["hdr_flags"] = sdk_headers(batch.column("client_headers"), clients, key)
        for name in ("sealed_in", "sealed_out"):
            out[name] = _list_digests(batch.column(name), key, "sealed")
        out["issued"], out["presented"] = chains(batch, key)
        out["chunk_out"] = as_lists(chunk_digests(batch.column("completion"), key))
        out["chunk_in"] = as_lists(prompt.chunks)
        return out

    def finish(self, batch: pa.RecordBatch, out: dict[str, Any]) -> pa.RecordBatch:
        """The sequential part: codes, numbers, assembly. Call in input order."""
        for name in batch.schema.names:
            present = len(batch) - batch.column(name).null_count
            if present:
                self.seen_fields[name] = self.seen_fields.get(name, 0) + present
        names = self.names
        out["ts"] = batch.column("started_at").cast(pa.int64()).to_numpy(zero_copy_only=False)
        for column, source, interner in (
            ("acct", "account_id", names.account), ("org", "org_id", names.org), ("model", "model", names.model),
            ("channel", "channel", names.channel), ("operation", "operation", names.operation),
            ("country", "client_country", names.country),
        ):  # fmt: skip
            out[column] = interner.codes(batch.column(source))
        clients = out["clients"]
        codes = [names.client.code(name) for name in clients.names[:-1]]
        out["client"] = np.array([*codes, MISSING], np.int32)[clients.at]
        out["client_version"] = clients.versions[clients.at]
        for name in ("temperature", "top_p"):
            out[name] = batch.column(name).cast(pa.float32(), safe=False).fill_null(-1.0).to_numpy()
        for name in (
            "asn",
            "max_tokens",
            "input_tokens",
            "output_tokens",
            "reasoning_tokens",
            "cached_tokens",
        ):
            out[name] = _int(batch.column("client_asn" if name == "asn" else name))
        out["n"], out["turn"] = _int(batch.column("n"), np.int32), _int(batch.column("turn"), np.int32)
        out["status"] = _int(batch.column("status").fill_null(200), np.int32)
        for name in ("logprobs", "stream"):
            out[name] = _flag(batch.column(name))
        out["seeded"] = np.asarray(batch.column("seed").is_valid()).astype(np.int8)
        out["finish"] = _by_unique(
            batch.column("finish_reason"), lambda v: FINISH.get(v, 4), MISSING, np.int8
        )
        out["sampling"] = _sampling(out, self.key, self.sampling_labels)
        return pa.RecordBatch.from_arrays(
            [
                out[f.name] if isinstance(out[f.name], pa.Array) else pa.array(out[f.name], type=f.type)
                for f in FEATURE_SCHEMA
            ],
            schema=FEATURE_SCHEMA,
        )

    def batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Reduce one batch of EXCHANGE_SCHEMA to FEATURE_SCHEMA."""
        return self.finish(batch, self.heavy(batch))

    def _tools(self, text: str) -> int:
        """Digest of the set of tools that a text names; the same few texts come again, and only digests are kept."""
        seen = digest_text(self.key, "tools-text", text)
        found = self.tool_sets.get(seen)
        if found is None:
            if len(self.tool_sets) >= MOST_KEPT:
                self.tool_sets = {}
            found = self.tool_sets[seen] = self._tool_set(text)
        return found

    def _tool_set(self, text: str) -> int:
        try:
            tools = orjson.loads(text)
        except orjson.JSONDecodeError:
            return digest_text(self.key, "tools", text)
        labels = []
        for tool in tools if isinstance(tools, list) else [tools]:
            spec = tool.get("function", tool) if isinstance(tool, dict) else {}
            labels.append(str(spec.get("name", "")) if isinstance(spec, dict) else "")
        return digest_text(self.key, "tools", "\x1f".join(sorted(labels))) if labels else 0


NAMED = {"acct": "account", "org": "org", "model": "model", "channel": "channel", "operation": "operation",
         "country": "country", "client": "client"}  # fmt: skip
"""Columns that hold codes, and whose codes they are."""
PORTABLE = b"stillwatch.features"
"""Schema metadata key of a feature file; its value is the key id the digests were made with."""


def portable(batch: pa.RecordBatch, names: Names, key_id: str) -> pa.Table:
    """Feature batch with names instead of codes, to be kept as a file and scanned later."""
    columns, fields = [], []
    for i, f in enumerate(batch.schema):
        column = batch.column(i)
        if f.name in NAMED:
            table = pa.array(getattr(names, NAMED[f.name]).names, pa.string())
            codes = pc.if_else(pc.less(column, 0), None, column)
            column = table.take(codes) if len(table) else pa.nulls(len(column), pa.string())
            f = pa.field(f.name, pa.string())
        columns.append(column)
        fields.append(f)
    return pa.Table.from_arrays(columns, schema=pa.schema(fields, metadata={PORTABLE: key_id.encode()}))


def from_portable(batch: pa.RecordBatch, feat: Featurizer) -> pa.RecordBatch:
    """The way back: names to codes of this scan."""
    sent = {name: batch.column(name).to_numpy() for name in _SENT}
    _sampling(sent, feat.key, feat.sampling_labels)  # a file holds digests; their labels are made again
    columns = []
    for f in FEATURE_SCHEMA:
        column = batch.column(f.name)
        if f.name in NAMED:
            column = pa.array(getattr(feat.names, NAMED[f.name]).codes(column.cast(pa.string())), pa.int32())
        columns.append(column.cast(f.type))
    return pa.RecordBatch.from_arrays(columns, schema=FEATURE_SCHEMA)
