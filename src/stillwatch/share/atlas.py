"""Techniques and mitigations of MITRE ATLAS by their own ids, from a vendored table of ids and names.

Nothing is minted: an id that the vendored release does not have is an error, because public documents invent ids for
distillation that ATLAS does not have. `source` says which release the table is from.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from stillwatch.errors import ConfigError

KILL_CHAIN = "mitre-atlas"
TECHNIQUE, MITIGATION = "attack-pattern", "course-of-action"


@dataclass(frozen=True, slots=True)
class Entry:
    """One technique or mitigation."""

    id: str
    name: str
    stix_id: str
    created: str
    phases: tuple[str, ...]

    @property
    def kind(self) -> str:
        """STIX type: `TECHNIQUE` or `MITIGATION`."""
        return self.stix_id.partition("--")[0]

    @property
    def url(self) -> str:
        """Its page."""
        room = "mitigations" if self.kind == MITIGATION else "techniques"
        return f"https://atlas.mitre.org/{room}/{self.id}"


@cache
def table() -> dict[str, Entry]:
    """Every entry by its id."""
    return {
        row["id"]: Entry(row["id"], row["name"], row["stix_id"], row["created"], tuple(row["phases"]))
        for row in _data()["objects"]
    }


@cache
def by_stix_id() -> dict[str, Entry]:
    """Every entry by MITRE's own STIX id: the only ids made from a name that may leave."""
    return {entry.stix_id: entry for entry in table().values()}


def entry(atlas_id: str, kind: str) -> Entry:
    """The entry of an id.

    Raises:
        ConfigError: the vendored release has no such technique or mitigation.

    >>> entry("AML.T0024.002", TECHNIQUE).name
    'Extract AI Model'
    """
    found = table().get(atlas_id)
    if found is None or found.kind != kind:
        what = "mitigation" if kind == MITIGATION else "technique"
        raise ConfigError(
            f"{atlas_id!r} is no {what} of ATLAS {source()['release']}", hint="look it up at atlas.mitre.org"
        )
    return found


def case_study(study_id: str) -> tuple[str, tuple[str, ...]]:
    """Name and chain of techniques of a case study that ships.

    >>> case_study("AML.CS0056")[1][:2]
    ('AML.T0008.005', 'AML.T0065')
    """
    for row in _data()["case_studies"]:
        if row["id"] == study_id:
            return str(row["name"]), tuple(row["chain"])
    raise ConfigError(f"no case study {study_id!r} ships", hint="look it up at atlas.mitre.org")


def source() -> dict[str, str]:
    """Where the table is from: ``source``, ``release``, ``released``, ``commit``, ``licence``."""
    return {key: value for key, value in _data().items() if isinstance(value, str)}


@cache
def _data() -> dict[str, Any]:
    text = files("stillwatch.share").joinpath("data/atlas.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found
