"""What a member believes of its hub: receipts that hold, and a log that only grew."""

from __future__ import annotations

import base64
import copy
import json
from pathlib import Path
from typing import Any

import pytest

from stillwatch.errors import ConfigError, StillwatchError, VerificationError
from stillwatch.evidence.keys import SigningKey
from stillwatch.evidence.note import Checkpoint, note, sign, split
from stillwatch.wiring import hub_member
from stillwatch.wiring.hub_member import Asking, check_receipt, membership
from tests.share.hub.making import Hub


@pytest.fixture
def asking(here: Hub, tmp_path: Path) -> Asking:
    """South, which has pinned the log."""
    return Asking({"member": "south", "url": "https://hub.example"}, tmp_path / "south.toml", here.log.vkey)


@pytest.fixture
def receipt(here: Hub) -> Any:
    """A receipt for a word of south's, with the log gone on since."""
    what = here.submit("north")
    [made] = here.do("south", "feedback", object=what, verb="seen")["done"]
    return made


def test_a_receipt_holds(here: Hub, asking: Asking, receipt: Any) -> None:
    """It is for the entry that was made."""
    entry, seen = check_receipt(asking, receipt)
    assert entry["data"]["verb"] == "seen" and seen.size == here.log.size


@pytest.mark.parametrize(
    "forged", ["entry", "salt", "leaf", "index", "path", "size", "key", "form", "other", "kind"]
)
def test_a_forged_receipt_does_not(here: Hub, asking: Asking, receipt: Any, forged: str) -> None:
    """Another entry, leaf, place, path, size or signer, or another member's receipt."""
    made = copy.deepcopy(receipt)
    proof = made["proof"]
    if forged == "entry":
        made["entry"]["data"]["verb"] = "outdated"
    elif forged == "salt":
        made["salt"] = "00" * 32
    elif forged == "leaf":
        told = json.loads(base64.b64decode(proof["leaf"])) | {"at": "2026-01-01T00:00:00+00:00"}
        proof["leaf"] = base64.b64encode(json.dumps(told).encode()).decode()
    elif forged == "index":
        proof["index"] += 1
    elif forged == "path":
        proof["path"] = proof["path"][:-1]
    elif forged == "size":
        proof["checkpoint"] = proof["checkpoint"].replace(f"\n{here.log.size}\n", f"\n{here.log.size + 1}\n")
    elif forged == "key":
        text, _ = split(proof["checkpoint"])
        proof["checkpoint"] = note(text, [sign(text, SigningKey.new(), here.folder.origin)])
    elif forged == "form":
        made = {"entry": None}
    elif forged == "other":
        asking = Asking({"member": "west", "url": ""}, asking.path, asking.log)
    else:
        proof["leaf"] = base64.b64encode(b'{"kind":"run","digest":"x"}').decode()
    with pytest.raises(VerificationError):
        check_receipt(asking, made)


class Told:
    """A hub that says something of its log."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told

    def get(self, path: str, query: str = "") -> dict[str, Any]:
        """What it says."""
        return self.told


def test_a_log_that_grew_is_followed_and_one_that_shrank_is_not(here: Hub, asking: Asking) -> None:
    """Each look is held against the newest checkpoint that was seen; truncated and split logs are said."""
    first = here.log.grown([0])
    size = here.log.size
    hub_member._grown(asking, Told(first))  # type: ignore[arg-type]  # what is asked of a client
    here.submit("north")
    hub_member._grown(asking, Told(here.log.grown([size])))  # type: ignore[arg-type]
    assert Checkpoint.parse(split(asking.seen.read_text())[0]).size == size + 1
    with pytest.raises(VerificationError, match="truncated"):
        hub_member._grown(asking, Told(first))  # type: ignore[arg-type]
    with pytest.raises(VerificationError):
        hub_member._grown(asking, Told(here.log.grown([size]) | {"paths": {str(size + 1): ["AAAA"]}}))  # type: ignore[arg-type]


def test_another_log_of_the_same_key_is_said(here: Hub, asking: Asking) -> None:
    """A split view, signed by the hub itself, does not follow from what was seen."""
    hub_member._grown(asking, Told(here.log.grown([0])))  # type: ignore[arg-type]
    other = Checkpoint(here.folder.origin, here.log.size + 1, bytes(32)).text
    signed = note(other, [sign(other, here.log._key, here.folder.origin)])
    with pytest.raises(VerificationError):
        hub_member._grown(asking, Told({"checkpoint": signed, "paths": {}}))  # type: ignore[arg-type]


def test_a_receipt_from_another_log_is_noticed(here: Hub, asking: Asking, receipt: Any) -> None:
    """A hub that keeps a log for one member alone, and shows the other log when that member looks, is said."""
    _, seen = check_receipt(asking, receipt)
    here.submit("west")
    hub_member._grown(asking, Told(here.log.grown([seen.size])), seen)  # type: ignore[arg-type]
    aside = Checkpoint(seen.origin, seen.size, bytes(32))
    with pytest.raises(VerificationError):
        hub_member._grown(asking, Told(here.log.grown([seen.size, seen.size + 1])), aside)  # type: ignore[arg-type]


def test_a_log_of_another_name_is_not_this_one(here: Hub, asking: Asking) -> None:
    """Also when the hub's key signed it: witnesses follow each name by itself."""
    text = Checkpoint("elsewhere/log", here.log.size, bytes(32)).text
    signed = note(text, [sign(text, here.log._key, here.folder.origin)])
    with pytest.raises(VerificationError, match="not of"):
        hub_member._grown(asking, Told({"checkpoint": signed, "paths": {}}))  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", ["what", "word", "time"])
def test_a_receipt_is_for_what_was_asked_just_now(
    asking: Asking, receipt: Any, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    """A hub cannot give an older receipt of the same member, or one for another word, and do nothing."""
    monkeypatch.setattr("time.time", lambda: receipt["entry"]["at_us"] / 1e6)
    given = {"object": "report--x", "verb": "seen"}
    hub_member._checked(asking, "feedback", given, receipt)
    if wrong == "time":
        monkeypatch.setattr("time.time", lambda: receipt["entry"]["at_us"] / 1e6 + 3600)
    given |= {"verb": "outdated"} if wrong == "word" else {}
    with pytest.raises(VerificationError, match="something else"):
        hub_member._checked(asking, "withdrawals" if wrong == "what" else "feedback", given, receipt)


@pytest.mark.parametrize(
    "text", ["", "url = 1", 'url = "x"\nsecret = "y"', "not toml", 'url = "x"\nlog = "y"']
)
def test_a_file_that_is_no_members_file_is_said_so(tmp_path: Path, text: str) -> None:
    """With what to do next."""
    (tmp_path / "member.toml").write_text(text)
    with pytest.raises(ConfigError, match="no member's file") as why:
        membership(tmp_path / "member.toml")
    assert "hub join" in why.value.hint


def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    """Nor one that is there already replaced."""
    made = hub_member.new_member_key(tmp_path / "k.pem")
    with pytest.raises(ConfigError, match="not replaced"):
        hub_member.new_member_key(tmp_path / "k.pem")
    Path(made["private"]).chmod(0o644)
    with pytest.raises(ConfigError, match="can be read by others"):
        hub_member._key({"key": made["private"]})


def test_an_address_that_is_not_https_is_refused(tmp_path: Path) -> None:
    """A request goes unencrypted to this machine only."""
    hub_member.new_member_key(tmp_path / "k.pem")
    for url in (
        "http://hub.example",
        "https://hub.example/path",
        "ftp://127.0.0.1",
        "https://u:p@hub.example",
    ):
        with pytest.raises(StillwatchError):
            hub_member.join_hub(
                url,
                tmp_path / "m.toml",
                member="north",
                key=tmp_path / "k.pem",
                log=None,
                ca=None,
                keyholders=[],
            )


@pytest.mark.parametrize("week", ["../../elsewhere", "2026-W48/../x", "", "2026-W481"])
def test_a_hub_names_no_file_of_a_member(tmp_path: Path, week: str) -> None:
    """A week that leads elsewhere is refused."""
    from stillwatch.wiring.hub_join import round_file

    with pytest.raises(VerificationError, match="week that is none"):
        round_file(tmp_path / "member.toml", week)
