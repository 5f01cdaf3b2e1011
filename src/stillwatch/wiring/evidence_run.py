"""A run enters the log when it ends, with what it found; so does what is published to gates.

The leaf of a run is the digest of its files. What it found on each group has a leaf of its own, so that one finding can
one day be shown without the rest: a commitment, since the figures of a finding could be guessed from a bare digest. The
salt follows from the finding and one secret beside the keys.

Who looks is not held up: a run is written before it is logged, and what gates are given is in force before it is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError, StillwatchError
from stillwatch.records.evidence import LeafKind
from stillwatch.settings import Settings
from stillwatch.wiring import evidence_log
from stillwatch.wiring.evidence_keys import LIST, needs_extra
from stillwatch.wiring.evidence_salts import commitment, salt_of, secret_of

SALT = "leaf.salt"


def log_is_kept(settings: Settings) -> bool:
    """Whether there is a key list here with a key of the log.

    Raises:
        ConfigError: there is a list, and what reads it is not installed.
    """
    if not (Path(settings.evidence.keys) / LIST).exists():
        return False
    needs_extra()
    return evidence_log.in_use(settings)


def log_run(run: Path, settings: Settings, env: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Append the leaf of a run and those of its findings on groups; again, nothing enters twice.

    Raises:
        StillwatchError: the log cannot be written now, or a witness that is needed does not answer.
    """
    needs_extra()
    from stillwatch.evidence.leaf import leaf
    from stillwatch.report import load_result
    from stillwatch.wiring.evidence_case import run_digest

    evidence_log.log_key(settings, env)
    result, now = load_result(run), datetime.now(UTC)
    groups = {c.campaign_id for c in result.campaigns}
    found = [_committed(settings, "finding", _fields(f)) for f in result.findings if f.subject in groups]
    leaves = [leaf(LeafKind.FINDING, digest, now) for digest in dict.fromkeys(found)]
    made = evidence_log.append(settings, [*leaves, leaf(LeafKind.RUN, run_digest(run), now)], env)
    return {"index": made["index"], "findings": len(leaves)}


def log_published(
    settings: Settings, *, table: bytes | None = None, switch: Mapping[str, Any] | None = None,
    env: Mapping[str, str] = os.environ,
) -> str | None:  # fmt: skip
    """Append the leaf of a risk table or of a kill switch that gates were given; returns why not, when it failed.

    Args:
        table: bytes of the table; its leaf is their digest. switch: what was switched; a commitment, with its time.
    """
    try:
        if not log_is_kept(settings):
            return None
        from stillwatch.evidence.canonical import sha256
        from stillwatch.evidence.leaf import leaf

        now = datetime.now(UTC)
        if table is not None:
            one = leaf(LeafKind.DECISION, sha256(table), now)
        else:
            one = leaf(LeafKind.POLICY, _committed(settings, "switch", {**(switch or {}), "at": now}), now)
        evidence_log.append(settings, [one], env)
    except (StillwatchError, OSError) as error:
        return str(error) if isinstance(error, StillwatchError) else type(error).__name__
    return None


def _committed(settings: Settings, what: str, record: Mapping[str, Any]) -> str:
    """What the log holds of a record that could be guessed, in hexadecimal."""
    from stillwatch.evidence.canonical import canonical, sha256

    digest = sha256(canonical(record))
    return commitment(digest, salt_of(secret_of(settings, SALT, fresh=True), f"{what} {digest}"))


def _fields(finding: Any) -> dict[str, Any]:
    """A finding as its line of ``findings.jsonl`` has it."""
    from stillwatch.report.tables import dumps, finding_row

    return dict(json.loads(dumps(finding_row(finding))))


def must_log(settings: Settings, out: Path | None) -> None:
    """Raise before a run that has to enter the log and could not.

    Raises:
        ConfigError: it is not written, or no log is kept here.
    """
    if out is None:
        raise ConfigError("a run that is not written cannot be logged", hint="name a folder with --out")
    if not log_is_kept(settings):
        raise ConfigError("no log is kept: it has no key", hint="stillwatch evidence key new NAME --role log")
    evidence_log.log_key(settings)


__all__: Sequence[str] = ["log_is_kept", "log_published", "log_run", "must_log"]
