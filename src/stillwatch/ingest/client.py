"""What a request shows of its client: SDK headers, address, the digest of its key. Never a secret.

>>> keep_headers({"Authorization": "Bearer x", "X-Stainless-OS": "Linux", "Cookie": "a=b"})
{'x-stainless-os': 'Linux'}
>>> address("10.0.0.1, 203.0.113.9:443")
'203.0.113.9'
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from stillwatch.ingest.jsontext import parsed

_KEPT = frozenset({
    "accept", "accept-encoding", "accept-language", "anthropic-beta", "anthropic-version",
    "anthropic-dangerous-direct-browser-access", "http-referer", "openai-beta", "origin", "priority",
    "referer", "x-app", "x-goog-api-client", "x-title", "x-requested-with",
})  # fmt: skip
_KEPT_PREFIXES = ("x-stainless-", "sec-ch-", "sec-fetch-", "sec-gpc", "x-msh-", "x-client-", "x-sdk-")
_SECRET_NAME = re.compile(r"auth|cookie|token|secret|api-?key|passw|session|signature|credential")
KEY_SHAPE = r"(?i)(^|[\s,;=:\"])(sk-[a-z0-9]|bearer\s|basic\s|openai-insecure-api-key)"
"""A value that looks like a key is dropped whatever its header is called."""
_SECRET = re.compile(KEY_SHAPE)
_LONGEST = 512
_CACHED = 8192
_ACCOUNT_HEADERS = ("authorization", "x-api-key", "api-key", "x-goog-api-key")


def keeps(name: str) -> bool:
    """Whether a header, by its lower-cased name, tells of the SDK and of nothing secret."""
    if _SECRET_NAME.search(name):
        return False
    return name in _KEPT or name.startswith(_KEPT_PREFIXES)


def lowered(headers: Any) -> dict[str, str]:
    """Headers as one flat dict with lower-cased names, from a dict, a JSON text or a list of pairs."""
    headers = parsed(headers)
    if isinstance(headers, list):
        headers = dict(filter(None, map(_pair, headers)))
    if not isinstance(headers, Mapping):
        return {}
    flat = {}
    for name, value in headers.items():
        if isinstance(value, list):
            value = ", ".join(v for v in value if isinstance(v, str))
        if isinstance(name, str) and isinstance(value, (str, int, float)):
            flat[name.strip().lower()] = str(value)
    return flat


def _pair(item: Any) -> tuple[str, Any] | None:
    if isinstance(item, (list, tuple)) and len(item) == 2 and isinstance(item[0], str):
        return item[0], item[1]
    if isinstance(item, dict):
        name = item.get("name", item.get("key"))
        if isinstance(name, str):
            return name, item.get("value")
    return None


def keep_headers(headers: Any) -> dict[str, str] | None:
    """The headers worth keeping, lower-cased; None when there are none."""
    kept = {
        name: value.partition("?")[0] if "referer" in name else value[:_LONGEST]
        for name, value in lowered(headers).items()
        if keeps(name) and not _SECRET.search(value)
    }
    return kept or None


Pairs = tuple[tuple[str, str], ...]


def kept_pairs(headers: Any) -> Pairs | None:
    """`keep_headers` as pairs, remembered for the header sets that a log repeats over and over."""
    if isinstance(headers, dict):
        try:
            return _known_pairs(tuple(headers.items()))
        except TypeError:
            pass
    kept = keep_headers(headers)
    return None if kept is None else tuple(kept.items())


@lru_cache(maxsize=4096)
def _known_pairs(items: tuple[tuple[str, Any], ...]) -> Pairs | None:
    if sum(len(value) for _, value in items if isinstance(value, str)) > _CACHED:
        raise TypeError("too large to remember")
    kept = keep_headers(dict(items))
    return None if kept is None else tuple(kept.items())


def key_digest(headers: Mapping[str, str]) -> str | None:
    """BLAKE2b-128 of the API key in already lowered headers; None when there is none or it is masked."""
    for name in _ACCOUNT_HEADERS:
        key = headers.get(name, "").strip()
        key = key.partition(" ")[2].strip() if key.lower().startswith("bearer ") else key
        if len(key) >= 8 and not _masked(key):
            return blake2b(key.encode("utf-8", "replace"), digest_size=16).hexdigest()
    return None


def _masked(key: str) -> bool:
    return "***" in key or "..." in key or "redacted" in key.lower()


def address(value: Any) -> str | None:
    """An IP address without its port; of a forwarded list, the last public one; None when it is none.

    The first address of a forwarded list is the client's own claim and can be anybody's.
    """
    return _known_address(value) if isinstance(value, str) and 0 < len(value) <= 2048 else None


@lru_cache(maxsize=16_384)
def _known_address(value: str) -> str | None:
    """The address in a text, remembered for those that come over and over."""
    found = [each for part in value.split(",") if (each := _one_address(part.strip()))]
    public = [each for each in found if not _inside(each)]
    if len(found) > 1 and public:
        return str(public[-1])
    return str(found[-1]) if found else None


_INSIDE = [
    ipaddress.ip_network(block)
    for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8",
                  "169.254.0.0/16", "::1/128", "fc00::/7", "fe80::/10")
]  # fmt: skip
"""Addresses of one's own proxies and load balancers."""


def _inside(found: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return any(found in block for block in _INSIDE if block.version == found.version)


def _one_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
