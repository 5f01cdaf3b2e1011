"""Playbooks as CACAO Security Playbooks 2.0 (OASIS Committee Specification 01, 27 November 2023).

Everything that runs is a ``bash`` command of ours, everything else a ``manual`` one; there is no executor here, and no
credential. What the standard asks of a playbook is checked by :mod:`stillwatch.practice.cacao_rules`.

Examples
--------
>>> made = to_cacao(playbook("mitigate"))
>>> made["spec_version"], made["workflow"][made["workflow_start"]]["type"]
('cacao-2.0', 'start')
"""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

from stillwatch.practice.playbook import Playbook, Step, playbook

AUTHOR = "identity--c4a2b74d-e325-4f2d-8bce-9f1463f134a7"
"""Who made them: the STIX identity under which our extensions are defined too."""
CREATED = "2026-11-29T00:00:00.000Z"
CLEAR = "marking-tlp--9448efcb-35ea-4fe4-8dfa-5c2470147d90"
ATLAS = "https://atlas.mitre.org"


def to_cacao(one: Playbook) -> dict[str, Any]:
    """The playbook as CACAO's JSON object; the same bytes every time."""
    ids = {step.key: step.id for step in one.steps}
    start = _derived("start", one.id)
    agents = {
        name: _derived("group", f"{one.id} {name}")
        for name in sorted({s.people for s in one.steps if _acts(s)})
    }
    workflow: dict[str, Any] = {
        start: {"type": "start", "name": "Start", "on_completion": ids[one.steps[0].key]},
        **{step.id: _step(step, ids, agents) for step in one.steps},
    }
    return {
        "type": "playbook", "spec_version": "cacao-2.0", "id": one.id, "name": one.name,
        "description": one.description, "playbook_types": list(one.types),
        "playbook_activities": sorted({step.activity for step in one.steps if step.activity}),
        "playbook_processing_summary": _summary(one),
        "created_by": AUTHOR, "created": CREATED, "modified": CREATED,
        "priority": one.priority, "severity": one.severity, "impact": one.impact,
        "industry_sectors": ["technology"], "labels": ["llm-distillation", *(f"control:{c}" for c in one.controls)],
        **_references(one), "markings": [CLEAR],
        "playbook_variables": {
            f"__{v.name}__": {
                "type": "string", "description": v.what, "value": v.value, "constant": False, "external": v.external,
            }
            for v in one.variables
        },
        "workflow_start": start, "workflow": workflow,
        "agent_definitions": {
            id: {"type": "group", "name": name, "description": "People with an account on the host of stillwatch."}
            for name, id in agents.items()
        },
        "data_marking_definitions": {
            CLEAR: {
                "type": "marking-tlp", "id": CLEAR, "created_by": AUTHOR, "created": CREATED,
                "tlpv2_level": "TLP:CLEAR",
            }
        },
    }  # fmt: skip


def _acts(step: Step) -> bool:
    return step.kind == "action"


def _step(step: Step, ids: dict[str, str], agents: dict[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = {"type": step.kind, "name": step.name}
    if step.what:
        made["description"] = step.what
    if _acts(step):
        made["commands"] = [
            {"type": kind, "command": text, "playbook_activity": step.activity}
            for kind, texts in (("bash", step.run), ("manual", step.ask))
            for text in texts
        ]
        made["agent"] = agents[step.people]
        if step.sets:
            made["out_args"] = [f"__{name}__" for name in step.sets]
    elif step.kind == "if-condition":
        made |= {"condition": step.condition, "on_true": ids[step.then], "on_false": ids[step.otherwise]}
    elif step.kind == "parallel":
        made["next_steps"] = [ids[key] for key in step.branches]
    for word, key in (("on_completion", step.next), ("on_success", step.done), ("on_failure", step.failed)):
        if key:
            made[word] = ids[key]
    return made


def _summary(one: Playbook) -> dict[str, bool]:
    kinds = {step.kind for step in one.steps}
    return {
        "manual_playbook": not any(step.run for step in one.steps),
        "external_playbooks": False,
        "parallel_processing": "parallel" in kinds,
        "if_logic": "if-condition" in kinds,
        "while_logic": False,
        "switch_logic": False,
        "temporal_logic": False,
        "data_markings": True,
        "digital_signatures": False,
        "countersigned_signatures": False,
        "extensions": False,
    }


def _references(one: Playbook) -> dict[str, Any]:
    rows = [
        {"name": "MITRE ATLAS", "external_id": id, "url": f"{ATLAS}/{room}/{id}"}
        for room, ids in (("techniques", one.techniques), ("mitigations", one.mitigations))
        for id in ids
    ]
    return {"external_references": rows} if rows else {}


def _derived(kind: str, seed: str) -> str:
    """An id that looks random (UUIDv4) and is the same every time."""
    return f"{kind}--{uuid.UUID(bytes=hashlib.sha256(f'{kind} {seed}'.encode()).digest()[:16], version=4)}"


__all__ = ["AUTHOR", "playbook", "to_cacao"]
