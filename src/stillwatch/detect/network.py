"""Networks of client addresses."""

from __future__ import annotations

import re

import numba as nb
import numpy as np
import pyarrow as pa

from stillwatch.detect.digest import Key, digest_text, domain_key, sip_bytes, string_buffers

_V6 = re.compile(r"[0-9a-f:.]{2,45}")
_DOT = 46


def network_of(address: str) -> str:
    """The /24 of an IPv4 or the /48 of an IPv6 address; anything else stands for itself.

    An IPv4 address in IPv6 dress (``::ffff:203.0.113.9``) is the IPv4 address.

    >>> network_of("203.0.113.9"), network_of("2001:db8:1:2::9"), network_of("not.an.ip.address")
    ('203.0.113', '2001:db8:1', 'not.an.ip.address')
    """
    text = address.strip().lower()
    if text.startswith("::ffff:") and "." in text:
        text = text[7:]
    if ":" not in text:
        parts = text.split(".")
        v4 = len(parts) == 4 and all(p.isascii() and p.isdigit() for p in parts)
        return ".".join(parts[:3]) if v4 else address
    if not _V6.fullmatch(text.partition("%")[0]):
        return address
    before, _, after = text.partition("%")[0].partition("::")
    head = before.split(":") if before else []
    tail = after.split(":") if after else []
    groups = head + ["0"] * (8 - len(head) - len(tail)) + tail if "::" in text else head
    return ":".join(part.lstrip("0") or "0" for part in groups[:3])


def digest_networks(addresses: pa.Array, key: Key) -> np.ndarray:
    """Digest of the network of each address; 0 where it is missing. Returns int64[n].

    Plain IPv4 addresses, which are most, are cut where they lie; any other goes through `network_of`, once.

    >>> key = Key.derive(b"0" * 32)
    >>> one, other, _ = digest_networks(pa.array(["203.0.113.9", "::ffff:203.0.113.77", None]), key)
    >>> bool(one == other)
    True
    """
    k0, k1 = domain_key(key, "net")
    out = np.zeros(len(addresses), np.int64)
    rest = np.flatnonzero(_plain_networks(*string_buffers(addresses), k0, k1, out))
    if len(rest):
        others = addresses.take(pa.array(rest)).dictionary_encode()
        digests = [digest_text(key, "net", network_of(text)) for text in others.dictionary.to_pylist()]
        out[rest] = np.array(digests, np.int64)[others.indices.to_numpy()]
    return out


@nb.njit(cache=True, nogil=True)
def _plain_networks(data, offsets, valid, k0, k1, out):  # type: ignore[no-untyped-def]  # numba infers
    """Fill ``out`` for texts of four numbers with dots between; returns which others there are."""
    rest = np.zeros(len(out), np.bool_)
    for row in range(len(out)):
        start, end = offsets[row], offsets[row + 1]
        if not valid[row] or start == end:
            continue
        dots, last, plain = 0, start - 1, True
        for i in range(start, end):
            if data[i] == _DOT:
                plain = plain and i > last + 1
                dots += 1
                last = i
            elif not 48 <= data[i] <= 57:
                plain = False
                break
        if plain and dots == 3 and last + 1 < end:
            out[row] = np.int64(sip_bytes(data, start, last, k0, k1))
            if out[row] == 0:
                out[row] = 1
        else:
            rest[row] = True
    return rest
