"""The dye desk on disk: keys issued and committed in the evidence log, engines configured, ledgers kept."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stillwatch.errors import ConfigError, SourceError, VerificationError
from stillwatch.protect.dye import Desk, Dye, Served, Subject, scheme_of
from stillwatch.settings import Settings
from stillwatch.store.dye import DyeFolder
from stillwatch.wiring.gate_dye import load_master

if TYPE_CHECKING:
    from stillwatch.prove.radio import IssuedKey


class EvidenceLog:
    """The evidence log, as the desk needs it. A commitment is a leaf of kind ``key``."""

    def __init__(self, settings: Settings, env: Mapping[str, str]) -> None:
        self._settings, self._env = settings, env

    def commit(self, digest: str) -> Mapping[str, Any]:
        from stillwatch.evidence.leaf import leaf
        from stillwatch.records.evidence import LeafKind
        from stillwatch.wiring import evidence_log
        from stillwatch.wiring.evidence_keys import needs_extra

        needs_extra()
        if not evidence_log.in_use(self._settings):
            raise ConfigError(
                "no log is kept, and a marking key has to be in one before it is used",
                hint="begin one: stillwatch evidence key new NAME --role log",
            )
        return evidence_log.append(self._settings, [leaf(LeafKind.KEY, digest, datetime.now(UTC))], self._env)


def open_desk(settings: Settings, env: Mapping[str, str] = os.environ) -> tuple[Desk, DyeFolder]:
    """The desk of the settings, and its folder."""
    folder = DyeFolder(Path(settings.dye.folder))
    return Desk(load_master(settings, env), EvidenceLog(settings, env), folder), folder


def issue_dyes(
    settings: Settings, names: Sequence[str], *, scheme: str, width: int | None, epoch: str | None = None,
    account: str | None = None, env: Mapping[str, str] = os.environ,
) -> list[dict[str, Any]]:  # fmt: skip
    """Issue a key to each name that has none in this epoch."""
    desk, folder = open_desk(settings, env)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    subjects = [Subject(epoch or settings.dye.epoch, name, account) for name in names]
    with folder.locked():
        return [told(desk.issue(subject, scheme, width, at=now)) for subject in subjects]


def list_dyes(settings: Settings, env: Mapping[str, str] = os.environ) -> list[dict[str, Any]]:
    """Every key that was ever issued, by name, with what was served under it. No key is among it."""
    desk, folder = open_desk(settings, env)
    rows = []
    for dye in desk.issued():
        served = _ledger(desk, folder, dye) or Served(desk.salt(dye.key_id), dye.issue.width)
        rows.append(
            {**told(dye), "answers": served.answers, "tokens": served.tokens, "windows": served.windows}
        )
    return rows


def told(dye: Dye) -> dict[str, Any]:
    """What may be said of a key."""
    issue = dye.issue
    return {
        "key_id": dye.key_id, "campaign_id": issue.subject.campaign_id, "scheme": issue.scheme,
        "width": issue.width, "issued_at": issue.at, "commitment": issue.commitment,
        "leaf": issue.logged.get("index"),
    }  # fmt: skip


def dye_config(
    settings: Settings, key_id: str, env: Mapping[str, str] = os.environ
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What may be said of a key's engine, and the engine's configuration, which holds the key."""
    desk, _ = open_desk(settings, env)
    dye = desk.find(key_id)
    scheme = scheme_of(dye.issue.scheme)
    about = {
        "engine": scheme.engine, "start": scheme.start, "per_request": scheme.per_request, "note": scheme.note,
        "read_as": scheme.mark,
    }  # fmt: skip
    return about, dye.server()


def check_dyes(settings: Settings, env: Mapping[str, str] = os.environ) -> int:
    """Hold every key against its commitment, and every commitment against the log. Returns how many there are."""
    from stillwatch.wiring import evidence_log
    from stillwatch.wiring.evidence_keys import needs_extra

    needs_extra()
    desk, _ = open_desk(settings, env)
    dyes = desk.issued()
    if not dyes:
        return 0
    with evidence_log.opened(settings) as log:
        for dye in dyes:
            index = dye.issue.logged.get("index")
            entry = json.loads(log.entry(index)) if isinstance(index, int) and 0 <= index < log.size else {}
            if entry.get("digest") != f"sha256:{dye.issue.commitment}":
                raise VerificationError(
                    f"the commitment of {dye.key_id} is not in the log where the journal says",
                    hint="find out which of the two was changed: stillwatch evidence log check",
                )
    return len(dyes)


def record_served(
    settings: Settings, key_id: str, answers: Iterable[Sequence[int]], env: Mapping[str, str] = os.environ
) -> dict[str, Any]:
    """Write down what was served under a key; answers are tokens of the engine's own tokeniser."""
    desk, folder = open_desk(settings, env)
    dye = desk.find(key_id)
    with folder.locked():
        served = _ledger(desk, folder, dye) or Served(desk.salt(key_id), dye.issue.width)
        served.add(answers)
        folder.put_served(key_id, served.to_bytes())
    return {"key_id": key_id, "answers": served.answers, "tokens": served.tokens, "windows": served.windows}


def read_tokens(path: Path) -> list[list[int]]:
    """Answers from a file of JSON lines, each a list of token ids."""
    out: list[list[int]] = []
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                tokens = json.loads(line)
                fits = isinstance(tokens, list) and all(type(t) is int and 0 <= t < 2**32 for t in tokens)
            except ValueError:
                fits = False
            if not fits:
                raise SourceError(
                    f"{path.name}:{number}", "is no list of token ids", hint="one answer a line: [1, 2, 3]"
                )
            out.append(tokens)
    return out


def issued_keys(
    settings: Settings, scheme: str, width: int, env: Mapping[str, str] = os.environ
) -> list[IssuedKey]:
    """Every key that was ever issued under a scheme and window, as a test of a suspect takes them."""
    desk, folder = open_desk(settings, env)
    return [
        as_issued(dye, _ledger(desk, folder, dye))
        for dye in desk.issued()
        if (dye.issue.scheme, dye.issue.width) == (scheme, width)
    ]


def as_issued(dye: Dye, served: Served | None) -> IssuedKey:
    """A key as `stillwatch.prove` takes it, with what was served under it; without a ledger, all is scored."""
    from stillwatch.prove.marks import as_keys
    from stillwatch.prove.radio import IssuedKey

    return IssuedKey(dye.key_id, as_keys([dye.key])[0], dye.issue.subject.campaign_id, served)


def _ledger(desk: Desk, folder: DyeFolder, dye: Dye) -> Served | None:
    """What was served under a key; None where nothing was written down, which is not the same as nothing served."""
    data = folder.served(dye.key_id)
    return None if data is None else Served.from_bytes(data, desk.salt(dye.key_id), dye.issue.width)
