"""Detectors of a suite: our own through a runner, baselines through their registry, anybody's through a command."""

from __future__ import annotations

import hashlib
import importlib
import json
import shlex
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from stillwatch.errors import ConfigError, DetectorError
from stillwatch.lab.suite.code import code_digest
from stillwatch.lab.suite.plan import NAME, Suite

OWN = "stillwatch"
BASELINES = "stillwatch.lab.baselines"
FINE = (0, 10)
"""Exit statuses of a command that worked; 10 is a scan that found something."""


class Runner(Protocol):
    """Runs our own detector; given by the wiring, so that the laboratory does not know it."""

    @property
    def version(self) -> str:
        """Version of the detector."""

    def check(self, settings: Mapping[str, Any], drop_traits: tuple[str, ...]) -> None:
        """Raise `ConfigError` when the detector cannot be run like this."""

    def __call__(
        self, traffic: Path, out: Path, settings: Mapping[str, Any], drop_traits: tuple[str, ...], *,
        features: Path | None = None,
    ) -> None:  # fmt: skip
        """Judge the traffic, or what `prepare` made of its exchanges; write the output folder of the data contract."""

    def prepare(self, traffic: Path, out: Path) -> None:
        """Read the exchanges once for several runs whose settings differ in the section ``detect`` alone."""


@dataclass(frozen=True, slots=True)
class Detector:
    """One detector, ready to be run in another process."""

    id: str
    kind: str
    """``own``, ``baseline`` or ``command``."""
    title: str = ""
    version: str = "not stated"
    source: str = ""
    code: str = ""
    """Digest of the program, where it is part of this package."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    drop_traits: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    """Words of the command; ``{traffic}`` and ``{out}`` are filled in."""

    @property
    def digest(self) -> str:
        """Changes with anything that may change a result."""
        said = [
            self.id,
            self.kind,
            self.version,
            self.code,
            dict(self.settings),
            self.drop_traits,
            self.command,
        ]
        return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()[:16]

    def row(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "id": self.id, "kind": self.kind, "title": self.title, "version": self.version, "source": self.source,
            "code": self.code, "settings": dict(self.settings), "drop_traits": list(self.drop_traits),
            "digest": self.digest,
        }  # fmt: skip


def choose(
    suite: Suite, runner: Runner | None, *, ids: Iterable[str] = (), commands: Iterable[str] = ()
) -> tuple[Detector, ...]:
    """Detectors of a suite.

    Args
    ----
    suite: names detectors and defines ablations.
    runner: runs ``stillwatch``; None where it is not at hand.
    ids: run these instead of the suite's; ids as in a suite.
    commands: further detectors, ``NAME=PROGRAM {traffic} {out}``.

    Raises
    ------
    ConfigError
        An unknown id, a setting that does not exist, a command without its places, no detector at all.
    """
    own = tuple(_command(c) for c in commands)
    wanted = list(ids) or ([] if own else list(suite.detectors))
    found = [d for name in wanted for d in _named(name, suite, runner)]
    found += own
    if not found:
        raise ConfigError("no detector to run", hint="name one with --detector, or give --detector-command")
    if len({d.id for d in found}) < len(found):
        raise ConfigError(
            "a detector is named twice", hint="give each detector once, each command its own name"
        )
    return tuple(found)


def run_detector(detector: Detector, runner: Runner | None, traffic: Path, out: Path) -> None:
    """Run one detector on traffic that holds no truth.

    Raises
    ------
    DetectorError: it failed, or wrote nothing that can be judged. ConfigError: it is not at hand.
    """
    if detector.kind == "own":
        _at_hand(runner)(traffic, out, detector.settings, detector.drop_traits)
    elif detector.kind == "baseline":
        _registry().run_baseline(detector.id, traffic, out)
    else:
        _execute(detector, traffic, out)


def _named(name: str, suite: Suite, runner: Runner | None) -> list[Detector]:
    if name == OWN:
        return [Detector(OWN, "own", "stillwatch", _at_hand(runner).version, code=code_digest("own"))]
    if name.startswith(OWN + "/"):
        return [_ablated(name, suite, _at_hand(runner))]
    if name == "ablations":
        return [_ablated(f"{OWN}/{a.id}", suite, _at_hand(runner)) for a in suite.ablations]
    known = _registry().BASELINES
    chosen = sorted(known) if name == "baselines" else [name]
    unknown = [c for c in chosen if c not in known]
    if unknown:
        raise ConfigError(
            f"unknown detector {unknown[0]}",
            hint=f"known: {', '.join([OWN, *(f'{OWN}/{a.id}' for a in suite.ablations), *sorted(known)])}",
        )
    code = code_digest("baselines")
    return [Detector(c, "baseline", known[c].title, known[c].version, known[c].source, code) for c in chosen]


def _ablated(name: str, suite: Suite, runner: Runner) -> Detector:
    ablation = next((a for a in suite.ablations if a.id == name.removeprefix(OWN + "/")), None)
    if ablation is None:
        known = ", ".join(a.id for a in suite.ablations) or "none"
        raise ConfigError(f"{suite.name} has no ablation {name}", hint=f"its ablations: {known}")
    settings = dict(ablation.settings or {})
    runner.check(settings, ablation.drop_traits)
    return Detector(
        name, "own", ablation.title, runner.version, code=code_digest("own"), settings=settings,
        drop_traits=ablation.drop_traits,
    )  # fmt: skip


def _command(text: str) -> Detector:
    name, _, line = text.partition("=")
    if not line:
        raise ConfigError(
            f"not a detector's command: {text!r}",
            hint='write NAME=COMMAND, such as "mine=python mine.py {traffic} {out}"',
        )
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"not a name for a detector: {name!r}",
            hint="use small letters, digits, dots, hyphens and underscores",
        )
    if name in _taken():
        raise ConfigError(
            f"{name} is the name of another detector", hint="give the command a name of its own"
        )
    try:
        words = tuple(shlex.split(line))
    except ValueError as error:
        raise ConfigError(f"{name}: the command's quotes do not match", hint="close every quote") from error
    if not any("{traffic}" in w for w in words) or not any("{out}" in w for w in words):
        raise ConfigError(
            f"{name}: the command does not say where the traffic and the output go",
            hint="put {traffic} and {out} into it; both are folders",
        )
    return Detector(name, "command", name, _files(words), command=words)


def _taken() -> set[str]:
    """Names that stand for something else in a suite: a command must not pass for it."""
    try:
        baselines = set(_registry().BASELINES)
    except ConfigError:
        baselines = set()
    return {OWN, "ablations", "baselines", *baselines}


def _files(words: tuple[str, ...]) -> str:
    """Version of a command until its detector.json states one: a digest of the files it names, so that a program
    that was changed runs again."""
    found = [Path(w) for w in words if "{" not in w and Path(w).is_file()]
    if not found:
        return "not stated"
    digest = hashlib.sha256()
    for path in found:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"files {digest.hexdigest()[:12]}"


def _execute(detector: Detector, traffic: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    words = [w.replace("{traffic}", str(traffic)).replace("{out}", str(out)) for w in detector.command]
    try:
        done = subprocess.run(words, check=False, capture_output=True, text=True)  # noqa: S603  the user's own command
    except OSError as error:
        raise DetectorError(
            detector.id, f"cannot be started: {(error.strerror or 'unknown reason').lower()}",
            hint=f"is {words[0]} installed, and spelt like this?",
        ) from error  # fmt: skip
    if done.returncode not in FINE:
        said = (done.stderr or done.stdout or "").strip().splitlines()
        raise DetectorError(
            detector.id, f"ended with status {done.returncode}: {said[-1] if said else 'it said nothing'}",
            hint="run the command by hand on a folder of `stillwatch lab generate`",
        )  # fmt: skip
    if not any((out / name).exists() for name in ("members.parquet", "scores.parquet")):
        raise DetectorError(
            detector.id, "wrote neither members.parquet nor scores.parquet",
            hint="write one of them into the folder {out}; docs/lab.md lists the columns",
        )  # fmt: skip


def _at_hand(runner: Runner | None) -> Runner:
    if runner is None:
        raise ConfigError(f"{OWN} itself is not at hand here", hint="use the command line, or pass a runner")
    return runner


def _registry() -> Any:
    try:
        return importlib.import_module(BASELINES)
    except ModuleNotFoundError as error:
        if error.name != BASELINES:
            raise ConfigError(
                f"the baselines need the package {error.name}", hint="pip install 'stillwatch[lab]'"
            ) from error
        raise ConfigError(
            "no such detector, and there are no baselines in this installation",
            hint=f"known: {OWN}; or give --detector-command",
        ) from error


__all__ = ["OWN", "Detector", "Runner", "choose", "run_detector"]
