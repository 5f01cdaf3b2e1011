"""The audit record and the log that seals it, over SQLite and PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="pip install 'stillwatch[respond]'")
pytest.importorskip("cryptography", reason="pip install 'stillwatch[evidence]'")

import sqlalchemy as sa

from stillwatch.errors import ConfigError, UpstreamError, VerificationError
from stillwatch.evidence.log import Log
from stillwatch.records import Verdict
from stillwatch.respond import audit, cases
from stillwatch.respond import tables as t
from stillwatch.settings import Settings
from stillwatch.store.sql import reading
from stillwatch.wiring import evidence_audit, evidence_log
from stillwatch.wiring.evidence_audit import check_sealed, seal_audit
from stillwatch.wiring.evidence_keys import new_key
from stillwatch.wiring.evidence_salts import commitment, salt_of
from stillwatch.wiring.storekeeping import check_store
from tests.respond.conftest import Office
from tests.respond.making import filed, planned, result
from tests.respond.test_audit import lift
from tests.wiring.test_evidence import settings_of


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a log."""
    found = settings_of(tmp_path)
    new_key(found, "Desk", "log")
    return found


def leaves(settings: Settings) -> list[dict[str, Any]]:
    """Every entry of the log."""
    with evidence_log.opened(settings) as log:
        return [json.loads(entry) for entry in log.entries()]


def kinds(settings: Settings) -> list[str]:
    """Kinds of leaves, in their order, behind the key of the log."""
    return [leaf["kind"] for leaf in leaves(settings)][1:]


def closed(office: Office) -> None:
    """A case that was filed, planned for, approved and closed."""
    filed(office, result({"C-1": ["acct-1", "acct-2", "acct-3"]}))
    planned(office, 1)
    with office.work() as work:
        cases.note(work, 1, "secret words")
        cases.close(work, 1, Verdict.TRUE_POSITIVE, "clear", version=cases.get(work, 1).version)


def sealed(office: Office, settings: Settings) -> int:
    """Seal."""
    return seal_audit(office.desk, settings, env={})


def test_what_was_done_becomes_leaves_that_give_nothing_away(office: Office, settings: Settings) -> None:
    """A leaf for each act and one for the head; no account, name or word is in the log, and one line can be shown."""
    closed(office)
    assert sealed(office, settings) > 0
    assert kinds(settings) == ["run", "approval", "verdict", "audit"]
    assert sealed(office, settings) == 0
    with office.work() as work:
        cases.note(work, 1, "later")
    assert sealed(office, settings) == 1
    assert kinds(settings) == ["run", "approval", "verdict", "audit", "audit"]
    log = b"".join(p.read_bytes() for p in Path(settings.evidence.log).rglob("*") if p.is_file())
    assert not [word for word in (b"acct", b"C-1", b"quin", b"secret", b"K-1") if word in log]
    secret = bytes.fromhex((Path(settings.evidence.keys) / "audit.salt").read_text())
    with reading(office.desk.engine) as conn:
        last, digest = audit.head(conn)
    salt = salt_of(secret, f"audit line {last}")
    assert leaves(settings)[-1]["digest"] == f"sha256:{commitment(digest, salt)}"
    assert (Path(settings.evidence.keys) / "audit.salt").stat().st_mode & 0o077 == 0


def test_without_a_log_nothing_is_written(office: Office, tmp_path: Path) -> None:
    """Neither a folder nor a secret."""
    found = settings_of(tmp_path)
    closed(office)
    assert seal_audit(office.desk, found, env={}) == 0
    assert check_store(office.desk, settings=found)["sealed"] is None
    assert not (tmp_path / "log").exists() and not (tmp_path / "keys").exists()


class Dies(Exception):
    """The process ends here."""


STEPS = [(w, n) for w, times in (("log", 2), ("publish", 2), ("state", 4)) for n in range(times)]
"""Every write of two parts."""


@pytest.mark.parametrize(("where", "after"), STEPS)
def test_a_crash_anywhere_is_made_up_for_and_nothing_enters_twice(
    office: Office, settings: Settings, monkeypatch: pytest.MonkeyPatch, where: str, after: int
) -> None:
    """Before or after any write; also when others have written to the log since."""
    closed(office)
    monkeypatch.setattr(evidence_audit, "PART", 9)
    left = [after]

    def dying(whole: Callable[..., Any], *, torn: bool = False) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            if not left[0]:
                if torn:
                    whole(given[0], given[1][:1])
                raise Dies
            left[0] -= 1
            return whole(*given, **named)

        return call

    with monkeypatch.context() as m:
        if where == "log":
            m.setattr(Log, "append", dying(Log.append, torn=True))
        elif where == "publish":
            m.setattr(evidence_log, "publish", dying(evidence_log.publish))
        else:
            m.setattr(evidence_audit, "_write", dying(evidence_audit._write))
        with pytest.raises(Dies):
            sealed(office, settings)
    other = Path(settings.evidence.log).parent / "other"
    other.write_text("other")
    evidence_log.log_files(settings, "share", [other])
    sealed(office, settings)
    rows = leaves(settings)
    assert len({(r["kind"], r["digest"]) for r in rows}) == len(rows)
    assert [k for k in kinds(settings) if k not in ("share", "audit")] == ["run", "approval", "verdict"]
    with reading(office.desk.engine) as conn:
        assert (evidence_audit._read(settings).lines, evidence_audit._read(settings).head) == audit.head(conn)
    assert check_sealed(office.desk, settings) is not None
    (Path(settings.evidence.log) / "audit.json").unlink()
    sealed(office, settings)
    again = leaves(settings)
    assert len({(r["kind"], r["digest"]) for r in again}) == len(again)


def test_check_agrees_with_the_log(office: Office, settings: Settings) -> None:
    """It names the head that was sealed, which lies on the chain."""
    assert check_store(office.desk, settings=settings)["sealed"]["lines"] == 0
    closed(office)
    sealed(office, settings)
    found = check_store(office.desk, settings=settings)
    assert found["sealed"]["head"] == found["head"]
    with office.work() as work:
        cases.note(work, 1, "later")
    later = check_store(office.desk, head=found["sealed"]["head"], settings=settings)
    assert later["sealed"]["head"] == found["head"] != later["head"]


@pytest.mark.parametrize("noted", [True, False])
@pytest.mark.parametrize("how", ["forged", "cut", "another"])
def test_a_record_that_was_forged_as_a_whole_is_found(
    office: Office,
    settings: Settings,
    make_office: Callable[[str], Office],
    kind: str,
    how: str,
    noted: bool,
) -> None:
    """The chain holds, and the log says otherwise, also where the note of what was sealed went with it; nothing more
    is sealed from it."""
    closed(office)
    sealed(office, settings)
    if how == "another":
        office = make_office(kind)
    else:
        with office.desk.engine.begin() as conn:
            lift(office, conn)
            rows = [dict(row._mapping) for row in conn.execute(sa.select(t.audit).order_by(t.audit.c.seq))]
            conn.execute(t.audit.delete())
            rows = rows[:-2] if how == "cut" else rows
            previous = audit.FIRST
            for row in rows:
                if how == "forged" and row["what"] == "case.close":
                    row["details"] = row["details"].replace("true_positive", "false_positive")
                row["previous"] = previous
                fields = [row[name] for name in row if name != "digest"]
                previous = row["digest"] = audit.digest_of(*fields)
                conn.execute(t.audit.insert().values(**row))
            conn.execute(t.audit_head.update().values(seq=len(rows), digest=previous))
    assert check_store(office.desk)["audit_lines"] > 0
    if not noted:
        (Path(settings.evidence.log) / "audit.json").unlink()
    told = "of the audit record are in the log" if noted else "is gone"
    with pytest.raises(VerificationError, match=told):
        check_store(office.desk, settings=settings)
    told = "of the audit record are in the log" if noted else "heads in the log are not those of lines"
    before = leaves(settings)
    with pytest.raises(VerificationError, match=told):
        sealed(office, settings)
    assert leaves(settings) == before


def test_a_lost_note_is_told_and_found_again(office: Office, settings: Settings) -> None:
    """A check says so; sealing looks for every head in the log and goes on; without the secret it does not."""
    closed(office)
    sealed(office, settings)
    before = leaves(settings)
    (Path(settings.evidence.log) / "audit.json").unlink()
    with pytest.raises(VerificationError, match=r"audit\.json in its folder is gone"):
        check_sealed(office.desk, settings)
    salt = Path(settings.evidence.keys) / "audit.salt"
    salt.rename(salt.with_name("away"))
    with pytest.raises(ConfigError, match="is not beside the keys"):
        sealed(office, settings)
    salt.with_name("away").rename(salt)
    sealed(office, settings)
    assert leaves(settings) == before
    assert check_sealed(office.desk, settings) is not None


def test_a_leaf_that_is_not_in_the_log_is_missed(office: Office, settings: Settings) -> None:
    """When the log was begun anew and the note of what was sealed was kept."""
    closed(office)
    sealed(office, settings)
    log = Path(settings.evidence.log)
    state = (log / "audit.json").read_bytes()
    log.rename(log.with_name("old"))
    log.mkdir()
    (log / "audit.json").write_bytes(state)
    with pytest.raises(VerificationError, match="the log does not hold"):
        check_sealed(office.desk, settings)


def test_a_log_that_cannot_be_written_loses_nothing(office: Office, settings: Settings) -> None:
    """Another writer, a lost secret, a damaged note: each is said, and sealing goes on afterwards."""
    closed(office)
    with evidence_log.opened(settings), pytest.raises(ConfigError, match="another process"):
        sealed(office, settings)
    wanting = settings.model_copy(
        update={"evidence": settings.evidence.model_copy(update={"witnesses_needed": 1})}
    )
    with pytest.raises(UpstreamError, match="witnesses must sign"):
        sealed(office, wanting)
    assert sealed(office, settings) > 0
    assert kinds(settings) == ["run", "approval", "verdict", "audit"]
    salt = Path(settings.evidence.keys) / "audit.salt"
    kept = salt.read_text()
    for text, said in ((None, "is not beside the keys"), ("zz", "cannot be read"), ("00", "is damaged")):
        salt.unlink(missing_ok=True)
        if text is not None:
            salt.write_text(text)
        with pytest.raises(ConfigError, match=said):
            check_sealed(office.desk, settings)
    salt.write_text(kept)
    (Path(settings.evidence.log) / "audit.json").write_text("{")
    with pytest.raises(ConfigError, match="cannot be read"):
        sealed(office, settings)
