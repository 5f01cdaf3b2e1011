"""The catalogue of controls of distillation defence, and its form as an OSCAL catalogue.

One control says one thing that holds or does not. Each is mapped, by id, to OWASP's verification standard for AI (AISVS
1.0, whose C11.3, Model-Extraction Defense, was C11.5 in its drafts), to risk LLM06:2026 of OWASP's top ten (Unbounded
Consumption, which names model cloning), and to mitigations of MITRE ATLAS. Texts are ours; theirs are not repeated.

Examples
--------
>>> control("acc-2").atlas
('AML.M0004', 'AML.M0019')
>>> to_oscal()["catalog"]["metadata"]["oscal-version"]
'1.1.3'
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from stillwatch.errors import ConfigError
from stillwatch.practice.ids import derived

OSCAL = "1.1.3"
NAMESPACE = "urn:stillwatch:practice"
"""Of the properties that hold the mappings."""
RISK = "LLM06:2026"
SOURCES = {
    "aisvs": ("OWASP AISVS 1.0", "https://github.com/OWASP/AISVS"),
    "owasp-llm": (
        "OWASP Top 10 for LLM Applications 2026, LLM06 Unbounded Consumption", "https://genai.owasp.org/llm-top-10/",
    ),
    "atlas": ("MITRE ATLAS 5.6.1", "https://atlas.mitre.org"),
}  # fmt: skip
"""What is mapped to: title and address."""


@dataclass(frozen=True, slots=True)
class Control:
    """One thing that holds or does not."""

    id: str
    group: str
    title: str
    statement: str
    guidance: str
    seen_in: tuple[str, ...]
    """What a posture looks at: ``settings``, ``policy``, ``gate``, ``run``, ``cases``, ``log``, ``shares``; nothing
    when only people can say."""
    aisvs: tuple[str, ...]
    """Requirements of AISVS 1.0."""
    atlas: tuple[str, ...]
    """Mitigations of ATLAS."""


@cache
def groups() -> tuple[tuple[str, str, tuple[Control, ...]], ...]:
    """Id, title and controls of each group, in order."""
    return tuple(
        (group["id"], group["title"], tuple(_control(group["id"], given) for given in group["control"]))
        for group in _data()["group"]
    )


def controls() -> Iterator[Control]:
    """Every control, in order."""
    for _, _, members in groups():
        yield from members


def control(id: str) -> Control:
    """One control.

    Raises
    ------
    ConfigError
        None has this id.
    """
    for one in controls():
        if one.id == id:
            return one
    raise ConfigError(f"no control {id!r}", hint="`stillwatch control list` shows them")


def version() -> str:
    """Of the catalogue."""
    return str(_data()["version"])


def _control(group: str, given: dict[str, Any]) -> Control:
    lists = {name: tuple(given[name]) for name in ("aisvs", "atlas")}
    return Control(group=group, **given | lists | {"seen_in": tuple(given["seen_in"].split())})


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(files("stillwatch.practice").joinpath("controls.toml").read_text("utf-8"))


def to_oscal() -> dict[str, Any]:
    """The catalogue as OSCAL's JSON; the same bytes every time."""
    return {
        "catalog": {
            "uuid": derived(f"catalogue {version()}"),
            "metadata": {
                "title": "Controls of defence against unauthorised distillation of language models",
                "last-modified": f"{version()}T00:00:00Z", "version": version(), "oscal-version": OSCAL,
            },
            "groups": [
                {"id": id, "title": title, "controls": [_as_oscal(one) for one in members]}
                for id, title, members in groups()
            ],
            "back-matter": {
                "resources": [
                    {"uuid": derived(f"source {name}"), "title": title, "rlinks": [{"href": url}]}
                    for name, (title, url) in SOURCES.items()
                ]
            },
        }
    }  # fmt: skip


def mappings(one: Control) -> dict[str, tuple[str, ...]]:
    """What a control is mapped to, by source.

    >>> mappings(control("fair-2"))
    {}
    """
    owasp = (RISK,) if any(id.startswith("11.") for id in one.aisvs) else ()
    found = {"aisvs": one.aisvs, "owasp-llm": owasp, "atlas": one.atlas}
    return {name: ids for name, ids in found.items() if ids}


def _as_oscal(one: Control) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": one.id, "title": one.title,
        "props": [
            {"name": "label", "value": one.id.upper()},
            *({"name": name, "ns": NAMESPACE, "value": id} for name, ids in mappings(one).items() for id in ids),
        ],
        "parts": [
            {"id": f"{one.id}_smt", "name": "statement", "prose": one.statement},
            {"id": f"{one.id}_gdn", "name": "guidance", "prose": one.guidance},
            {"id": f"{one.id}_obj", "name": "assessment-objective", "prose": one.statement},
        ],
    }  # fmt: skip
    if named := mappings(one):
        made["links"] = [{"href": f"#{derived(f'source {name}')}", "rel": "reference"} for name in named]
    return made


__all__ = [
    "NAMESPACE",
    "OSCAL",
    "RISK",
    "SOURCES",
    "Control",
    "control",
    "controls",
    "groups",
    "mappings",
    "to_oscal",
]
