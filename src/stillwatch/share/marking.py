"""TLP 2.0 markings: the five published ids, other people's aliases, and closed when in doubt.

The ids are constants of the standard and are pinned by a test, because wrong ones circulate. An object without a
marking, with an unknown one, or with markings on parts of it counts as TLP:RED.

References: FIRST, Traffic Light Protocol 2.0; OASIS, STIX 2.1 extension-definition for TLP 2.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stillwatch.records.sharing import Tlp

EXTENSION = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
IDS = {
    Tlp.CLEAR: "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    Tlp.GREEN: "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    Tlp.AMBER: "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    Tlp.AMBER_STRICT: "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    Tlp.RED: "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
}
ALIASES = {
    "marking-definition--826578e1-40ad-459f-bc73-ede076f81f37": Tlp.AMBER_STRICT,
    "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": Tlp.CLEAR,
    "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": Tlp.GREEN,
    "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": Tlp.AMBER_STRICT,
    "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": Tlp.RED,
}
"""A widely used platform's own AMBER+STRICT, then TLP 1, whose AMBER said less and so counts as strict."""
CREATED = "2022-10-01T00:00:00.000Z"


def definition(level: Tlp) -> dict[str, Any]:
    """The marking definition, which travels inside every bundle: libraries ship TLP 1 only."""
    return {
        "type": "marking-definition", "spec_version": "2.1", "id": IDS[level], "created": CREATED,
        "name": f"TLP:{level.label.upper()}",
        "extensions": {EXTENSION: {"extension_type": "property-extension", "tlp_2_0": level.label}},
    }  # fmt: skip


def level_of(stix: Mapping[str, Any]) -> Tlp:
    """How closely an object is held.

    >>> level_of({}).label, level_of({"object_marking_refs": [IDS[Tlp.GREEN]]}).label
    ('red', 'green')
    """
    refs = stix.get("object_marking_refs")
    if not isinstance(refs, list) or not refs or stix.get("granular_markings"):
        return Tlp.RED
    known = {identity: level for level, identity in IDS.items()} | ALIASES
    return max(known.get(ref, Tlp.RED) if isinstance(ref, str) else Tlp.RED for ref in refs)
