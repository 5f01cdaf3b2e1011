"""The same content as a MISP event, made from what the gate let through and from nothing else.

Written as MISP's own JSON: a translation of the STIX bundle loses the pool, the notes and the AS numbers. No attribute
asks to be blocked (``to_ids`` is false): an indicator is a lead. ``distribution`` never lets an instance pass on more
than the marking does: at AMBER and above the event stays where it was put, until a person picks a sharing group.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from stillwatch.records.sharing import Tlp
from stillwatch.share.extensions import PROFILE

DISTRIBUTION = {Tlp.CLEAR: "3", Tlp.GREEN: "1", Tlp.AMBER: "0", Tlp.AMBER_STRICT: "0", Tlp.RED: "0"}
_PATTERN = re.compile(r"\[([^\s']+(?:'[^']+'[^\s]*)*) = '?(.*?)'?\]")
_KINDS = {
    "autonomous-system:number": "AS", "domain-name:value": "domain", "ipv4-addr:value": "ip-src",
    "ipv6-addr:value": "ip-src", "network-traffic:x_ja4": "other",
}  # fmt: skip


def to_misp(objects: Sequence[Mapping[str, Any]], level: Tlp) -> dict[str, Any]:
    """A MISP event on the campaign of screened objects."""
    by_type: dict[str, list[Mapping[str, Any]]] = {}
    for stix in objects:
        by_type.setdefault(stix["type"], []).append(stix)
    report = by_type["report"][0]
    profile = by_type["campaign"][0].get("extensions", {}).get(PROFILE, {})
    attributes = [_indicator(i) for i in by_type.get("indicator", ())]
    attributes += [
        _attribute(
            report, "text", f"{key}: {value if isinstance(value, str) else ', '.join(value)}", "profile"
        )
        for key, value in profile.items()
        if key != "extension_type"
    ]
    attributes += [
        _attribute(a, "threat-actor", a["name"], a["description"]) for a in by_type.get("threat-actor", ())
    ]
    attributes += [
        _attribute(n, "comment", n["content"], "attribution, a person's") for n in by_type.get("note", ())
    ]
    theirs = [*by_type.get("attack-pattern", ()), *by_type.get("course-of-action", ())]
    tags = [f"tlp:{level.label}", "PAP:AMBER", "type:OSINT" if level is Tlp.CLEAR else "", *(
        f'mitre-atlas:id="{t["external_references"][0]["external_id"]}"' for t in theirs
    )]  # fmt: skip
    return {"Event": {
        "uuid": _uuid(report["id"]), "info": report["name"], "date": str(report["published"])[:10],
        "threat_level_id": "4", "analysis": "1", "distribution": DISTRIBUTION[level], "published": False,
        "Tag": [{"name": tag} for tag in tags if tag],
        "Attribute": [{**a, "distribution": "5"} for a in attributes],
    }}  # fmt: skip


def _indicator(stix: Mapping[str, Any]) -> dict[str, Any]:
    found = _PATTERN.fullmatch(stix["pattern"])
    path, value = (found[1], found[2]) if found else ("", stix["pattern"])
    kind = _KINDS.get(path, "user-agent" if path.endswith("'User-Agent'") else "other")
    row = _attribute(stix, kind, value.replace("\\'", "'").replace("\\\\", "\\"), stix["description"])
    ends = {"first_seen": stix["valid_from"], "last_seen": stix["valid_until"]}
    return {**row, **ends, "category": "Network activity" if kind != "other" else "Other"}


def _attribute(stix: Mapping[str, Any], kind: str, value: str, comment: str) -> dict[str, Any]:
    category = {"threat-actor": "Attribution"}.get(kind, "Other")
    identity = _uuid(stix["id"]) if kind not in ("text",) else _second(stix["id"], value)
    return {
        "uuid": identity, "type": kind, "category": category, "value": value, "comment": comment, "to_ids": False
    }  # fmt: skip


def _uuid(stix_id: str) -> str:
    return stix_id.partition("--")[2]


def _second(stix_id: str, value: str) -> str:
    """A further id from a random one; what it is made with leaves beside it."""
    raw = hashlib.sha256(f"{stix_id}\0{value}".encode()).hexdigest()
    return f"{raw[:8]}-{raw[8:12]}-4{raw[13:16]}-8{raw[17:20]}-{raw[20:32]}"
