"""Playbooks: every command exists, every id is known, and what comes out is CACAO 2.0."""

from __future__ import annotations

import copy
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from stillwatch.cli import main
from stillwatch.errors import ConfigError
from stillwatch.practice import cacao
from stillwatch.practice.cacao_rules import MANDATORY, breaches
from stillwatch.practice.playbook import USED, playbook, playbooks
from stillwatch.share import atlas, extensions

EVERY = pytest.mark.parametrize("one", playbooks(), ids=lambda one: one.key)


def _parsed(words: list[str]) -> click.Context:
    """The line as the program reads it, and not run."""
    command, left = _command(words)
    assert not isinstance(command, click.Group), words
    return command.make_context(command.name, left, parent=click.Context(main, **main.context_settings))


def _command(words: list[str]) -> tuple[click.Command, list[str]]:
    """The verb that a line begins with, and what is left of the line."""
    level: click.Command = main
    while isinstance(level, click.Group) and words and words[0] in level.commands:
        level, words = level.commands[words[0]], words[1:]
    return level, words


@EVERY
def test_every_command_is_one_that_the_program_takes(one, tmp_path: Path, monkeypatch) -> None:
    """Verb, options and arguments are parsed by the program itself; nothing is run."""
    monkeypatch.chdir(tmp_path)
    for name in ("plan.toml", "share.toml"):
        (tmp_path / name).touch()
    lines = [line for step in one.filled({}).steps for line in step.run]
    assert lines
    for name in ("report", "draft", "logs", "features", "gate"):
        (tmp_path / name).mkdir()
    for line in lines:
        words = shlex.split(line)
        assert words[0] == "stillwatch", line
        assert _parsed(words[1:]).args == [], line


def test_a_command_that_does_not_exist_is_noticed() -> None:
    """The check above is one that can fail."""
    with pytest.raises(click.NoSuchOption):
        _parsed(shlex.split("policy kill a-rule --onto gate"))
    assert isinstance(_command(["policy", "retract"])[0], click.Group)


@EVERY
def test_commands_that_people_are_told_of_exist_too(one) -> None:
    """What is named in words, with a reason that people write, is a verb of the program."""
    for step in one.steps:
        for text in (*step.ask, step.what):
            for said in re.findall(r"stillwatch ((?:[a-z]+ )+[a-z]+|[a-z]+ [a-z]+)", text):
                command, left = _command(said.split())
                assert not isinstance(command, click.Group), said
                assert left == [], said


@EVERY
def test_it_is_cacao(one) -> None:
    """No breach, and its ids never change."""
    made = cacao.to_cacao(one)
    assert list(breaches(made)) == []
    assert made == cacao.to_cacao(playbook(one.key))
    assert json.loads(json.dumps(made)) == made


@EVERY
def test_ids_are_those_of_atlas(one) -> None:
    """Of the vendored release, each of its own kind."""
    for id in one.techniques:
        atlas.entry(id, atlas.TECHNIQUE)
    for id in one.mitigations:
        atlas.entry(id, atlas.MITIGATION)


@EVERY
def test_no_variable_is_left_open(one) -> None:
    """Each that is used is declared and each that is declared is used; what people set later stays."""
    declared = {v.name for v in one.variables}
    texts = [t for s in one.steps for t in (*s.run, *s.ask, s.condition)]
    used = {name for text in texts for name in USED.findall(text)}
    assert used == declared
    later = {name for step in one.steps for name in step.sets}
    left = {n for s in one.filled({}).steps for t in s.run for n in USED.findall(t)}
    assert left <= later
    for step in one.steps:
        assert later == set() or not (set(USED.findall(" ".join(step.run))) & later), (
            "nothing unset reaches a shell"
        )


def test_identify_mitigate_and_remediate_are_there() -> None:
    """The three that were asked for, by the types of the standard."""
    types = {kind for one in playbooks() for kind in one.types}
    assert {"detection", "investigation", "mitigation", "remediation", "notification"} <= types


def test_the_author_is_the_one_who_defined_the_extensions() -> None:
    """One identity for everything that ships."""
    assert cacao.AUTHOR == extensions.AUTHOR


@pytest.mark.parametrize(
    "value", ["a;reboot", "$(id)", "a b", "-rf", "", "x\ny", "\x1b[2J", "a`id`", "ü", "a" * 201]
)
def test_a_value_that_a_shell_would_read_otherwise_is_refused(value: str) -> None:
    """And it is not repeated in the error."""
    with pytest.raises(ConfigError) as told:
        playbook("mitigate").filled({"campaign": value})
    assert value == "" or value not in str(told.value)
    with pytest.raises(ConfigError):
        playbook("mitigate").with_values({"campaign": value})


def _steps(made: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [step for step in made["workflow"].values() if step["type"] == kind]


def _in_circle(made: dict[str, Any]) -> None:
    first, last = _steps(made, "start")[0]["on_completion"], _steps(made, "action")[-1]
    last["on_completion"] = first


def _shared_end(made: dict[str, Any]) -> None:
    branch = _steps(made, "if-condition")[0]
    branch["on_false"] = branch["on_true"]
    lines = made["workflow"]
    lines[branch["on_true"]]["on_completion"] = branch["on_completion"]


def _without_mandatory(made: dict[str, Any]) -> None:
    for step in _steps(made, "action"):
        for command in step["commands"]:
            command["playbook_activity"] = "scan-system"
    made["playbook_activities"] = ["scan-system"]


SLIPS: dict[str, tuple[str, Callable[[dict[str, Any]], Any]]] = {
    "another version": ("spec_version", lambda m: m.update(spec_version="cacao-1.1")),
    "no name": ("required", lambda m: m.pop("name")),
    "a property of its own": ("property", lambda m: m.update(colour="red")),
    "an id of another kind": ("id", lambda m: m.update(id=m["id"].replace("playbook", "identity"))),
    "seconds alone": ("time", lambda m: m.update(created="2026-11-29T00:00:00Z")),
    "no such day": ("time", lambda m: m.update(created="2026-02-30T00:00:00.000Z")),
    "changed before it was made": ("time", lambda m: m.update(modified="2020-01-01T00:00:00.000Z")),
    "valid backwards": ("time", lambda m: m.update(
        valid_from="2026-01-02T00:00:00.000Z", valid_until="2026-01-01T00:00:00.000Z")),
    "more than all": ("range", lambda m: m.update(severity=101)),
    "yes as a number": ("range", lambda m: m.update(severity=True)),
    "an empty list": ("list", lambda m: m.update(labels=[])),
    "a reference to nothing": ("reference", lambda m: m["external_references"].append({"name": "x"})),
    "no steps": ("workflow", lambda m: m.update(workflow=[])),
    "a step that is a word": ("workflow", lambda m: m["workflow"].update({"x": "y"})),
    "an end that goes on": ("end", lambda m: _steps(m, "end")[0].update(on_completion=m["workflow_start"])),
    "a start that may fail": ("start", lambda m: _steps(m, "start")[0].update(on_failure=m["workflow_start"])),
    "two ways on": ("next", lambda m: _steps(m, "action")[0].update(on_success=m["workflow_start"])),
    "no way on": ("next", lambda m: _steps(m, "action")[0].pop("on_completion")),
    "no command": ("required", lambda m: _steps(m, "action")[0].update(commands=[])),
    "a command of no known type": ("command", lambda m: _steps(m, "action")[0]["commands"][0].update(type="telnet")),
    "a silent command": ("command", lambda m: _steps(m, "action")[0]["commands"][0].pop("command")),
    "nobody to do it": ("reference", lambda m: m.update(agent_definitions={})),
    "an agent without a name": ("agent", lambda m: [a.pop("name") for a in m["agent_definitions"].values()]),
    "a step of no known type": ("step type", lambda m: _steps(m, "action")[0].update(type="while")),
    "a key of another kind": ("id", lambda m: m["workflow"].update(
        {"end--00000000-0000-1000-8000-000000000000": {"type": "end"}})),
    "one uuid twice": ("id", lambda m: m["workflow"].update(
        {f"end--{m['id'].partition('--')[2]}": {"type": "end"}})),
    "a step nobody reaches": ("workflow", lambda m: m["workflow"].update(
        {"end--00000000-0000-4000-8000-000000000000": {"type": "end"}})),
    "a way to nowhere": ("reference", lambda m: _steps(m, "action")[0].update(
        on_completion="end--00000000-0000-4000-8000-000000000000")),
    "a start elsewhere": ("reference", lambda m: m.update(workflow_start=m["id"])),
    "a circle": ("workflow", _in_circle),
    "a shared end": ("end", _shared_end),
    "a word of its own": ("activity", lambda m: m["playbook_activities"].append("dance")),
    "an activity nobody does": ("activity", lambda m: m["playbook_activities"].append("map-network")),
    "no mandatory activity": ("activity", _without_mandatory),
    "an unknown type": ("playbook type", lambda m: m["playbook_types"].append("war")),
    "an undeclared variable": ("variable", lambda m: _steps(m, "action")[0]["commands"][0].update(
        command="echo __gone__:value")),
    "a badly named variable": ("variable", lambda m: m["playbook_variables"].update(x={"type": "string"})),
    "an undefined marking": ("reference", lambda m: m.update(data_marking_definitions={})),
    "a list for a dictionary": ("form", lambda m: m.update(playbook_variables=["x"])),
}  # fmt: skip


@pytest.mark.parametrize("slip", SLIPS, ids=lambda slip: slip.replace(" ", "-"))
def test_a_breach_is_named(slip: str) -> None:
    """Each slip breaks its rule; without it nothing is broken."""
    rule, change = SLIPS[slip]
    made = copy.deepcopy(cacao.to_cacao(playbook("identify")))
    change(made)
    assert rule in {b.rule for b in breaches(made)}


def test_a_breach_never_quotes_the_playbook() -> None:
    """A playbook of others may hold anything."""
    made = cacao.to_cacao(playbook("identify")) | {"spec_version": "\x1b]0;owned\x07", "\x1b[2J": 1}
    assert all("\x1b" not in f"{b.rule}{b.where}{b.why}" for b in breaches(made))


def test_every_type_of_the_standard_has_its_activity() -> None:
    """Eight types."""
    assert len(MANDATORY) == 8


def test_list_show_and_export(run, tmp_path: Path) -> None:
    """As a user meets them; nothing is overwritten."""
    assert "remediate" in run("playbook", "list").stdout
    told = run("playbook", "show", "mitigate", "--set", "campaign=C-9").stdout
    assert "$ stillwatch dye issue campaign:C-9 --scheme" in told
    done = run("playbook", "export", "--out", "made")
    assert done.exit_code == 0, done.output
    assert len(list((tmp_path / "made").glob("*.json"))) == len(playbooks())
    assert run("playbook", "check", "made/identify.json").exit_code == 0
    again = run("playbook", "export", "--out", "made")
    assert (again.exit_code, "exists already" in again.stderr) == (2, True)


def test_a_changed_playbook_is_told_apart(run, tmp_path: Path) -> None:
    """Exit status 10, and what is wrong; a file that is none is unusable input."""
    made = cacao.to_cacao(playbook("notify")) | {"severity": 400}
    (tmp_path / "mine.json").write_text(json.dumps(made))
    told = run("playbook", "check", "mine.json")
    assert (told.exit_code, "severity: range" in told.stdout) == (10, True)
    assert json.loads(run("playbook", "check", "mine.json", "--json").stdout)[0]["rule"] == "range"
    (tmp_path / "none.json").write_text("[" * 100_000)
    assert run("playbook", "check", "none.json").exit_code == 2


def test_slips_of_the_finger_are_told(run) -> None:
    """A playbook or a variable that does not exist, a value without a name, values for several."""
    assert "there is identify" in run("playbook", "show", "identfy").stderr
    assert "it has" in run("playbook", "show", "identify", "--set", "compaign=C-1").stderr
    assert "NAME=VALUE" in run("playbook", "show", "identify", "--set", "campaign").stderr
    assert run("playbook", "export", "--out", "x", "--set", "campaign=C-1").exit_code == 2
