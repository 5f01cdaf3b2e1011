"""A member's part in a round: which clusters take part, and an answer that was lost."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from stillwatch.share.hub import rules_rounds
from stillwatch.share.hub.door import Door
from stillwatch.share.join.clusters import Cluster
from stillwatch.share.join.contribution import Contribution, cluster_tags
from stillwatch.wiring import hub_join


def test_a_contribution_has_the_clusters_of_highest_standing_and_fits_into_a_request() -> None:
    """Act before review before watch, large before small; what is left out is the rest."""
    made = [
        Cluster(f"{standing}-{size}", tuple(map(str, range(size))), standing, 1.0, ())
        for standing in ("none", "watch", "act", "review") for size in range(10, 30)
    ]  # fmt: skip
    kept = hub_join.foremost(made)
    assert len(kept) == hub_join.MOST_CLUSTERS and {c.subject for c in made} - {c.subject for c in kept} == {
        f"none-{size}" for size in range(10, 26)
    }
    assert [c.subject for c in kept[:2]] == ["act-29", "act-28"]
    tags = {"content": [bytes(63) + bytes([n]) for n in range(9)]}
    clusters = tuple(cluster_tags(12, tags) for _ in range(hub_join.MOST_CLUSTERS))
    sent = rules_rounds.sent(Contribution("north", "2026-W49", clusters))
    longest: Any = next(each.default for each in fields(Door) if each.name == "body_bytes")
    assert len(json.dumps({"epoch": "2026-W49", "nonce": "00" * 32, "clusters": sent})) < longest


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
