"""What a week tells, what it keeps to itself, and what trying out can teach."""

import random
import secrets
from typing import Any

import pytest

from stillwatch.errors import ConfigError, VerificationError
from stillwatch.share.join import contribution as made
from stillwatch.share.join import group
from stillwatch.share.join.contribution import ClusterTags, Contribution
from stillwatch.share.join.evidence import KINDS, PARTS, part, parts
from stillwatch.share.join.holder import Refused
from stillwatch.share.join.rule import Match, Rule, SetAside, join
from stillwatch.share.join.tags import ask
from tests.share.join.making import EPOCH, blocks, tags_of, two_holders

RULE = Rule()


def tag(*name) -> bytes:
    """A tag by name: the rule never asks where it came from."""
    return random.Random(repr(name)).randbytes(64)


def cluster(name, blocks_=(), prompts=(), devices=()) -> ClusterTags:
    """A cluster with parts of address blocks, of prompts and of devices."""
    tags = {
        "address": frozenset(tag("b", each) for each in blocks_),
        "content": frozenset(tag("p", each) for each in prompts),
        "device": frozenset(tag("d", each) for each in devices),
    }
    return ClusterTags(name, "10-49", tags)


def member(name, *clusters, epoch=EPOCH) -> Contribution:
    """A member's contribution."""
    return Contribution(name, epoch, clusters)


def test_a_pair_is_told_from_the_threshold_on_and_not_below():
    """Twenty common parts of content and of another kind are a pair; 19 of either leave no trace."""
    north = member("north", cluster("n", range(90), range(90), range(90)))
    told = join(EPOCH, [north, member("south", cluster("s", range(20), range(20)))], RULE)
    assert told.matches == (Match(("north", "south"), ("n", "s"), "5-9%"),)
    nothing = join(EPOCH, [north, member("south", cluster("s", [190], [191]))], RULE)
    for below in (
        cluster("s", range(19), range(90)),
        cluster("s", range(90), range(19), range(90)),
        cluster("s", range(90), (), range(90)),
        cluster("s", range(19), range(90), range(19)),
    ):
        assert join(EPOCH, [north, member("south", below)], RULE) == nothing


def test_what_is_told_is_how_much_the_weaker_kind_has_in_common():
    """Of content and the kind that agrees most with it, as one of three buckets."""
    north = member("north", cluster("n", range(400), range(400), range(400)))
    for other, bucket in (
        (cluster("s", range(400), range(39)), "5-9%"),
        (cluster("s", range(25), range(400), range(99)), "10-24%"),
        (cluster("s", range(100), range(100)), "25%+"),
    ):
        [match] = join(EPOCH, [north, member("south", other)], RULE).matches
        assert match.common == bucket


def test_members_see_their_own_pairs_only():
    """A third member learns nothing of a pair of two others."""
    both = [member(name, cluster(name[0], range(90), range(30))) for name in ("north", "south")]
    told = join(EPOCH, [*both, member("west", cluster("w", [70]))], RULE)
    assert told.for_member("west") == () and len(told.for_member("north")) == 1


def test_a_value_that_everybody_has_joins_nobody():
    """Thirteen clusters behind one VPN are not joined by its exits."""
    crowd = [member(f"m{at:02}", cluster(f"c{at}", range(90), range(30))) for at in range(13)]
    assert len(join(EPOCH, crowd[:12], RULE).matches) == 66
    assert join(EPOCH, crowd, RULE).matches == ()


def test_unrelated_clusters_are_not_joined():
    """In 10,000 pairs of clusters that share only what chance gives, none is told (seed 5)."""
    draw = random.Random(5)
    sides = [
        member(name, *(cluster(f"{name}{at}", {draw.randrange(10**9) for _ in range(30)}, {at * 7 + draw.randrange(7)})
                       for at in range(100)))
        for name in ("north", "south")
    ]  # fmt: skip
    assert join(EPOCH, sides, RULE).matches == ()


@pytest.mark.parametrize(
    ("contribution", "reason"),
    [
        (member("south", cluster("s", range(90), range(30)), epoch="2026-W47"), "wrong_epoch"),
        (member("south", cluster("s", range(9)), cluster("t", [8])), "shared_tag"),
        (member("south", cluster("s", range(9)), cluster("s", [20])), "malformed"),
        (member("south", ClusterTags("s", "10-49", {"device": frozenset([b"short"])})), "malformed"),
        (member("south", cluster("<b>call us</b>", range(90), range(30))), "malformed"),
        (member("south", ClusterTags("s", "10-49", {"ja4": frozenset([tag(1)])})), "malformed"),
        (member("south", cluster("s", range(401))), "too_large"),
        (member("south", *(cluster(str(at)) for at in range(1001))), "too_large"),
        (member("south", cluster("s", [*range(90), "honey"], range(30))), "honey_tag"),
    ],
)
def test_a_contribution_that_breaks_the_rule_is_set_aside_whole(contribution, reason):
    """It is named with its reason, and joins nobody."""
    north = member("north", cluster("n", range(90), range(30)))
    told = join(EPOCH, [north, contribution], RULE, {tag("b", "honey")})
    assert told.matches == () and told.set_aside == (SetAside("south", reason),)


def test_a_member_that_hands_in_twice_takes_no_part():
    """Two contributions of one member are set aside, both."""
    sides = [member(name, cluster(name[0], range(90), range(30))) for name in ("north", "south", "south")]
    told = join(EPOCH, sides, RULE)
    assert told.matches == () and told.set_aside == (SetAside("south", "twice"),)


def test_a_rule_that_would_tell_of_single_values_is_refused():
    """Thresholds have a floor."""
    weak: dict[str, Any]
    for weak in (
        {"fewest_of_a_kind": 10},
        {"fewest_kinds": 1},
        {"most_clusters_of_a_tag": 1},
        {"needed": "ja4"},
    ):
        with pytest.raises(ConfigError):
            Rule(**weak)


def test_a_contribution_is_what_was_committed_to():
    """Another tag, another name or another nonce does not fit the commitment."""
    nonce = secrets.token_bytes(32)
    honest = member("south", cluster("s", range(9), range(3)))
    committed = made.commitment(honest, nonce)
    made.check_commitment(honest, nonce, committed)
    for other in (
        member("south", cluster("s", range(8), range(3))),
        member("south", cluster("t", range(9), range(3))),
    ):
        with pytest.raises(VerificationError, match="committed"):
            made.check_commitment(other, nonce, committed)
    with pytest.raises(VerificationError, match="committed"):
        made.check_commitment(honest, secrets.token_bytes(32), committed)


def test_what_leaves_is_filled_up_and_coarse():
    """Every kind leaves as 400 tags, 57 accounts as 50-199; a cluster of nine accounts does not leave."""
    own = [tag(at) for at in range(9)]
    left = made.cluster_tags(57, {"device": own, "address": []})
    assert left.accounts == "50-199" and set(own) <= left.tags["device"]
    assert {kind: len(tags) for kind, tags in left.tags.items()} == dict.fromkeys(KINDS, PARTS)
    with pytest.raises(ConfigError, match="401 tags"):
        made.cluster_tags(10, {"device": [tag(at) for at in range(401)]})
    with pytest.raises(ConfigError, match="no kind 'ja4'"):
        made.cluster_tags(10, {"ja4": own})
    with pytest.raises(ConfigError, match="10 are needed"):
        made.cluster_tags(9, {})
    with pytest.raises(ConfigError, match="64 bytes"):
        made.cluster_tags(10, {"device": [b"short"]})


def test_a_member_that_tries_out_address_blocks_learns_no_more_than_its_budget_buys(tmp_path):
    """An attacker that knows all prompts of a victim and half of its 56 blocks learns one more for 19 known parts.

    It puts one guess into each cluster, with as many known parts as tell nothing yet: a pair told means that the guess
    was right. It gets no tag beyond its budget, its clusters share no tag, and the victim has 400 parts of a kind: so
    twenty guesses at most can be tested in a week, however much it knows.
    """
    pytest.importorskip("rbcl", reason="needs the extra `join`")
    draw, below = random.Random(11), RULE.fewest_of_a_kind - 1
    secret = draw.sample(range(512), 56)
    shown = parts("address", {block.value: 1 / 56 for block in blocks(*secret)})
    prompts = parts("content", {b"prompt %d" % at: 1 / 200 for at in range(200)})
    known = [
        each for each in shown if each.value.rpartition(b"#")[0] in {b.value for b in blocks(*secret[:28])}
    ]
    probes = len(known) // below
    guesses = [*secret[28 : 28 + probes // 2], *draw.sample([n for n in range(512) if n not in secret], 9)][
        :probes
    ]
    tried = [part("address", block.value, 0) for block in blocks(*guesses)]
    budget = probes * (below + below + 1) + len(tried)
    keys = group.random_scalar(), group.random_scalar()
    (tmp_path / "south").mkdir()
    holders = two_holders(tmp_path, budget, keys)
    ample = two_holders(tmp_path / "south", 1000, keys)
    theirs = made.cluster_tags(60, {
        "address": tags_of(ample, list(shown), "south"), "content": tags_of(ample, list(prompts), "south"),
    })  # fmt: skip
    held = tags_of(holders, known[: probes * below])
    anchors = tags_of(holders, list(prompts)[: probes * (below + 1)])
    tips = tags_of(holders, tried)
    assert all(
        isinstance(each.answer("north", EPOCH, ask(EPOCH, blocks(1)).wire), Refused) for each in holders
    )
    sent = [
        ClusterTags(str(guess), "10-49", {
            "address": frozenset([tips[at], *held[at * below : (at + 1) * below]]),
            "content": frozenset(anchors[at * (below + 1) : (at + 1) * (below + 1)]),
        })
        for at, guess in enumerate(guesses)
    ]  # fmt: skip
    told = join(EPOCH, [member("north", *sent), member("south", theirs)], RULE)
    learned = {int(match.clusters[0]) for match in told.for_member("north")}
    assert 0 < len(learned) < len(guesses) <= probes <= PARTS // RULE.fewest_of_a_kind
    assert learned <= set(secret)
    without_anchors = [
        ClusterTags(each.name, each.accounts, {"address": each.tags["address"]}) for each in sent
    ]
    assert join(EPOCH, [member("north", *without_anchors), member("south", theirs)], RULE).matches == ()
    again = [*sent[:1], ClusterTags("again", "10-49", {**sent[1].tags, "address": frozenset([held[0]])})]
    assert join(EPOCH, [member("north", *again)], RULE).set_aside == (SetAside("north", "shared_tag"),)
