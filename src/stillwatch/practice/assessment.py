"""A posture as OSCAL assessment results: an observation for each control, a finding where something can be said.

OSCAL knows *satisfied* and *not-satisfied*. A control that could not be seen is neither: it is excluded from the
controls that were reviewed, and an observation says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stillwatch.practice.controls import NAMESPACE, OSCAL, version
from stillwatch.practice.ids import derived
from stillwatch.practice.posture import Evidence, Judged, State

PLAN = derived("assessment plan")


def to_results(judged: Sequence[Judged], *, at: str, seed: str, program: str) -> dict[str, Any]:
    """The document, in OSCAL's JSON.

    Args:
        judged: every control of the catalogue.
        at: when it was looked at, in RFC 3339.
        seed: what makes the ids of this posture its own.
        program: name and version of what looked.
    """
    said = [one for one in judged if one.state is not State.UNSEEN]
    unseen = [one for one in judged if one.state is State.UNSEEN]
    selection: dict[str, Any] = {"include-controls": _ids(judged)}
    if unseen:
        selection["exclude-controls"] = _ids(unseen)
    return {
        "assessment-results": {
            "uuid": derived(f"{seed} document"),
            "metadata": {
                "title": "Posture of defence against unauthorised distillation", "last-modified": at,
                "version": version(), "oscal-version": OSCAL,
                "props": [{"name": "program", "ns": NAMESPACE, "value": program}],
            },
            "import-ap": {
                "href": f"#{PLAN}",
                "remarks": "There is no plan document: the checks are those of the program, and read files only.",
            },
            "results": [{
                "uuid": derived(f"{seed} result"), "title": "Posture", "start": at, "end": at,
                "description": "Settings and logs were examined by a program. What it did not see it does not say.",
                "reviewed-controls": {"control-selections": [selection]},
                "observations": [_observation(one, at, seed) for one in judged],
                **({"findings": [_finding(one, seed) for one in said]} if said else {}),
            }],
            "back-matter": {"resources": [{"uuid": PLAN, "title": "Checks of the program, without a plan document"}]},
        }
    }  # fmt: skip


def _ids(judged: Sequence[Judged]) -> list[dict[str, str]]:
    return [{"control-id": one.control.id} for one in judged]


def _observation(one: Judged, at: str, seed: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "uuid": derived(f"{seed} observation {one.control.id}"), "title": one.control.title,
        "description": _line(one.why), "methods": ["EXAMINE"], "collected": at,
        "props": [{"name": "state", "ns": NAMESPACE, "value": one.state.value}],
    }  # fmt: skip
    if one.evidence:
        made["relevant-evidence"] = [_evidence(fact) for fact in one.evidence]
    return made


def _evidence(fact: Evidence) -> dict[str, Any]:
    rows = (("key", fact.key), ("value", str(fact.value)), ("sha256", fact.sha256), ("changed", fact.at))
    return {
        "description": _line(fact.file),
        "props": [{"name": name, "ns": NAMESPACE, "value": _line(value)} for name, value in rows if value],
    }


def _finding(one: Judged, seed: str) -> dict[str, Any]:
    holds = one.state is State.HOLDS
    return {
        "uuid": derived(f"{seed} finding {one.control.id}"), "title": one.control.title,
        "description": _line(one.why if holds else f"{one.why}. {one.do}"),
        "target": {
            "type": "objective-id", "target-id": f"{one.control.id}_obj",
            "status": {"state": "satisfied" if holds else "not-satisfied", "reason": "pass" if holds else "fail"},
        },
        "related-observations": [{"observation-uuid": derived(f"{seed} observation {one.control.id}")}],
    }  # fmt: skip


def _line(text: str) -> str:
    """One line without controls: file names and policies are written by others."""
    return "".join(char if char.isprintable() else "�" for char in text).strip() or "-"


__all__ = ["to_results"]
