"""Baselines: fitted on known honest accounts, and shown."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from stillwatch.detect.baseline import dump_baseline, load_baseline
from stillwatch.detect.fit import fitted_baseline
from stillwatch.detect.run import detect, trusted_units
from stillwatch.detect.traffic import Traffic
from stillwatch.detect.traits import load_traits
from stillwatch.errors import ConfigError, SourceError
from stillwatch.settings import Settings
from stillwatch.wiring.intake import Intake, key_of, load_traffic
from stillwatch.wiring.profile import Clock
from stillwatch.wiring.progress import Progress, staging, writable
from stillwatch.wiring.refusals import Refusals
from stillwatch.wiring.run_result import iso
from stillwatch.wiring.scanning import enough_memory, load_reference, options_of


def fit_baseline(
    inputs: Sequence[str], *, settings: Settings, accounts: Sequence[str], out: Path, name: str, as_of: date | None,
    format: str | None = None, mapping: Path | None = None, innocent: Collection[str] | None = None,
    progress: Progress, env: Mapping[str, str] = os.environ, stdin: BinaryIO | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Learn a baseline from traffic whose trusted accounts are known; writes one file.

    ``innocent`` names accounts that people found innocent: they are trusted as verified ones are.
    """
    key = key_of(settings, env)
    clock = Clock(progress)
    _check_baseline(out)
    shipped = load_baseline(None, key.key_id)
    with ExitStack() as stack:
        stack.enter_context(enough_memory(settings))
        spill = stack.enter_context(staging(out))
        refused = stack.enter_context(Refusals(Path(spill) / "refused"))
        intake = Intake(
            inputs,
            settings,
            key,
            format=format,
            mapping=mapping,
            stdin=stdin,
            progress=progress,
            refused=refused,
        )
        traffic, _ = load_traffic(
            intake, settings, spill, accounts=accounts, releases=None, client_releases=None, clock=clock
        )
        stack.callback(traffic.engine.close)
        found = _trust(traffic, innocent or ())
        trusted = trusted_units(traffic)
        if int(trusted.sum()) < 100:
            raise SourceError(
                "accounts", f"only {int(trusted.sum())} trusted units: a reference cohort needs at least 100",
                hint="give --accounts with verification, created_at and org_id; trusted = verified by identity or "
                "business, or declared and older than 90 days, or found innocent (--honest-from), and not suspended",
            )  # fmt: skip
        options = replace(options_of(settings), reference="baseline+traffic")
        detection = detect(traffic, load_traits(), shipped, options, clock.step)
        day = as_of.isoformat() if as_of else iso(traffic.end)[:10]
        made = fitted_baseline(
            traffic, detection, trusted, shipped, name=name, as_of=day,
            source=f"stillwatch baseline fit, {traffic.n_exchanges} exchanges, {traffic.n_units} units"
            + (f", {found['learnt from']} accounts found innocent" if innocent is not None else ""),
        )  # fmt: skip
        partial = Path(spill) / "baseline"
        partial.write_bytes(dump_baseline(made))
        partial.replace(out)
    clock.step("")
    told = load_baseline(out, key.key_id).about() | {"file": out.name}
    return told if innocent is None else told | {"found_innocent": found}


def _trust(traffic: Traffic, innocent: Collection[str]) -> dict[str, int]:
    """Take accounts that people found innocent for verified; how many are in the input, and learnt from.

    One that the account table says is suspended or banned is not learnt from: somebody decided otherwise since, or
    has yet to let it in again.
    """
    known = traffic.names.account.index
    codes = np.array(sorted(known[name] for name in set(innocent) if name in known), np.int64)
    traffic.accounts.verified[codes] = True
    return {
        "named": len(set(innocent)), "in the input": len(codes),
        "learnt from": int((traffic.accounts.status[codes] <= 1).sum()),
    }  # fmt: skip


def _check_baseline(out: Path) -> None:
    """Raise when something that is no baseline is in the way."""
    with writable(out):
        if not out.exists():
            return
    try:
        load_reference(out, _made_with(out))
    except SourceError as error:
        raise ConfigError(
            f"{out.name} exists and is not a baseline; it is left as it is", hint="name another file"
        ) from error


def show_baseline(path: Path | None) -> dict[str, Any]:
    """What a baseline says of itself; needs no key."""
    return load_reference(path, _made_with(path)).about()


def _made_with(path: Path | None) -> str:
    """The key id that a baseline file names; empty when it names none."""
    if path is None:
        return ""
    try:
        data = json.loads(gzip.decompress(path.read_bytes()))
    except (OSError, EOFError, ValueError, zlib.error):
        return ""
    return str(data.get("key_id") or "") if isinstance(data, dict) else ""
