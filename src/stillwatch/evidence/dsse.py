"""An in-toto statement in a DSSE envelope with Ed25519 signatures.

References: DSSE v1 (secure-systems-lab); in-toto Statement v1.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from stillwatch.evidence.canonical import canonical
from stillwatch.evidence.keys import SigningKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:stillwatch:evidence-package:1"


def pae(kind: str, body: bytes) -> bytes:
    """Pre-authentication encoding: what is signed.

    >>> pae("http://example.com/HelloWorld", b"hello world")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    return b"DSSEv1 %d %s %d %s" % (len(kind.encode()), kind.encode(), len(body), body)


def statement(subjects: Mapping[str, str], predicate: Mapping[str, Any]) -> bytes:
    """A statement about files, by name and sha256."""
    return canonical(
        {
            "_type": STATEMENT,
            "subject": [{"name": name, "digest": {"sha256": subjects[name]}} for name in sorted(subjects)],
            "predicateType": PREDICATE,
            "predicate": predicate,
        }
    )


def envelope(body: bytes, keys: Iterable[SigningKey]) -> bytes:
    """The statement with one signature of each key."""
    message = pae(PAYLOAD_TYPE, body)
    return canonical(
        {
            "payloadType": PAYLOAD_TYPE,
            "payload": base64.b64encode(body).decode(),
            "signatures": [
                {"keyid": key.key_id, "sig": base64.b64encode(key.sign(message)).decode()} for key in keys
            ],
        }
    )
