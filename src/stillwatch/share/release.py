"""Who has to agree before something leaves, and what exactly they sign.

One person suffices up to TLP:AMBER. Above it, and for any attribution, two people sign the same bytes; one person with
two keys is one person, and one key under two names is one key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import rfc8785

from stillwatch.errors import VerificationError
from stillwatch.records.sharing import Release, Tlp

ATTRIBUTES = frozenset({"threat-actor", "note"})
"""Types of objects by which a person says who is behind it."""


def people_needed(objects: Sequence[Mapping[str, Any]], level: Tlp) -> int:
    """How many people have to sign.

    >>> people_needed([], Tlp.AMBER), people_needed([], Tlp.AMBER_STRICT)
    (1, 2)
    """
    return 2 if level > Tlp.AMBER or any(o.get("type") in ATTRIBUTES for o in objects) else 1


def digest(bundle: Mapping[str, Any]) -> str:
    """SHA-256 of a bundle in the canonical form of RFC 8785."""
    return hashlib.sha256(rfc8785.dumps(dict(bundle))).hexdigest()


def to_sign(release: Release) -> bytes:
    """What a person signs: the bytes that leave, for whom, and how closely held."""
    return b"stillwatch-release-v1\n" + rfc8785.dumps({
        "bundle_sha256": release.bundle_sha256, "audience": release.audience.value,
        "product": release.product.value, "tlp": release.level.label, "people_needed": release.people_needed,
    })  # fmt: skip


def check_release(release: Release, objects: Sequence[Mapping[str, Any]]) -> None:
    """Raise unless enough people signed; the caller has checked every signature.

    Raises:
        VerificationError: too few, or the same one twice.
    """
    needed = max(release.people_needed, people_needed(objects, release.level))
    people = {" ".join(a.person.casefold().split()) for a in release.approvals}
    keys = {a.key_id for a in release.approvals}
    have = min(len(people), len(keys))
    if have < needed:
        raise VerificationError(
            f"{needed} people must release this, and {have} did",
            hint="stillwatch share release, as another person",
        )
