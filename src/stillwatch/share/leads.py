"""From somebody else's indicator to something that can be looked for, or why not; and what we say back.

Only patterns of the forms that this program itself writes are understood, and each is written again from what was
understood: a pattern that does not come out the same is not used. So a stranger's pattern is never executed, and one
that would hit half the world is refused by the rules that our own indicators obey.

What goes back is of a closed vocabulary: a sighting or an opinion, without a word of free text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from stillwatch.errors import ConfigError
from stillwatch.records.leads import Lead
from stillwatch.records.sharing import Tlp
from stillwatch.share import buckets, marking
from stillwatch.share.patterns import pattern
from stillwatch.share.taxii.moments import nanoseconds
from stillwatch.share.taxii.objects import Checked

DAY_US = 86_400_000_000
MOST_DAYS = {"ipv4": 30, "ipv6": 30, "asn": 400, "ja4": 400, "user_agent": 400}
"""How long a lead lives at most after its version was made: an address soon has another tenant."""
UNSTATED_DAYS = 30
"""How long one lives whose author names no end."""
_FORMS = {
    "asn": re.compile(r"\[autonomous-system:number = (\d{1,10})\]"),
    "ipv4": re.compile(r"\[ipv4-addr:value = '([0-9./]{7,18})'\]"),
    "ipv6": re.compile(r"\[ipv6-addr:value = '([0-9a-f:/]{2,43})'\]"),
    "ja4": re.compile(r"\[network-traffic:x_ja4 = '([a-z0-9_]{36})'\]"),
    "user_agent": re.compile(
        r"\[network-traffic:extensions\.'http-request-ext'\.request_header\.'User-Agent' = "
        r"'((?:[^'\\]|\\['\\]){1,512})'\]"
    ),
}
VERDICTS = {
    "seen": "", "wrong": "strongly-disagree", "outdated": "disagree", "heard": "strongly-agree",
}  # fmt: skip
"""What may be said of another's object, and STIX's own words for it; seen is a sighting."""
_EXPLANATIONS = {
    "wrong": "Met honest traffic only.", "outdated": "No longer shows what it showed.",
    "heard": "The withdrawal was heard and acted on.",
}  # fmt: skip


def understood(text: Any) -> tuple[str, str] | None:
    """Kind and value of a pattern, when it is one of ours.

    >>> understood("[autonomous-system:number = 64500]")
    ('asn', '64500')
    >>> understood("[autonomous-system:number = 64500] OR [ipv4-addr:value = '0.0.0.0/0']")
    >>> understood("[ipv4-addr:value = '10.0.0.0/8']")
    """
    if not isinstance(text, str) or len(text) > 1024:
        return None
    for kind, form in _FORMS.items():
        found = form.fullmatch(text)
        if found is None:
            continue
        value = re.sub(r"\\(['\\])", r"\1", found[1]) if kind == "user_agent" else found[1]
        try:
            same = pattern(kind, value) == text
        except ConfigError:
            return None
        return (kind, value) if same else None
    return None


def lead_of(source: str, one: Checked, stix: Mapping[str, Any]) -> Lead | str:
    """A lead, or why an object is none that can be used."""
    if one.type != "indicator":
        return "not an indicator"
    if one.revoked:
        return "withdrawn"
    if stix.get("pattern_type") != "stix":
        return "a pattern in another language"
    found = understood(stix.get("pattern"))
    if found is None:
        return "a pattern that is not understood"
    try:
        begins = nanoseconds(stix.get("valid_from", one.version)) // 1000
        ends = nanoseconds(stix["valid_until"]) // 1000 if "valid_until" in stix else None
    except (TypeError, ValueError):
        return "its validity cannot be read"
    made = one.version_ns // 1000
    unstated = made + UNSTATED_DAYS * DAY_US
    ends = min(unstated if ends is None else ends, made + MOST_DAYS[found[0]] * DAY_US)
    if ends <= begins:
        return "it ends before it begins"
    return Lead(source, one.object_id, one.version, *found, begins, ends, one.level, one.author)


def answer(
    verdict: str, about: str, level: Tlp, *, sender: str, identity: UUID, now: datetime
) -> dict[str, Any]:
    """What is said back about an object: a sighting or an opinion, held as closely as the object.

    Args:
        verdict: one of `VERDICTS`.
        about: the object's id.
        sender: our STIX identity.
        identity: a fresh random UUID.
    """
    when = buckets.instant(now)
    common = {
        "spec_version": "2.1", "created": when, "modified": when, "created_by_ref": sender,
        "object_marking_refs": [marking.IDS[level]],
    }  # fmt: skip
    if verdict == "seen":
        return {
            "type": "sighting", "id": f"sighting--{identity}", **common, "sighting_of_ref": about,
            "where_sighted_refs": [sender], "last_seen": buckets.day(now),
        }  # fmt: skip
    return {
        "type": "opinion", "id": f"opinion--{identity}", **common, "opinion": VERDICTS[verdict],
        "explanation": _EXPLANATIONS[verdict], "object_refs": [about],
    }  # fmt: skip


def withdrawn(stix: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The version of an object that withdraws it."""
    return {**stix, "modified": buckets.instant(now), "revoked": True}


__all__ = ["VERDICTS", "answer", "lead_of", "understood", "withdrawn"]
