"""What CACAO 2.0 asks of a playbook, as far as it can be said without running it: each breach in words.

The rules are the standard's MUSTs for everything that our playbooks use, and for the rest of a playbook's frame:
metadata, ids, times, the mandatory activity of each type, that every reference leads somewhere, that every branch comes
to an end of its own, that no step is out of reach, that variables are declared. Types of agents, commands and steps
that we do not know are a breach here: a playbook of somebody else's may be right and still not be read.

Examples
--------
>>> from stillwatch.practice.cacao import playbook, to_cacao
>>> made = to_cacao(playbook("identify"))
>>> list(breaches(made))
[]
>>> [b.rule for b in breaches(made | {"spec_version": "cacao-1.0"})]
['spec_version']
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-([1-5])[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_ID = re.compile(rf"([a-z][a-z0-9-]+[a-z0-9])--({_UUID})")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_VARIABLE = re.compile(r"__[A-Za-z][A-Za-z0-9_-]{0,245}__")
_USED = re.compile(r"(__[A-Za-z][A-Za-z0-9_-]*?__):value")
MANDATORY = {
    "notification": {"compose-content"}, "detection": {"match-indicator"}, "investigation": {"identify-indicators"},
    "prevention": {"configure-systems"}, "mitigation": {"eliminate-risk"}, "remediation": {"restore-capabilities"},
    "attack": {"step-sequence"},
    "engagement": {"prepare-engagement", "execute-operation", "analyze-engagement-results"},
}  # fmt: skip
"""Section 3.1.2: the activities that a playbook of a type has to have."""
ACTIVITIES = frozenset({
    "compose-content", "deliver-content", "identify-audience", "identify-channel", "scan-system", "match-indicator",
    "analyze-collected-data", "identify-indicators", "scan-vulnerabilities", "configure-systems", "restrict-access",
    "disconnect-system", "eliminate-risk", "revert-system", "restore-data", "restore-capabilities", "map-network",
    "identify-steps", "step-sequence", "prepare-engagement", "execute-operation", "analyze-engagement-results",
})  # fmt: skip
_NEEDED = (
    "type", "spec_version", "id", "name", "created_by", "created", "modified", "workflow_start", "workflow",
)  # fmt: skip
_ALLOWED = frozenset({
    *_NEEDED, "description", "playbook_types", "playbook_activities", "playbook_processing_summary", "revoked",
    "valid_from", "valid_until", "derived_from", "related_to", "priority", "severity", "impact", "industry_sectors",
    "labels", "external_references", "markings", "playbook_variables", "workflow_exception", "playbook_extensions",
    "authentication_info_definitions", "agent_definitions", "target_definitions", "extension_definitions",
    "data_marking_definitions", "signatures",
})  # fmt: skip
_NEXT = ("on_completion", "on_success", "on_failure")
_COMMON = frozenset({
    "type", "name", "description", "external_references", "delay", "timeout", "step_variables", "owner",
    "step_extensions", *_NEXT,
})  # fmt: skip
_OWN = {
    "start": frozenset(), "end": frozenset(),
    "action": frozenset({"commands", "agent", "targets", "in_args", "out_args"}),
    "if-condition": frozenset({"condition", "on_true", "on_false"}), "parallel": frozenset({"next_steps"}),
}  # fmt: skip
_NEEDS = {
    "action": ("commands", "agent"), "if-condition": ("condition", "on_true"), "parallel": ("next_steps",),
    "start": ("on_completion",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Breach:
    """One rule that is broken, and where. Never quotes a text of the playbook."""

    rule: str
    where: str
    why: str


def breaches(made: Mapping[str, Any]) -> Iterator[Breach]:
    """Every breach of the standard in one playbook; none when it may be called CACAO 2.0."""
    try:
        yield from _breaches(made)
    except (AttributeError, KeyError, TypeError):
        yield Breach("form", "playbook", "a value is of another kind than the standard says")


def _breaches(made: Mapping[str, Any]) -> Iterator[Breach]:
    yield from _frame(made)
    workflow = made.get("workflow")
    if not isinstance(workflow, Mapping) or not all(isinstance(step, Mapping) for step in workflow.values()):
        yield Breach("workflow", "workflow", "is no dictionary of steps")
        return
    for id, step in workflow.items():
        yield from _one_step(made, id, step)
    yield from _ids(made, workflow)
    yield from _activities(made, workflow)
    yield from _variables(made, workflow)
    lost = list(_references(made, workflow))
    yield from lost or _flow(made, workflow)


def _frame(made: Mapping[str, Any]) -> Iterator[Breach]:
    for key in _NEEDED:
        if key not in made:
            yield Breach("required", key, "is missing")
    for key in made:
        if key not in _ALLOWED:
            yield Breach("property", "playbook", "has a property that the standard does not know")
    if made.get("type") != "playbook":
        yield Breach("type", "type", "must be playbook")
    if made.get("spec_version") != "cacao-2.0":
        yield Breach("spec_version", "spec_version", "must be cacao-2.0")
    for key, kind in (("id", "playbook"), ("created_by", "identity")):
        found = _ID.fullmatch(str(made.get(key)))
        if not found or found[1] != kind:
            yield Breach("id", key, f"must be {kind}--UUID")
    for key in ("created", "modified", "valid_from", "valid_until"):
        if key in made and not _is_time(made[key]):
            yield Breach("time", key, "must be UTC to the millisecond")
    times = [made.get(key) for key in ("created", "modified")]
    if all(map(_is_time, times)) and times[1] < times[0]:  # type: ignore[operator]  # both are text by now
        yield Breach("time", "modified", "must not be before created")
    spans = [made.get(key) for key in ("valid_from", "valid_until")]
    if all(map(_is_time, spans)) and spans[1] <= spans[0]:  # type: ignore[operator]  # both are text by now
        yield Breach("time", "valid_until", "must be after valid_from")
    for key in ("priority", "severity", "impact"):
        if key in made and not (type(made[key]) is int and 0 <= made[key] <= 100):
            yield Breach("range", key, "must be a whole number from 0 to 100")
    for key in (
        "playbook_types",
        "playbook_activities",
        "labels",
        "markings",
        "external_references",
        "industry_sectors",
    ):
        if key in made and not (isinstance(made[key], list) and made[key]):
            yield Breach("list", key, "must be a list with something in it")
    for row in made.get("external_references") or ():
        if "name" not in row or not set(row) & {
            "description",
            "source",
            "url",
            "external_id",
            "reference_id",
        }:
            yield Breach("reference", "external_references", "needs a name and something that leads to it")


def _is_time(value: Any) -> bool:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _one_step(made: Mapping[str, Any], id: str, step: Mapping[str, Any]) -> Iterator[Breach]:
    kind, found = step.get("type"), _ID.fullmatch(str(id))
    where = f"step {id}" if found else "a step"
    if not found or found[1] != kind or found[3] != "4":
        yield Breach("id", where, "the key of a step must be its type and a UUIDv4")
    if kind not in _OWN:
        yield Breach("step type", where, "is of a type that is not known here")
        return
    for key in step:
        if key not in _COMMON and key not in _OWN[kind]:
            yield Breach("property", where, f"has a property that a step of type {kind} does not have")
    for key in _NEEDS.get(kind, ()):
        if not step.get(key):
            yield Breach("required", where, f"{key} is missing or empty")
    if kind == "end" and any(key in step for key in _NEXT):
        yield Breach("end", where, "an end step must not lead on")
    if kind == "start" and ("on_success" in step or "on_failure" in step):
        yield Breach("start", where, "a start step knows neither success nor failure")
    if "on_completion" in step and ("on_success" in step or "on_failure" in step):
        yield Breach("next", where, "on_completion excludes on_success and on_failure")
    if kind != "end" and "on_completion" not in step and "on_success" not in step:
        yield Breach("next", where, "leads nowhere")
    if kind == "parallel" and len(set(step.get("next_steps") or ())) < 2:
        yield Breach("parallel", where, "needs two different branches")
    if kind == "action":
        yield from _commands(made, where, step)


def _commands(made: Mapping[str, Any], where: str, step: Mapping[str, Any]) -> Iterator[Breach]:
    for command in step.get("commands") or ():
        if command.get("type") not in ("bash", "manual"):
            yield Breach("command", where, "a command is of a type that is not known here")
        if not (command.get("command") or command.get("command_b64")):
            yield Breach("command", where, "a command says nothing")
        if set(command) - {"type", "description", "version", "playbook_activity", "external_references", "command",
                           "command_b64"}:  # fmt: skip
            yield Breach("property", where, "a command has a property that the standard does not know")
    agents = made.get("agent_definitions") or {}
    agent = agents.get(step.get("agent"))
    if agent is None:
        yield Breach("reference", where, "its agent is not among agent_definitions")
    elif not agent.get("name") or not str(step["agent"]).startswith(f"{agent.get('type')}--"):
        yield Breach("agent", where, "its agent has no name, or another type than its id")


def _ids(made: Mapping[str, Any], workflow: Mapping[str, Any]) -> Iterator[Breach]:
    parts = ("agent_definitions", "target_definitions", "data_marking_definitions", "extension_definitions")
    every = [made.get("id"), *workflow, *(id for part in parts for id in made.get(part) or ())]
    seen = Counter(str(id).partition("--")[2] for id in every)
    for _, times in seen.items():
        if times > 1:
            yield Breach("id", "playbook", "one UUID names two objects")
    for mark in made.get("markings") or ():
        if mark not in (made.get("data_marking_definitions") or {}):
            yield Breach("reference", "markings", "a marking is not defined here")


def _references(made: Mapping[str, Any], workflow: Mapping[str, Any]) -> Iterator[Breach]:
    start = workflow.get(str(made.get("workflow_start")))
    if not isinstance(start, Mapping) or start.get("type") != "start":
        yield Breach("reference", "workflow_start", "must name a start step of the workflow")
    if "workflow_exception" in made and made["workflow_exception"] not in workflow:
        yield Breach("reference", "workflow_exception", "names no step of the workflow")
    for id, step in workflow.items():
        for there in _leads(step):
            if there not in workflow:
                yield Breach("reference", f"step {id}", "leads to a step that is not there")


def _leads(step: Mapping[str, Any]) -> list[Any]:
    return [*(step[key] for key in _NEXT if key in step), *_branches(step)]


def _branches(step: Mapping[str, Any]) -> list[Any]:
    return [*(step[key] for key in ("on_true", "on_false") if key in step), *(step.get("next_steps") or ())]


def _activities(made: Mapping[str, Any], workflow: Mapping[str, Any]) -> Iterator[Breach]:
    listed = set(made.get("playbook_activities") or ())
    done = {c.get("playbook_activity") for s in workflow.values() for c in s.get("commands") or ()} - {None}
    for word in listed | done:
        if word not in ACTIVITIES:
            yield Breach("activity", "playbook_activities", "holds a word that is not in the vocabulary")
    if listed - done:
        yield Breach("activity", "playbook_activities", "lists an activity that no step does")
    for kind in made.get("playbook_types") or ():
        if kind not in MANDATORY:
            yield Breach("playbook type", "playbook_types", "holds a word that is not in the vocabulary")
        elif MANDATORY[kind] - listed:
            yield Breach(
                "activity", "playbook_activities", f"a {kind} playbook has to have its mandatory activity"
            )


def _variables(made: Mapping[str, Any], workflow: Mapping[str, Any]) -> Iterator[Breach]:
    declared = made.get("playbook_variables") or {}
    for name, variable in declared.items():
        if not _VARIABLE.fullmatch(name):
            yield Breach(
                "variable", "playbook_variables", "a name does not begin and end with two underscores"
            )
        if "type" not in variable:
            yield Breach("required", "playbook_variables", "a variable has no type")
    for id, step in workflow.items():
        known = set(declared) | set(step.get("step_variables") or {})
        texts = [step.get("condition") or "", *(c.get("command") or "" for c in step.get("commands") or ())]
        used = {name for text in texts for name in _USED.findall(text)}
        used |= {*(step.get("in_args") or ()), *(step.get("out_args") or ())}
        if used - known:
            yield Breach("variable", f"step {id}", "uses a variable that is not declared")


def _flow(made: Mapping[str, Any], workflow: Mapping[str, Any]) -> Iterator[Breach]:
    kinds = Counter(step["type"] for step in workflow.values())
    if kinds["start"] != 1 or not kinds["action"] or not kinds["end"]:
        yield Breach("workflow", "workflow", "needs one start step, an action and an end")
    reached: set[Any] = set()
    path = list(_reach(workflow, made["workflow_start"], reached))
    yield from path
    ends = [end for id, step in workflow.items() for end in _ends_of_branches(workflow, step)]
    for _, times in Counter(ends).items():
        if times > 1:
            yield Breach("end", "workflow", "two branches share an end step")
    if made["workflow_start"] in workflow:
        for end in _ends(workflow, made["workflow_start"]) & set(ends):
            yield Breach("end", f"step {end}", "a branch ends where the playbook ends")
    exception = made.get("workflow_exception")
    if exception in workflow:
        yield from _reach(workflow, exception, reached)
    if set(workflow) - reached:
        yield Breach("workflow", "workflow", "a step is never reached")


def _reach(workflow: Mapping[str, Any], at: Any, reached: set[Any]) -> Iterator[Breach]:
    """Walks everything that can follow; a circle is a breach, since no step of ours loops."""
    todo: list[tuple[Any, tuple[Any, ...]]] = [(at, ())]
    while todo:
        here, before = todo.pop()
        if here in before:
            yield Breach("workflow", f"step {here}", "comes again: there is no end")
            continue
        if here in reached and before:
            continue
        reached.add(here)
        todo += [(there, (*before, here)) for there in _leads(workflow[here])]


def _ends(workflow: Mapping[str, Any], at: Any) -> set[Any]:
    """End steps that a line of steps comes to, branches left out."""
    seen: set[Any] = set()
    todo, ends = [at], set()
    while todo:
        here = todo.pop()
        if here in seen:
            continue
        seen.add(here)
        step = workflow[here]
        if step["type"] == "end":
            ends.add(here)
        todo += [step[key] for key in _NEXT if key in step]
    return ends


def _ends_of_branches(workflow: Mapping[str, Any], step: Mapping[str, Any]) -> Iterator[Any]:
    for branch in dict.fromkeys(_branches(step)):
        yield from _ends(workflow, branch)


__all__ = ["ACTIVITIES", "MANDATORY", "Breach", "breaches"]
