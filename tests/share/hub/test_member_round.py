"""A member's part in a round: which values belong to a cluster, and an answer that was lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stillwatch.wiring import hub_join
from stillwatch.wiring.hub_join import values_of


def test_what_all_customers_show_belongs_to_no_cluster() -> None:
    """A value counts when more of the accounts that show it are inside than outside."""
    shown = {
        ("ipv4_24", b"192.0.2.0/24"): {"a", "b", "c"}, ("client", b"popular"): {"a", "b", "x", "y"},
        ("device", b"one"): {"a"}, ("system", b"other"): {"x"},
    }  # fmt: skip
    found = values_of({"a", "b", "c"}, shown)
    assert [(v.kind, v.value) for v in found] == [("ipv4_24", b"192.0.2.0/24"), ("device", b"one")]


def test_values_are_written_as_all_members_write_them() -> None:
    """Blocks in canonical form, texts as digests with blanks made even; what is missing or no address is left out."""
    row = {
        "client_ip": "192.0.2.77",
        "system_prompt": " You  are\nhelpful ",
        "user_agent": None,
        "device_id": "",
    }
    other = {"client_ip": "192.0.2.1", "system_prompt": "You are helpful"}
    assert list(hub_join._values(row)) == list(hub_join._values(other))
    assert list(hub_join._values({"client_ip": "2001:db8:7:1::9"})) == [("ipv6_48", b"2001:db8:7::/48")]
    assert list(hub_join._values({"client_ip": "999.1.1.1"})) == []


def test_a_lost_answer_costs_no_budget_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A contribution that is kept is committed to again, the same; no key holder is asked."""
    asked: list[Any] = []

    def ask(file: Path, what: str, given: Any) -> dict[str, Any]:
        asked.append((what, given))
        return {"already": len(asked) > 1, "done": []}

    file = tmp_path / "member.toml"
    file.write_text('url = "https://hub.example"\nlog = "x"\nmember = "north"\nkey = "k.pem"\n')
    tags = {"ipv4_24": ["00" * 64], "system": ["01" * 64]}
    kept = {
        "epoch": "2026-W49", "nonce": "00" * 32, "campaigns": {"aa": "C-1"},
        "clusters": [{"name": "aa", "accounts": "10-49", "tags": tags}],
    }  # fmt: skip
    hub_join.round_file(file, "2026-W49").write_text(json.dumps(kept))
    monkeypatch.setattr(hub_join, "see_hub", lambda *_: {"epoch": "2026-W49"})
    monkeypatch.setattr(hub_join, "ask_hub", ask)
    monkeypatch.setattr(hub_join, "keyholders", lambda *_: pytest.fail("a key holder was asked"))
    for already in (False, True):
        told = hub_join.commit_round(
            file, tmp_path, ["none"], settings=None, format=None, mapping=None, progress=None  # type: ignore[arg-type]
        )  # fmt: skip
        assert told["already"] is already and told["tags"] == 2
    assert asked[0] == asked[1] and asked[0][0] == "commitments"
