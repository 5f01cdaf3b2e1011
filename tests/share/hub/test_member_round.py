"""A member's part in a round: an answer that was lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stillwatch.wiring import hub_join


def test_a_lost_answer_costs_no_budget_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A contribution that is kept is committed to again, the same; no key holder is asked."""
    asked: list[Any] = []

    def ask(file: Path, what: str, given: Any) -> dict[str, Any]:
        asked.append((what, given))
        return {"already": len(asked) > 1, "done": []}

    file = tmp_path / "member.toml"
    file.write_text('url = "https://hub.example"\nlog = "x"\nmember = "north"\nkey = "k.pem"\n')
    tags = {"address": ["00" * 64], "content": ["01" * 64]}
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
