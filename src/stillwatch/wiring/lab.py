"""The laboratory: worlds, suites, searches, and the door to their truth."""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stillwatch import __version__
from stillwatch.detect.traits import builtin_traits
from stillwatch.errors import ConfigError
from stillwatch.settings import Settings, parse_settings, settings_digest
from stillwatch.wiring.features import ingest
from stillwatch.wiring.progress import Progress, writable, write_whole
from stillwatch.wiring.scanning import scan


def generate(
    scenario: str, seed: int, scale: float, out: Path, progress: Progress, *, corpus: Path | None = None,
    processes: int | None = None, changes: Sequence[str] = (),
) -> None:  # fmt: skip
    """Write one simulated world, say which family it is of, and seal its truth when the scenario asks for it."""
    from stillwatch.lab import generate as write_world
    from stillwatch.lab import load_scenario
    from stillwatch.lab.discipline import close_world
    from stillwatch.lab.scenario_files import split_changes

    said = 0

    def told(done: int, total: int) -> None:
        nonlocal said
        if said == 0:
            progress.step(f"writing {scenario}", float(total))
        progress.advance(float(done - said))
        said = done

    loaded = load_scenario(scenario, split_changes(changes))
    write_world(loaded, seed=seed, scale=scale, out=out, progress=told, corpus=corpus, processes=processes)
    close_world(out, loaded, seed, scale)


def list_scenarios() -> list[dict[str, Any]]:
    """The lab's scenarios."""
    from stillwatch.lab import scenarios

    return [{"id": name, "title": text} for name, text in sorted(scenarios().items())]


def list_suites() -> list[dict[str, Any]]:
    """The lab's suites."""
    from stillwatch.lab.suite import suites

    return [{"id": name, "title": text} for name, text in sorted(suites().items())]


def lab_score(
    run_dir: Path, truth_dir: Path, *, purpose: str = "report", ledgers: Sequence[Path] = ()
) -> dict[str, Any]:
    """Judge a detector's output folder against the truth of a world; the opening of truth is recorded."""
    from stillwatch.lab.discipline import score_folder

    return score_folder(run_dir, truth_dir, purpose=purpose, ledgers=ledgers, at=_now())


def lab_open(truth_dir: Path, out: Path, *, ledgers: Sequence[Path] = ()) -> dict[str, Any]:
    """Copy truth, unsealed, to look at it; recorded as an opening for tuning."""
    from stillwatch.lab.discipline import copy_truth

    opened = copy_truth(truth_dir, out, purpose="tune", ledgers=ledgers, by="lab open", at=_now())
    return {"out": str(out), "accounts": len(opened.truth.ids), "standing": opened.standing.row()}


def lab_run(
    suite: str, out: Path, *, detectors: Sequence[str] = (), commands: Sequence[str] = (), jobs: int = 1,
    purpose: str = "report", ledgers: Sequence[Path] = (), work: Path | None = None, progress: Progress,
) -> dict[str, Any]:  # fmt: skip
    """Run a suite; writes ``results.json`` and ``report.html`` beside its cells and ledger, and gives the table."""
    from stillwatch.lab.discipline import LEDGER, Ledger
    from stillwatch.lab.leaderboard import leaderboard, render_page
    from stillwatch.lab.suite import Moment, choose, load_suite, run_suite

    plan = load_suite(suite)
    runner = LabRunner()
    chosen = choose(plan, runner, ids=detectors, commands=commands)

    def told(moment: Moment) -> None:
        progress.step(moment.words)

    with writable(out):
        cells = run_suite(
            plan, chosen, out, runner=runner, jobs=jobs, purpose=purpose, ledgers=ledgers, work=work, now=_now,
            told=told,
        )  # fmt: skip
        about = {
            "name": plan.name, "title": plan.title, "version": plan.version, "purpose": purpose,
            "generator": __version__, "ledger": Ledger(out / LEDGER).head(),
        }  # fmt: skip
        table = leaderboard(cells, about)
        write_whole(out / "results.json", json.dumps(table, indent=1, sort_keys=True) + "\n")
        write_whole(out / "report.html", render_page(table))
    return table


def lab_detect_time(
    traffic: Path, *, command: str | None, shares: Sequence[float], hours: Sequence[float], purpose: str,
    ledgers: Sequence[Path] = (), progress: Progress,
) -> dict[str, Any]:  # fmt: skip
    """How much each campaign of a world takes before a detector says so; our own when no command is given."""
    from stillwatch.lab.discipline import open_truth
    from stillwatch.lab.suite import choose, detection_delay, load_suite
    from stillwatch.lab.suite.detectors import run_detector
    from stillwatch.lab.suite.plan import SHARES

    runner = LabRunner()
    ids, commands = ((), (command,)) if command else (("stillwatch",), ())
    detector = choose(load_suite("smoke"), runner, ids=ids, commands=commands)[0]
    opened = open_truth(
        traffic, purpose=purpose, ledgers=ledgers, by=f"detect-time of {detector.id}", at=_now()
    )
    looks = 0

    def look(prefix: Path, out: Path) -> None:
        nonlocal looks
        looks += 1
        progress.step(f"look {looks}")
        run_detector(detector, runner, prefix, out)

    with tempfile.TemporaryDirectory(prefix="stillwatch-lab-") as work:
        found = detection_delay(
            traffic, opened, look, Path(work), shares=shares or (() if hours else SHARES), hours=hours
        )
    return {"detector": detector.row(), "standing": opened.standing.row(), **found}


def lab_search(
    kind: str, out: Path, *, scenario: str | None, seed: int, confirm: int, random_trials: int, guided_trials: int,
    minutes: float | None, progress: Progress,
) -> dict[str, Any]:  # fmt: skip
    """Search the dials of an attacker (``evasion``) or of a framer (``framing``) against our own scan."""
    from stillwatch.lab import load_scenario
    from stillwatch.lab.evasion import evasion
    from stillwatch.lab.evasion_search import Budget, Trial
    from stillwatch.lab.evasion_setup import Setup
    from stillwatch.lab.framing import framing
    from stillwatch.lab.suite.code import code_digest

    runner, total = LabRunner(), random_trials + guided_trials

    def detector(traffic: Path) -> Path:
        run = traffic.parent / "run"
        runner(traffic, run, {}, ())
        return run

    def told(trial: Trial, _: int) -> None:
        if trial.number + 1 < total:
            progress.step(f"trial {trial.number + 2} of {total}")

    def retried(trial: Trial) -> None:
        progress.step(f"setting {trial.number} again, on {confirm} fresh worlds")

    setup = Setup(
        detector=detector, name=f"stillwatch {__version__}", digest=code_digest("all"),
        scenario=load_scenario(scenario or ("evasion_small" if kind == "evasion" else "framing_small")),
        seeds=(seed,), confirm=tuple(range(seed + 1, seed + 1 + confirm)), base={},
    )  # fmt: skip
    budget = Budget(random_trials, guided_trials, 60.0 * minutes if minutes else math.inf)
    with writable(out):
        out.mkdir(parents=True, exist_ok=True)
        search = evasion if kind == "evasion" else framing
        return search(setup, seed=seed, budget=budget, out=out, told=told, retried=retried)


def lab_fit(world: Path, traces: Path, out: Path) -> list[dict[str, Any]]:
    """How far a world's honest accounts are from public traces, by measure."""
    from stillwatch.lab.fit import fit

    with writable(out):
        return [asdict(row) for row in fit(world, traces, out)]


class LabRunner:
    """Our own scan, as the laboratory runs it: in this process, silently, under a key that is no secret."""

    version = f"{__version__}, settings {settings_digest(Settings())[:8]}"

    def check(self, settings: Mapping[str, Any], drop_traits: tuple[str, ...]) -> None:
        """Raise `ConfigError` when there is no such setting or trait."""
        self._settings(settings, drop_traits)

    def prepare(self, traffic: Path, out: Path) -> None:
        """The exchanges as features."""
        ingest(
            [str(traffic / "exchanges")], settings=self._settings({}, ()), out=out, format=None, mapping=None,
            overwrite=False, progress=_Quiet(), env=self._env(),
        )  # fmt: skip

    def __call__(
        self, traffic: Path, out: Path, settings: Mapping[str, Any], drop_traits: tuple[str, ...], *,
        features: Path | None = None,
    ) -> None:  # fmt: skip
        """Scan the traffic with whatever lies beside its exchanges."""
        beside = {
            name: str(path) if (path := traffic / f"{name}.jsonl").exists() else None
            for name in ("grants", "releases", "client_releases")
        }
        accounts = traffic / "accounts.parquet"
        scan(
            [str(features or traffic / "exchanges")], settings=self._settings(settings, drop_traits), out=out,
            accounts=[str(accounts)] if accounts.exists() else [], grants=beside["grants"],
            releases=beside["releases"], client_releases=beside["client_releases"], progress=_Quiet(),
            env=self._env(),
        )  # fmt: skip

    def _env(self) -> dict[str, str]:
        return {Settings().privacy.key_env: hashlib.sha256(b"stillwatch lab").hexdigest()}

    def _settings(self, settings: Mapping[str, Any], drop_traits: tuple[str, ...]) -> Settings:
        tree: dict[str, Any] = {}
        for name, value in settings.items():
            section, _, key = name.partition(".")
            if not key:
                raise ConfigError(f"{name}: no such setting", hint="write section.name, such as detect.kappa")
            tree.setdefault(section, {})[key] = value
        known = {t.id for t in builtin_traits()}
        unknown = sorted(set(drop_traits) - known)
        if unknown:
            raise ConfigError(f"no trait {unknown[0]}", hint="`stillwatch traits` lists them")
        if drop_traits:
            tree.setdefault("detect", {})["disabled_traits"] = tuple(drop_traits)
        return parse_settings(tree, where="the suite's settings")


class _Quiet:
    """Progress that says nothing."""

    def step(self, name: str, total: float | None = None) -> None:
        return

    def advance(self, amount: float) -> None:
        return

    def note(self, text: str) -> None:
        return


def _now() -> str:
    return datetime.now(tz=UTC).isoformat(timespec="seconds")
