"""Rounds of joining at a hub: nothing before the cut-off, tags destroyed after it, pairs to their members alone."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stillwatch.errors import ConfigError
from stillwatch.share.hub import rules_rounds, view
from stillwatch.share.hub.asked import Draft, NotAllowed
from stillwatch.share.join.contribution import ClusterTags, Contribution, commitment
from stillwatch.share.join.group import generated, random_scalar
from stillwatch.wiring.hub_admin import open_round
from tests.share.hub.making import EPOCH, HOUR, Hub, hub

NONCE = bytes(32)


def tag(number: int) -> bytes:
    """A tag, by number."""
    return hashlib.sha512(str(number).encode()).digest()


def made(member: str, name: str, numbers: range | list[int]) -> Contribution:
    """One cluster, whose tags are of two kinds, half of each."""
    odd = frozenset(tag(n) for n in numbers if n % 2)
    tags = {"address": odd, "content": frozenset(map(tag, numbers)) - odd}
    return Contribution(member, EPOCH, (ClusterTags(name, "10-49", tags),))


def opened(here: Hub, honey: tuple[bytes, ...] = ()) -> None:
    """A round of two hours."""
    import json

    data = {
        "epoch": EPOCH, "commit_until_us": here.clock.at + HOUR, "reveal_until_us": here.clock.at + 2 * HOUR,
        "publics": ["00", "01"],
    }  # fmt: skip
    here.desk.note(Draft("round", data, json.dumps([h.hex() for h in honey]).encode()))


def commits(here: Hub, each: Contribution) -> None:
    """A member commits."""
    here.do(each.member, "commitments", epoch=EPOCH, committed=commitment(each, NONCE).hex())


def shows(here: Hub, each: Contribution) -> None:
    """A member shows what it committed to."""
    here.do(each.member, "contributions", epoch=EPOCH, nonce=NONCE.hex(), clusters=rules_rounds.sent(each))


def played(here: Hub, *all_of_them: Contribution, honey: tuple[bytes, ...] = ()) -> None:
    """A whole round."""
    opened(here, honey)
    for each in all_of_them:
        commits(here, each)
    here.clock.at += HOUR
    for each in all_of_them:
        shows(here, each)
    here.desk.close_rounds()


def round_of(here: Hub, name: str) -> dict:
    """The round as a member sees it."""
    return dict(here.desk.see(lambda s, now: view.current_round(s, here.who(name), now)))


def test_a_pair_is_told_to_its_two_members_and_names_neither(here: Hub) -> None:
    """The third member sees no pair; the two see names of clusters and a bucket; the tags are gone."""
    both = range(80)
    played(here, made("north", "aa", both), made("south", "bb", both), made("west", "cc", range(100, 180)))
    for name, own, other in (("north", "aa", "bb"), ("south", "bb", "aa")):
        [pair] = round_of(here, name)["pairs"]
        assert (pair["cluster"], pair["other"], pair["common"]) == (own, other, "10-24%")
        assert set(pair) == {"pair", "epoch", "cluster", "other", "common", "reopened"}
    assert round_of(here, "west")["pairs"] == round_of(here, "east")["pairs"] == []
    held = here.desk.state.rounds[EPOCH]
    assert [here.desk.journal.blob(seq) for seq in held.seqs] == [None] * 4
    stored = b"".join(p.read_bytes() for p in here.folder.path.rglob("*") if p.is_file())
    assert not any(tag(n) in stored or tag(n).hex().encode() in stored for n in both)


def test_below_the_threshold_nothing_is_told(here: Hub) -> None:
    """Nineteen parts in common of each of two kinds are nothing, whatever else is there."""
    played(here, made("north", "aa", range(80)), made("south", "bb", [*range(42, 80), *range(150, 190)]))
    assert round_of(here, "north")["pairs"] == []


def test_time_decides_what_may_be_sent(here: Hub) -> None:
    """Nothing is shown before the cut-off and nothing committed after it; what was not committed is refused."""
    opened(here)
    mine = made("north", "aa", range(80))
    commits(here, mine)

    def status(call, *args) -> int:
        with pytest.raises(NotAllowed) as why:
            call(*args)
        return why.value.status

    assert status(shows, here, mine) == 409
    assert status(commits, here, made("north", "aa", range(81))) == 409
    here.clock.at += HOUR
    assert status(commits, here, made("south", "bb", range(80))) == 409
    assert status(shows, here, made("north", "aa", range(81))) == 422
    assert status(shows, here, made("south", "bb", range(80))) == 409
    shows(here, mine)
    here.clock.at += HOUR
    assert status(shows, here, mine) == 409


def test_a_honey_tag_sets_a_contribution_aside(here: Hub) -> None:
    """Whoever tried values out takes no part and is told why; its victim is told nothing."""
    played(here, made("north", "aa", range(80)), made("south", "bb", range(81)), honey=(tag(80),))
    assert round_of(here, "south")["set_aside"] == "honey_tag"
    assert round_of(here, "north")["pairs"] == [] and round_of(here, "north")["set_aside"] == ""


def test_a_round_waits_for_whoever_committed_until_its_time_is_over(here: Hub) -> None:
    """A member that does not show is named as such to itself, and the others are joined without it."""
    opened(here)
    both = [made("north", "aa", range(80)), made("south", "bb", range(80))]
    for each in (*both, made("west", "cc", range(80))):
        commits(here, each)
    here.clock.at += HOUR
    for each in both:
        shows(here, each)
    here.desk.close_rounds()
    assert not round_of(here, "north")["closed"]
    here.clock.at += HOUR
    here.desk.close_rounds()
    assert round_of(here, "west")["set_aside"] == "not_shown"
    assert len(round_of(here, "north")["pairs"]) == 1


def test_joins_corroborate_and_establish_until_one_is_reopened(here: Hub) -> None:
    """A withdrawal of the other side's submission re-opens the pair, and what rested on it falls back."""
    played(
        here, made("north", "aa", range(80)), made("south", "bb", range(80)), made("west", "cc", range(80))
    )
    mine = here.submit("north", epoch=EPOCH, cluster="aa")
    assert here.level(mine) == "established"
    theirs = here.submit("south", 2, epoch=EPOCH, cluster="bb")
    here.do("south", "withdrawals", object=theirs, ground="error")
    assert here.level(mine) == "corroborated"
    pairs = {p["other"]: p["reopened"] for p in here.inbox("north")["pairs"]}
    assert pairs == {"bb": True, "cc": False}


def test_a_cluster_is_named_by_whoever_contributed_it(here: Hub) -> None:
    """Another member's cluster cannot be claimed for a submission."""
    played(here, made("north", "aa", range(80)), made("south", "bb", range(80)))
    with pytest.raises(NotAllowed) as why:
        here.submit("west", epoch=EPOCH, cluster="aa")
    assert why.value.status == 409


@pytest.mark.parametrize("wrong", ["short", "shared", "name", "bucket", "kind", "type"])
def test_a_contribution_of_another_form_takes_no_part(here: Hub, wrong) -> None:
    """Tags that are none, shared tags, names and sizes with text in them."""
    opened(here)
    mine = made("north", "aa", range(80))
    commits(here, mine)
    here.clock.at += HOUR
    rows = rules_rounds.sent(mine)
    if wrong == "short":
        rows[0]["tags"]["ipv4_24"] = ["zz"]
    elif wrong == "shared":
        rows.append(rows[0] | {"name": "ab"})
    elif wrong == "name":
        rows[0]["name"] = "<script>"
    elif wrong == "bucket":
        rows[0]["accounts"] = "11"
    elif wrong == "kind":
        rows[0]["tags"]["Text with blanks"] = []
    else:
        rows[0]["tags"] = []
    with pytest.raises(NotAllowed) as why:
        here.do("north", "contributions", epoch=EPOCH, nonce=NONCE.hex(), clusters=rows)
    assert why.value.status in (400, 422)


def test_a_shared_tag_that_was_committed_is_set_aside(here: Hub) -> None:
    """Two clusters of one member with one tag: committed or not, the member takes no part."""
    twice = Contribution(
        "north", EPOCH, (*made("north", "aa", range(80)).clusters, *made("north", "ab", range(80)).clusters)
    )
    played(here, twice, made("south", "bb", range(80)))
    assert round_of(here, "north")["set_aside"] == "shared_tag"
    assert round_of(here, "south")["pairs"] == []


def test_random_tags_fill_up(here: Hub) -> None:
    """What fills a cluster up joins nobody."""

    def filled(member: str, name: str) -> Contribution:
        tags = frozenset(secrets.token_bytes(64) for _ in range(64))
        return Contribution(member, EPOCH, (ClusterTags(name, "10-49", {"system": tags}),))

    played(here, filled("north", "aa"), filled("south", "bb"))
    assert round_of(here, "north")["pairs"] == []


def test_one_round_at_a_time(here: Hub) -> None:
    """The next is not opened while members may still show their parts of the last: they see the newest alone."""
    publics = [generated(random_scalar()).hex() for _ in range(2)]
    now = datetime.now(UTC)
    opening: dict[str, Any] = {
        "commit_until": now + timedelta(hours=1), "reveal_until": now + timedelta(hours=2), "publics": publics,
    }  # fmt: skip
    open_round(here.folder.path, epoch="2026-W40", **opening)
    with pytest.raises(ConfigError, match="until"):
        open_round(here.folder.path, epoch="2026-W41", **opening)
    with pytest.raises(ConfigError, match="has been opened"):
        open_round(here.folder.path, epoch="2026-W40", **opening)


def test_tags_are_destroyed_after_a_crash_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub that stops between the pairs of a round and the end of its tags destroys them when it starts again."""
    with hub(tmp_path / "hub", "north", "south") as here:
        both = [made("north", "aa", range(80)), made("south", "bb", range(80))]
        opened(here, honey=(tag(99),))
        for each in both:
            commits(here, each)
        here.clock.at += HOUR
        for each in both:
            shows(here, each)
        monkeypatch.setattr(here.log, "append", lambda leaves: (_ for _ in ()).throw(OSError("full")))
        with pytest.raises(OSError):
            here.desk.close_rounds()
    with hub(tmp_path / "hub") as here:
        held = here.desk.state.rounds[EPOCH]
        assert held.closed_us and len(here.desk.state.pairs) == 1
        assert [here.desk.journal.blob(seq) for seq in held.seqs] == [None] * 3
