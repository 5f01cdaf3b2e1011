"""Client software: its name and version from a user agent, and what the SDK's headers say beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numba as nb
import numpy as np
import pyarrow as pa

from stillwatch.detect.digest import Key, domain_key, sip_bytes, string_buffers

MISSING = -1
HDR_VERSION_CONFLICT, HDR_LANGUAGE_CONFLICT, HDR_ABSENT = 1, 2, 4
KNOWN_CLIENTS = (
    "openai/python", "asyncopenai/python", "openai/js", "openai/node", "openai/go", "openai/java",
    "anthropic/python", "asyncanthropic/python", "anthropic/js", "anthropic/typescript", "claude-cli",
    "langchain", "langchain/python", "langchainjs", "llama-index", "litellm", "python-requests", "httpx",
    "python-httpx", "aiohttp", "curl", "go-http-client", "node-fetch", "axios", "okhttp", "mozilla",
    "codex_cli_rs", "cursor", "postmanruntime", "java-http-client", "vercel-ai-sdk", "ai-sdk", "guzzlehttp",
    "google-genai-sdk", "boto3", "botocore", "ruby", "faraday",
)  # fmt: skip
"""Client names that may be shown; any other name is known by digest only."""
LONGEST_AGENT = 512
"""Characters of a user agent that are read for a client name; its digest covers all."""
MOST_KEPT = 65_536
"""Values of headers in one batch whose digests are kept for the rows that show them too."""
_PRODUCT = re.compile(
    r"([A-Za-z][\w.+-]{0,40}(?:/[A-Za-z][\w+-]{0,20})?)[/ ]v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,5}))?"
)
_OFFICIAL = ("openai/", "anthropic/", "asyncopenai/", "asyncanthropic/")
"""Clients that always send the headers of their SDK."""
_LANGUAGE, _PACKAGE = "x-stainless-lang", "x-stainless-package-version"
_SDK_HEADERS = (_LANGUAGE, _PACKAGE, "x-stainless-os", "x-stainless-arch", "x-stainless-runtime",
                "x-stainless-runtime-version", "anthropic-version", "accept-language", "x-stainless-async")  # fmt: skip


def client_of(agent: str) -> tuple[str, int]:
    """Known client name (or ``other``) and packed version of a user agent string.

    >>> client_of("OpenAI/Python 3.54.0"), client_of("evil\\x1b[31m/1.0")[0]
    (('openai/python', 3054000), 'other')
    """
    return _product(agent[:LONGEST_AGENT])


@lru_cache(maxsize=4096)
def _product(agent: str) -> tuple[str, int]:
    found = _PRODUCT.search(agent)
    if not found:
        return "other", MISSING
    name = found.group(1).lower()
    return (name if name in KNOWN_CLIENTS else "other"), _packed(*found.group(2, 3, 4))


def _packed(major: str, minor: str, patch: str | None) -> int:
    return int(major) * 1_000_000 + int(minor) * 1_000 + min(int(patch or 0), 999)


@dataclass(frozen=True, slots=True)
class Clients:
    """Distinct clients of a batch, and which of them each row names; the last is that of rows that name none."""

    names: list[str]
    versions: np.ndarray
    """int64: packed; -1 when unknown."""
    at: np.ndarray
    """int64[n]: place of each row's client."""


def clients_of(agents: pa.Array) -> Clients:
    """`client_of` each user agent, once for each that differs."""
    at, values = distinct(agents)
    found = [client_of(value) for value in [*values, ""]]
    return Clients([name for name, _ in found], np.array([version for _, version in found], np.int64), at)


def distinct(column: pa.Array) -> tuple[np.ndarray, list[Any]]:
    """Place of each value among the distinct ones, and these; the place of a missing value is behind the last."""
    encoded = column.dictionary_encode()
    return places(encoded), encoded.dictionary.to_pylist()


def places(encoded: pa.DictionaryArray) -> np.ndarray:
    """Place of each value in the dictionary; its length where missing."""
    raw = encoded.indices.cast(pa.int64()).fill_null(len(encoded.dictionary))
    out: np.ndarray = raw.to_numpy(zero_copy_only=False)
    return out


def sdk_headers(column: pa.Array, clients: Clients, key: Key) -> tuple[np.ndarray, np.ndarray]:
    """Digest of the SDK's headers of each row, in whatever order, and how they contradict its user agent.

    Returns:
        int64[n]: sum of the headers' digests, 0 where there are none; int8[n]: ``HDR_*`` flags.
    """
    n = len(column)
    total, last = np.zeros(n, np.int64), np.full((2, n), -1, np.int64)
    if column.null_count == n:
        return total, np.zeros(n, np.int8)
    offsets = np.asarray(column.offsets).astype(np.int64)
    names, items = (each[int(offsets[0]) : int(offsets[-1])] for each in (column.keys, column.items))
    name_of, known = distinct(names)
    words = np.array([*(_PLACES.get(name, -1) for name in known), -1], np.int8)
    encoded = items.dictionary_encode()
    data, ends, _ = string_buffers(encoded.dictionary)
    digests = np.zeros((len(_SDK_HEADERS), min(len(ends), MOST_KEPT)), np.int64)
    _sum(
        offsets - offsets[0], name_of, words, places(encoded), data, np.append(ends, ends[-1]), *_TOLD,
        *domain_key(key, "header"), digests, total, last,
    )  # fmt: skip
    given = np.asarray(column.is_valid())
    flags = _contradictions(clients, *(_shown(encoded.dictionary, at) for at in last))
    return np.where(given, total, 0), np.where(given, flags, 0).astype(np.int8)


def _shown(items: pa.Array, at: np.ndarray) -> tuple[np.ndarray, list[str | None]]:
    """Which value each row shows, and these; None is among them. ``at`` is -1, or the number of items, for none."""
    place = np.zeros(len(items) + 2, np.int64)
    place[at] = 1
    place[len(items) :] = 0
    shown = np.flatnonzero(place)
    place[shown] = np.arange(1, len(shown) + 1)
    return place[at], [None, *items.take(pa.array(shown)).to_pylist()]


def _contradictions(
    clients: Clients, languages: tuple[np.ndarray, list[str | None]], packages: tuple[np.ndarray, list[str | None]]
) -> np.ndarray:  # fmt: skip
    """Flags of each row: what its headers say of language and version, beside what its user agent says."""
    at, values = packages
    told = np.array([_package(value) for value in values], np.int64)[at]
    version = clients.versions[clients.at]
    conflict = (told != MISSING) & (version != MISSING) & (told != version)
    at, values = languages
    spoken = np.array([(value or "").lower() for value in values], object)
    implied = np.array([name.partition("/")[2] for name in clients.names], object)
    codes = {text: code for code, text in enumerate(dict.fromkeys(["", *spoken, *implied]))}
    language = np.array([codes[text] for text in spoken], np.int64)[at]
    own = np.array([codes[text] for text in implied], np.int64)[clients.at]
    official = np.array([name.startswith(_OFFICIAL) for name in clients.names])[clients.at]
    flags: np.ndarray = (
        conflict * HDR_VERSION_CONFLICT
        + ((language != 0) & (own != 0) & (language != own)) * HDR_LANGUAGE_CONFLICT
        + (official & (language == 0)) * HDR_ABSENT
    )
    return flags


def _package(version: str | None) -> int:
    """A version as `client_of` packs it; -1 when there is none."""
    if not version:
        return MISSING
    major, minor, patch = [*re.findall(r"\d{1,5}", version)[:3], "0", "0", "0"][:3]
    return _packed(major, minor, patch)


def _table(words: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Bytes of some words end to end, and where each ends."""
    encoded = [word.encode() for word in words]
    return np.frombuffer(b"".join(encoded), np.uint8), np.cumsum([0, *map(len, encoded)]).astype(np.int64)


_TOLD = _table(_SDK_HEADERS)
_PLACES = {name: place for place, name in enumerate(_SDK_HEADERS)}


@nb.njit(cache=True, nogil=True)
def _sum(  # type: ignore[no-untyped-def]  # numba infers
    rows, name_of, word_of, item_of, items, item_at, words, ends, k0, k1, digests, total, last
):
    """Add up digests of ``name=value`` over the SDK's headers of each row, and note what the last of two says.

    What a pair digests to is kept in ``digests``, since few pairs differ; of values beyond its width it is made again.
    """
    pair = np.empty(256, np.uint8)
    for row in range(len(total)):
        for i in range(rows[row], rows[row + 1]):
            word = word_of[name_of[i]]
            if word < 0:
                continue
            item = item_of[i]
            if word < 2:
                last[word, row] = item
            kept = item < digests.shape[1]
            digest = digests[word, item] if kept else 0
            if digest == 0:
                name, size = ends[word + 1] - ends[word], item_at[item + 1] - item_at[item]
                if name + 1 + size > len(pair):
                    pair = np.empty(2 * (name + 1 + size), np.uint8)
                pair[:name] = words[ends[word] : ends[word + 1]]
                pair[name] = 61
                pair[name + 1 : name + 1 + size] = items[item_at[item] : item_at[item + 1]]
                digest = np.int64(sip_bytes(pair, 0, name + 1 + size, k0, k1))
                if kept:
                    digests[word, item] = digest
            total[row] += digest
