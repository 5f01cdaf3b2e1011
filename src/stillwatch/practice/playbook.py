"""Playbooks that ship: what to do, in which order, with which commands, as people write and read them.

A playbook is one TOML file in ``playbooks/``. Commands name variables as CACAO does, ``__run__:value``; values are
plain words that a shell takes as they are, so that nothing has to be quoted and nothing can be smuggled in.

Examples
--------
>>> [one.key for one in playbooks()]
['identify', 'mitigate', 'remediate', 'notify', 'restore']
>>> playbook("identify").filled({"run": "monday"}).steps[1].run[0].split()[-2:]
['--out', 'monday']
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from stillwatch.errors import ConfigError

ORDER = ("identify", "mitigate", "remediate", "notify", "restore")
"""Files of ``playbooks/``, in the order in which they are done."""
PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]{1,200}")
"""A value that a shell takes as it is."""
USED = re.compile(r"__([a-z][a-z0-9_]*?)__:value")


@dataclass(frozen=True, slots=True)
class Variable:
    """A word that differs from case to case."""

    name: str
    value: str
    what: str
    external: bool = False
    """Whoever begins the playbook gives it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the workflow."""

    key: str
    id: str
    """CACAO's, with the kind of step in front."""
    name: str
    what: str = ""
    activity: str = ""
    people: str = ""
    """Who does it."""
    run: tuple[str, ...] = ()
    """Commands."""
    ask: tuple[str, ...] = ()
    """What a person does besides."""
    sets: tuple[str, ...] = ()
    """Variables that the step gives a value."""
    condition: str = ""
    then: str = ""
    otherwise: str = ""
    branches: tuple[str, ...] = ()
    next: str = ""
    done: str = ""
    failed: str = ""

    @property
    def kind(self) -> str:
        """``action``, ``if-condition``, ``parallel`` or ``end``."""
        return self.id.partition("--")[0]


@dataclass(frozen=True, slots=True)
class Playbook:
    """What to do about one thing."""

    key: str
    id: str
    name: str
    description: str
    types: tuple[str, ...]
    priority: int
    severity: int
    impact: int
    techniques: tuple[str, ...]
    """ATLAS ids of what it answers."""
    mitigations: tuple[str, ...]
    """ATLAS ids of what it does."""
    controls: tuple[str, ...]
    """Controls of the catalogue that it serves."""
    variables: tuple[Variable, ...]
    steps: tuple[Step, ...]

    def filled(self, values: Mapping[str, str]) -> Playbook:
        """The playbook with values in place of its variables, in what people read.

        Raises
        ------
        ConfigError
            There is no such variable, or the value is not a plain word.
        """
        given = self.with_values(values)
        known = {v.name: v.value for v in given.variables}
        set_later = {name for step in self.steps for name in step.sets}

        def put(text: str) -> str:
            return USED.sub(lambda m: m[0] if m[1] in set_later else known[m[1]], text)

        steps = tuple(
            replace(step, run=tuple(map(put, step.run)), ask=tuple(map(put, step.ask))) for step in self.steps
        )
        return replace(given, steps=steps)

    def with_values(self, values: Mapping[str, str]) -> Playbook:
        """The playbook with other values of its variables; its steps still name them."""
        names = {v.name for v in self.variables}
        for name, value in values.items():
            if name not in names:
                raise ConfigError(
                    f"the playbook {self.key} has no variable {name!r}",
                    hint=f"it has {', '.join(sorted(names))}",
                )
            if not PLAIN.fullmatch(value) or value.startswith("-"):
                raise ConfigError(
                    f"the value of {name} is not a plain word",
                    hint="commands are copied into a shell: letters, digits and @%+=:,./_- only, and no - in front",
                )
        return replace(
            self, variables=tuple(replace(v, value=values.get(v.name, v.value)) for v in self.variables)
        )


def playbooks() -> tuple[Playbook, ...]:
    """Every playbook that ships, in order."""
    return tuple(map(playbook, ORDER))


@cache
def playbook(key: str) -> Playbook:
    """One playbook.

    Raises
    ------
    ConfigError
        None has this name.
    """
    if key not in ORDER:
        raise ConfigError(f"no playbook {key!r} ships", hint=f"there is {', '.join(ORDER)}")
    text = files("stillwatch.practice").joinpath(f"playbooks/{key}.toml").read_text("utf-8")
    return _made(key, tomllib.loads(text))


def _made(key: str, data: dict[str, Any]) -> Playbook:
    variables = tuple(Variable(name, **given) for name, given in data.pop("variables").items())
    people = data.pop("people")
    steps = tuple(_step(people, given) for given in data.pop("step"))
    data |= {name: tuple(data[name]) for name in ("types", "techniques", "mitigations", "controls")}
    return Playbook(key=key, variables=variables, steps=steps, **data)


def _step(people: str, given: dict[str, Any]) -> Step:
    made: dict[str, Any] = {
        "people": people,
        **{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()},
    }
    if "else" in made:
        made["otherwise"] = made.pop("else")
    return Step(**made)


__all__ = ["ORDER", "PLAIN", "USED", "Playbook", "Step", "Variable", "playbook", "playbooks"]
