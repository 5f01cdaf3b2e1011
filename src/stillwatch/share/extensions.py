"""The two property extensions: what a distillation campaign is like, and what a reader may do with a signal.

They add properties to STIX's own objects, so that a reader who knows neither still reads the bundle. Their JSON Schemas
ship in ``share/schemas``; ids are random and never change; a change of meaning gets a new id.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from stillwatch.records.sharing import Tlp
from stillwatch.share import marking

PROFILE = "extension-definition--0915962c-4e51-4cbd-911b-64703d333409"
POLICY = "extension-definition--6ae0d311-148d-40dc-a344-b7d3f7f382d4"
AUTHOR = "identity--c4a2b74d-e325-4f2d-8bce-9f1463f134a7"
CREATED = "2026-11-29T00:00:00.000Z"
_NAMES = {
    PROFILE: ("llm-distillation-campaign", "What a campaign that extracts a language model is like."),
    POLICY: (
        "shared-signal-policy",
        "What a reader may do with a shared signal, and where an objection goes.",
    ),
}


def author() -> dict[str, Any]:
    """Who defined the extensions."""
    return {
        "type": "identity", "spec_version": "2.1", "id": AUTHOR, "created": CREATED, "modified": CREATED,
        "name": "stillwatch", "identity_class": "system", "object_marking_refs": [marking.IDS[Tlp.CLEAR]],
    }  # fmt: skip


def definition(extension: str) -> dict[str, Any]:
    """The extension definition that travels in a bundle."""
    name, what = _NAMES[extension]
    return {
        "type": "extension-definition", "spec_version": "2.1", "id": extension, "created_by_ref": AUTHOR,
        "created": CREATED, "modified": CREATED, "name": name, "description": what,
        "schema": f"urn:stillwatch:schema:{name}:1", "version": "1.0.0", "extension_types": ["property-extension"],
        "object_marking_refs": [marking.IDS[Tlp.CLEAR]],
    }  # fmt: skip


@cache
def schema(extension: str) -> dict[str, Any]:
    """The JSON Schema of an extension's properties."""
    text = files("stillwatch.share").joinpath(f"schemas/{_NAMES[extension][0]}-1.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found
