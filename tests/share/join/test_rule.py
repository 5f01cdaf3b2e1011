"""What a week tells, what it keeps to itself, and what trying out can teach."""

import random
import secrets

import pytest

from stillwatch.errors import ConfigError, VerificationError
from stillwatch.share.join import contribution as made
from stillwatch.share.join.contribution import ClusterTags, Contribution
from stillwatch.share.join.holder import Refused
from stillwatch.share.join.rule import Match, Rule, SetAside, join
from stillwatch.share.join.tags import Value, ask
from tests.share.join.making import EPOCH, blocks, tags_of, two_holders

RULE = Rule()


def tag(*name) -> bytes:
    """A tag by name: the rule never asks where it came from."""
    return random.Random(repr(name)).randbytes(64)


def cluster(name, blocks_=(), prints=()) -> ClusterTags:
    """A cluster with address blocks and client fingerprints."""
    tags = {
        "ipv4_24": frozenset(tag("b", each) for each in blocks_),
        "ja4": frozenset(tag("p", each) for each in prints),
    }
    return ClusterTags(name, "10-49", tags)


def member(name, *clusters, epoch=EPOCH) -> Contribution:
    """A member's contribution."""
    return Contribution(name, epoch, clusters)


def test_a_pair_is_told_from_the_threshold_on_and_not_below():
    """Five common tags of two kinds are told as a bucket; four, and any beside one of a second kind, leave no trace."""
    north = member("north", cluster("n", range(9), range(3)))
    told = join(EPOCH, [north, member("south", cluster("s", range(3), range(2)))], RULE)
    assert told.matches == (Match(("north", "south"), ("n", "s"), "5-9"),)
    nothing = join(EPOCH, [north, member("south", cluster("s", [90], [91]))], RULE)
    for below in (
        cluster("s", range(2), range(2)),
        cluster("s", range(5), [91]),
        cluster("s", range(9), [0]),
    ):
        assert join(EPOCH, [north, member("south", below)], RULE) == nothing


def test_members_see_their_own_pairs_only():
    """A third member learns nothing of a pair of two others."""
    both = [member(name, cluster(name[0], range(9), range(3))) for name in ("north", "south")]
    told = join(EPOCH, [*both, member("west", cluster("w", [70]))], RULE)
    assert told.for_member("west") == () and len(told.for_member("north")) == 1


def test_a_value_that_everybody_has_joins_nobody():
    """Thirteen clusters behind one VPN are not joined by its exits."""
    crowd = [member(f"m{at:02}", cluster(f"c{at}", range(9), range(3))) for at in range(13)]
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
        (member("south", cluster("s", range(9), range(3)), epoch="2026-W47"), "wrong_epoch"),
        (member("south", cluster("s", range(9)), cluster("t", [8])), "shared_tag"),
        (member("south", cluster("s", range(9)), cluster("s", [20])), "malformed"),
        (member("south", ClusterTags("s", "10-49", {"ja4": frozenset([b"short"])})), "malformed"),
        (member("south", cluster("<b>call us</b>", range(9), range(3))), "malformed"),
        (member("south", *(cluster(str(at)) for at in range(1001))), "too_large"),
        (member("south", cluster("s", [*range(9), "honey"], range(3))), "honey_tag"),
    ],
)
def test_a_contribution_that_breaks_the_rule_is_set_aside_whole(contribution, reason):
    """It is named with its reason, and joins nobody."""
    north = member("north", cluster("n", range(9), range(3)))
    told = join(EPOCH, [north, contribution], RULE, {tag("b", "honey")})
    assert told.matches == () and told.set_aside == (SetAside("south", reason),)


def test_a_member_that_hands_in_twice_takes_no_part():
    """Two contributions of one member are set aside, both."""
    sides = [member(name, cluster(name[0], range(9), range(3))) for name in ("north", "south", "south")]
    told = join(EPOCH, sides, RULE)
    assert told.matches == () and told.set_aside == (SetAside("south", "twice"),)


def test_a_rule_that_would_tell_of_single_values_is_refused():
    """Thresholds have a floor."""
    weak: dict[str, int]
    for weak in ({"fewest_common": 2}, {"fewest_kinds": 1}, {"most_clusters_of_a_tag": 1}):
        with pytest.raises(ConfigError, match="single values"):
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
    """Nine tags leave as sixteen, 57 accounts as 50-199; a cluster of nine accounts does not leave."""
    left = made.cluster_tags(57, {"ja4": [tag(at) for at in range(9)], "ipv4_24": []})
    assert left.accounts == "50-199" and {kind: len(tags) for kind, tags in left.tags.items()} == {"ja4": 16}
    with pytest.raises(ConfigError, match="10 are needed"):
        made.cluster_tags(9, {})
    with pytest.raises(ConfigError, match="64 bytes"):
        made.cluster_tags(10, {"ja4": [b"short"]})


def test_a_member_that_tries_out_address_blocks_learns_no_more_than_its_budget_buys(tmp_path):
    """Of 56 blocks in a range of 512, an attacker with 56 guesses and known anchors pins down what it guessed.

    The attacker knows 3 fingerprints and a block of the victim for every probe it makes (the best case for it), and
    puts each guess into a cluster of its own with them: a pair told means that the guess was right. It gets no tag
    beyond its budget, so what it learns is bounded by its guesses; and each right guess used up 4 anchors.
    """
    pytest.importorskip("rbcl", reason="needs the extra `join`")
    draw, budget, known = random.Random(11), 280, 3
    holders = two_holders(tmp_path, budget=budget)
    secret, sure = draw.sample(range(512), 56), range(1000, 1056)
    prints = [Value("ja4", f"client {at}".encode()) for at in range(168)]
    theirs = ClusterTags("v", "200-999", {
        "ipv4_24": frozenset(tags_of(holders, blocks(*secret, *sure), "south")),
        "ja4": frozenset(tags_of(holders, prints, "south")),
    })  # fmt: skip
    guesses = draw.sample(range(512), 56)
    guess_tags, sure_tags = tags_of(holders, blocks(*guesses)), tags_of(holders, blocks(*sure))
    anchors = tags_of(holders, prints)
    assert all(
        isinstance(each.answer("north", EPOCH, ask(EPOCH, blocks(1)).wire), Refused) for each in holders
    )
    probes = [
        ClusterTags(str(guess), "10-49", {
            "ipv4_24": frozenset([guess_tags[at], sure_tags[at]]),
            "ja4": frozenset(anchors[at * known : (at + 1) * known]),
        })
        for at, guess in enumerate(guesses)
    ]  # fmt: skip
    told = join(EPOCH, [member("north", *probes), member("south", theirs)], RULE)
    learned = {int(match.clusters[0]) for match in told.for_member("north")}
    assert learned == set(guesses) & set(secret)
    assert 0 < len(learned) <= len(guesses) * len(secret) / 512 * 2
    assert len(learned) * RULE.fewest_common <= len(anchors) + len(guesses)
    without_anchors = [
        ClusterTags(each.name, each.accounts, {"ipv4_24": each.tags["ipv4_24"]}) for each in probes
    ]
    assert join(EPOCH, [member("north", *without_anchors), member("south", theirs)], RULE).matches == ()
    again = [
        *probes[:1],
        ClusterTags("again", "10-49", {**probes[0].tags, "ipv4_24": frozenset([guess_tags[-1]])}),
    ]
    assert join(EPOCH, [member("north", *again)], RULE).set_aside == (SetAside("north", "shared_tag"),)
