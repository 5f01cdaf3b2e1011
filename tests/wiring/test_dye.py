"""The dye desk on disk: log, journal, ledgers, master file; and what a gateway makes of them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stillwatch.errors import ConfigError, SourceError, VerificationError
from stillwatch.protect.decide import fault
from stillwatch.records import Action, Decision, Request, Terms
from stillwatch.settings import Settings, load_settings
from stillwatch.store.dye import JOURNAL, DyeFolder
from stillwatch.wiring.dye import (
    check_dyes,
    dye_config,
    issue_dyes,
    issued_keys,
    list_dyes,
    open_desk,
    read_tokens,
    record_served,
)
from stillwatch.wiring.evidence_keys import new_key
from stillwatch.wiring.gate_dye import Dyer

pytest.importorskip("cryptography")
pytest.importorskip("rfc8785")
NAME = "campaign:C-1"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a master and a log."""
    master = tmp_path / "master"
    master.write_text("ab" * 32)
    master.chmod(0o600)
    path = tmp_path / "s.toml"
    path.write_text(
        f'[dye]\nfolder = "{tmp_path}/dye"\nmaster_file = "{master}"\nepoch = "2026-11"\ninject = true\n'
        f'everyone = "everyone"\n[evidence]\nkeys = "{tmp_path}/keys"\nlog = "{tmp_path}/log"\n'
        'origin = "log.example/evidence"\n'
    )
    found = load_settings(path)
    new_key(found, "Desk", "log")
    return found


def decision(key: str | None, account: str = "a") -> Decision:
    """A decision that marks with a key, or one that does not mark."""
    one = fault(Request("r", account, "m"), datetime(2026, 11, 1, tzinfo=UTC), closed=False, policy=None)
    return replace(one, also=(Action.MARK,), terms=Terms(key=key)) if key else one


def test_every_issue_is_in_the_log_and_can_be_checked(settings: Settings) -> None:
    """Asked twice it is issued once; a journal that tells another leaf is noticed."""
    first = issue_dyes(settings, [NAME, "everyone"], scheme="sglang-gumbel", width=2)
    assert issue_dyes(settings, [NAME], scheme="sglang-gumbel", width=2) == first[:1]
    assert [row["key_id"] for row in list_dyes(settings)] == ["2026-11/campaign:C-1", "2026-11/everyone"]
    assert first[0]["campaign_id"] == "C-1" and check_dyes(settings) == 2
    journal = Path(settings.dye.folder) / JOURNAL
    journal.write_text(journal.read_text().replace(f'"index": {first[0]["leaf"]}', '"index": 0'))
    with pytest.raises(VerificationError, match="not in the log"):
        check_dyes(settings)


def test_without_a_log_no_key_is_issued(settings: Settings, tmp_path: Path) -> None:
    """And without a master, or with one that others can read, there is no desk."""
    bare = settings.model_copy(
        update={"evidence": settings.evidence.model_copy(update={"keys": str(tmp_path / "none")})}
    )
    with pytest.raises(ConfigError, match="no log is kept"):
        issue_dyes(bare, [NAME], scheme="sglang-gumbel", width=2)
    assert not list_dyes(bare)
    Path(settings.dye.master_file or "").chmod(0o644)
    with pytest.raises(ConfigError, match="read by others"):
        open_desk(settings)
    unset = settings.model_copy(update={"dye": settings.dye.model_copy(update={"master_file": None})})
    with pytest.raises(ConfigError, match="no master"):
        open_desk(unset, env={})
    open_desk(unset, env={"STILLWATCH_DYE_MASTER": "ab" * 32})


def test_a_crash_loses_nothing_that_was_acknowledged(settings: Settings) -> None:
    """A row cut short is passed over and written again; a damaged one is not passed over."""
    issue_dyes(settings, [NAME], scheme="sglang-gumbel", width=2)
    journal = Path(settings.dye.folder) / JOURNAL
    assert journal.stat().st_mode & 0o077 == 0
    with journal.open("ab") as file:
        file.write(b'{"subject": {"epo')
    assert len(list_dyes(settings)) == 1
    issue_dyes(settings, ["everyone"], scheme="sglang-gumbel", width=4)
    assert len(list_dyes(settings)) == 2 and check_dyes(settings) == 2
    with journal.open("ab") as file:
        file.write(b"nonsense\n")
    with pytest.raises(VerificationError, match="line 3"):
        list_dyes(settings)


def test_the_ledger_holds_no_token_and_filters_a_test(settings: Settings, tmp_path: Path) -> None:
    """What was served adds up over calls; a test of a suspect gets the key with its ledger."""
    issue_dyes(settings, [NAME], scheme="sglang-gumbel", width=2)
    [row] = list_dyes(settings)
    record_served(settings, row["key_id"], [[70_001, 70_002, 70_003]])
    told = record_served(settings, row["key_id"], [[70_002, 70_003, 70_004, 70_005]])
    assert (told["answers"], told["tokens"], told["windows"]) == (2, 7, 3)
    [key] = issued_keys(settings, "sglang-gumbel", 2)
    assert key.campaign_id == "C-1" and key.exposure is not None
    assert key.exposure.holds(np.array([[70_001, 70_002], [70_004, 70_005]])).tolist() == [True, False]
    whole = b"".join(path.read_bytes() for path in Path(settings.dye.folder).rglob("*") if path.is_file())
    assert not [
        t for t in range(70_001, 70_006) if t.to_bytes(4, "little") in whole or str(t).encode() in whole
    ]


@pytest.mark.parametrize("line", ["[1, -2]", "[1.5]", "{}", "[true]", "nonsense", "[99999999999]"])
def test_files_of_tokens_are_checked(tmp_path: Path, line: str) -> None:
    """The place is told, never the content."""
    path = tmp_path / "t.jsonl"
    path.write_text(f"[1, 2]\n{line}\n")
    with pytest.raises(SourceError, match=r"t\.jsonl:2"):
        read_tokens(path)


def test_an_engine_configuration_holds_the_key(settings: Settings) -> None:
    """It is the one place that does; an unknown key is told so."""
    issue_dyes(settings, [NAME], scheme="vllm-sbw-left", width=None)
    about, made = dye_config(settings, "2026-11/campaign:C-1")
    desk, _ = open_desk(settings)
    assert made == {
        "algorithm": "sbw",
        "sbw_scheme": "lefthash",
        "key": desk.issued()[0].key,
        "context_width": 1,
    }
    assert about["engine"] == "vLLM" and not about["per_request"]
    with pytest.raises(ConfigError, match="no such key"):
        dye_config(settings, "2026-11/campaign:C-2")


def test_a_gateway_hands_out_what_was_issued_and_nothing_else(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """The campaign's key, the account's own where there is one, everyone's else; never one that is in no log."""
    dyer = Dyer.open(settings)
    assert dyer is not None
    sent: dict[str, Any] = {"model": "m", "watermark": {"enabled": False}}
    assert dyer.dyed(sent, decision(f"{NAME}"), writes=True) == {"model": "m"}
    assert "not issued" in caplog.text
    issue_dyes(settings, [NAME], scheme="sglang-gumbel", width=2)
    issue_dyes(settings, [NAME], scheme="sglang-gumbel", width=1, account="b")
    issue_dyes(settings, ["everyone"], scheme="sglang-gumbel", width=4)
    issue_dyes(settings, ["old"], scheme="sglang-gumbel", width=4, epoch="2026-10")
    keys = {dye.key_id: dye.key for dye in open_desk(settings)[0].issued()}

    def key(one: Decision, writes: bool = True) -> Any:
        body = dyer.dyed({"model": "m"}, one, writes=writes)
        return None if body is None else body["watermark"]["key"]

    assert key(decision(NAME)) == keys["2026-11/campaign:C-1"]
    assert key(decision(NAME, "b")) == keys["2026-11/campaign:C-1/b"]
    assert key(decision(None)) == keys["2026-11/everyone"] == key(decision("old"))
    assert key(decision(NAME), writes=False) is None
    DyeFolder(Path(settings.dye.folder)).add({"broken": 1})
    assert key(decision(NAME)) == keys["2026-11/campaign:C-1"]
    assert "cannot be read" in caplog.text and not [k for k in keys.values() if str(k) in caplog.text]


def test_a_gateway_that_shall_inject_needs_a_master(settings: Settings) -> None:
    """It refuses to start; one that shall not does nothing."""
    unset = settings.model_copy(update={"dye": settings.dye.model_copy(update={"master_file": None})})
    with pytest.raises(ConfigError, match="no master"):
        Dyer.open(unset, env={})
    assert Dyer.open(Settings(), env={}) is None
    assert json.dumps(unset.model_dump(mode="json")).count("ab" * 32) == 0
